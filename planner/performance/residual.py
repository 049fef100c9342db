"""What the laws leave unexplained: a Gaussian process on (ln b, ln c), small enough to need no library.

    symbol   meaning                                                          shape
    x        (ln records per request, ln concurrency) of the measured points  (n, 2)
    r        ln X measured - ln X of the committee                            (n,)
    a, l     standard deviation and length scales of the correction           1, (2,)

The kernel is Matérn 3/2 (Rasmussen and Williams, "Gaussian Processes for Machine Learning", 2006, eq. 4.17):
rough enough for a knee. Hyperparameters are the maximum a posteriori on a grid; far from every point the
correction is 0 and its standard deviation a, so it fades outside the measured hull by itself.
"""

import itertools
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from planner.performance.points import Points
from planner.performance.prediction import Floats

_AMPLITUDES: Final = (0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32)
_LENGTHS_B: Final = (0.7, 1.5, 3.0)
_LENGTHS_C: Final = (0.5, 1.0, 2.0)
_PRIOR_AMPLITUDE: Final = 0.05
"""Corrections are small when the law is right: ln a ~ Normal(ln 0.05, 1)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Residual:
    """The fitted correction."""

    points: Floats
    """(n, 2)."""
    amplitude: float
    lengths: Floats
    """(2,)."""
    noise: Floats
    """(n,): standard deviation of each r."""
    solution: Floats
    """(n,): K⁻¹ r."""
    inverse: Floats
    """(n, n): K⁻¹."""

    def at(self, where: Floats) -> tuple[Floats, Floats]:
        """Mean and standard deviation of the correction at (m, 2) places."""
        cross = _kernel(where, self.points, self.amplitude, self.lengths)
        variance = self.amplitude**2 - np.einsum("ij,jk,ik->i", cross, self.inverse, cross)
        return cross @ self.solution, np.sqrt(np.maximum(variance, 0.0))

    def without(self, residuals: Floats, left_out: NDArray[np.bool_]) -> tuple[Floats, Floats]:
        """Mean and standard deviation (noise included) at points left out, given the residuals of the others."""
        kernel = _kernel(self.points, self.points, self.amplitude, self.lengths)
        among = kernel[np.ix_(~left_out, ~left_out)] + np.diag(self.noise[~left_out] ** 2)
        cross = kernel[np.ix_(~left_out, left_out)]
        gain = np.linalg.solve(among, cross)
        variance = self.amplitude**2 - np.sum(gain * cross, axis=0) + self.noise[left_out] ** 2
        return gain.T @ residuals[~left_out], np.sqrt(np.maximum(variance, 1e-12))


def fit_residual(points: Points, residuals: Floats) -> Residual:
    """The correction through the residuals of the committee."""
    where = np.stack([np.log(points.records_per_request), np.log(points.concurrency)], axis=1)
    best, most = (_AMPLITUDES[0], _LENGTHS_B[0], _LENGTHS_C[0]), -np.inf
    for amplitude, length_b, length_c in itertools.product(_AMPLITUDES, _LENGTHS_B, _LENGTHS_C):
        covariance = _kernel(where, where, amplitude, np.array([length_b, length_c])) + np.diag(points.noise**2)
        factor = np.linalg.cholesky(covariance)
        whitened = np.linalg.solve(factor, residuals)
        posterior = -0.5 * float(whitened @ whitened) - float(np.sum(np.log(np.diag(factor))))
        posterior -= 0.5 * float(np.log(amplitude / _PRIOR_AMPLITUDE)) ** 2
        if posterior > most:
            best, most = (amplitude, length_b, length_c), posterior
    lengths = np.array(best[1:])
    inverse = np.linalg.inv(_kernel(where, where, best[0], lengths) + np.diag(points.noise**2))
    return Residual(
        points=where,
        amplitude=best[0],
        lengths=lengths,
        noise=points.noise,
        solution=inverse @ residuals,
        inverse=np.asarray(inverse, dtype=np.float64),
    )


def _kernel(left: Floats, right: Floats, amplitude: float, lengths: Floats) -> Floats:
    """Matérn 3/2 covariance between (m, 2) and (n, 2) places: (m, n)."""
    difference = (left[:, None, :] - right[None, :, :]) / lengths
    distance = np.sqrt(3.0 * np.sum(difference**2, axis=2))
    return np.asarray(amplitude**2 * (1.0 + distance) * np.exp(-distance), dtype=np.float64)


class Surface:
    """A function of (ln b, ln c) tabulated once and read by bilinear interpolation, clamped at the table's edge."""

    def __init__(self, ln_b: Floats, ln_c: Floats, values: Floats) -> None:
        self._start = (float(ln_b[0]), float(ln_c[0]))
        self._step = (float(ln_b[1] - ln_b[0]), float(ln_c[1] - ln_c[0]))
        self._shape = values.shape
        self._values = np.ascontiguousarray(values).ravel()

    def _cell(self, axis: int, value: Floats) -> tuple[Floats, Floats]:
        position = np.clip((value - self._start[axis]) / self._step[axis], 0.0, self._shape[axis] - 1.000001)
        whole = np.floor(position)
        return whole, position - whole

    def at(self, ln_b: Floats, ln_c: Floats) -> Floats:
        """The value at broadcast (ln b, ln c)."""
        row, down = self._cell(0, ln_b)
        column, right = self._cell(1, ln_c)
        width = self._shape[1]
        index = (row * width + column).astype(np.intp)
        values = self._values
        top = values[index] * (1 - right) + values[index + 1] * right
        bottom = values[index + width] * (1 - right) + values[index + width + 1] * right
        return np.asarray(top * (1 - down) + bottom * down, dtype=np.float64)
