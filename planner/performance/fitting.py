"""Least squares of many small problems at once: Levenberg and Marquardt's method over a batch.

A committee is some hundred fits of ten numbers to twenty points. One by one each costs milliseconds of calls; side by
side in one array they cost little more than one. Moré, "The Levenberg-Marquardt algorithm: implementation and
theory", 1978: steps scaled by the diagonal of JᵀJ.
"""

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from planner.performance.prediction import Floats

_STEP: Final = 1e-6
"""Forward differences; parameters are logarithms."""
_SMALLEST_GAIN: Final = 1e-4
"""A problem is solved when an accepted step lowers its loss by less than this share."""
_MOST_STEPS: Final = 60
_DAMPING: Final = (1e-9, 1e9)


def least_squares(residuals: Callable[[Floats, NDArray[np.intp]], Floats], starts: Floats) -> tuple[Floats, Floats]:
    """(parameters, sums of squares) of each problem: (problems, k) and (problems,).

    residuals(vectors, problems): (p, v, k) parameter vectors, v of each of the p problems numbered -> (p, v, rows).
    """
    best = starts.copy()
    every = np.arange(len(starts))
    value, slope = _linearised(residuals, best, every)
    loss = np.sum(value**2, axis=1)
    damping = np.full(len(starts), 1e-2)
    going = every
    for _ in range(_MOST_STEPS):
        normal = slope[going] @ slope[going].transpose(0, 2, 1)
        diagonal = np.einsum("ijj->ij", normal)
        diagonal += damping[going, None] * np.maximum(diagonal, 1e-12)
        downhill = np.einsum("ijr,ir->ij", slope[going], value[going])
        trial = best[going] - np.linalg.solve(normal, downhill[..., None])[..., 0]
        trial_value, trial_slope = _linearised(residuals, trial, going)
        trial_loss = np.sum(trial_value**2, axis=1)
        lower = trial_loss < loss[going]
        taken = going[lower]
        solved = np.zeros(len(starts), dtype=np.bool_)
        solved[taken] = loss[taken] - trial_loss[lower] < _SMALLEST_GAIN * loss[taken]
        best[taken], loss[taken] = trial[lower], trial_loss[lower]
        value[taken], slope[taken] = trial_value[lower], trial_slope[lower]
        damping[going] = np.maximum(damping[going] * np.where(lower, 0.2, 5.0), _DAMPING[0])
        going = going[~solved[going] & (damping[going] < _DAMPING[1])]
        if not len(going):
            break
    return best, loss


def _linearised(
    residuals: Callable[[Floats, NDArray[np.intp]], Floats], vectors: Floats, problems: NDArray[np.intp]
) -> tuple[Floats, Floats]:
    """Residuals (p, rows) and their slopes (p, k, rows) by forward differences, all in one call."""
    count = vectors.shape[1]
    moves = np.concatenate([np.zeros((1, count)), _STEP * np.eye(count)])
    found = residuals(vectors[:, None, :] + moves, problems)
    return found[:, 0], (found[:, 1:] - found[:, :1]) / _STEP
