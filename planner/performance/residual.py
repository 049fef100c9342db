"""What the laws leave unexplained: a Gaussian process on (ln b, ln c, ln p), small enough to need no library.

    symbol   meaning                                                            shape
    x        ln of records per request, concurrency, CPUs: the measured points  (n, 3)
    r        ln X measured - ln X of the committee                              (n,)
    a, l     standard deviation and length scales of the correction             1, (3,)

The kernel is Matérn 3/2 (Rasmussen and Williams, "Gaussian Processes for Machine Learning", 2006, eq. 4.17):
rough enough for a knee. Hyperparameters are the maximum a posteriori on a grid; far from every point the
correction is 0 and its standard deviation a, so it fades outside the measured hull by itself. What was measured at
another CPU limit says little of this one (a quota halts all threads at once): the length along ln p is fixed.
"""

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from planner.performance.points import Points
from planner.performance.prediction import Floats

_AMPLITUDES: Final = (0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32)
LENGTHS_B: Final = (0.7, 1.5, 3.0)
_LENGTHS_C: Final = (0.5, 1.0, 2.0)
_LENGTH_CPUS: Final = 0.3
"""Half the CPUs correlate by 0.1."""
_PRIOR_AMPLITUDE: Final = 0.05
"""Corrections are small when the law is right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Residual:
    """The fitted correction."""

    points: Floats
    """(n, axes)."""
    amplitude: float
    lengths: Floats
    """(axes,)."""
    noise: Floats
    """(n,): standard deviation of each r."""
    solution: Floats
    """(n,): K⁻¹ r."""
    inverse: Floats
    """(n, n): K⁻¹."""

    def at(self, where: Floats) -> tuple[Floats, Floats]:
        """Mean and standard deviation of the correction at (m, axes) places."""
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


def places(points: Points) -> Floats:
    """X of the points: (n, 3)."""
    return np.log(np.stack([points.records_per_request, points.concurrency, points.cpus], axis=1))


def fit_residual(points: Points, residuals: Floats) -> Residual:
    """The correction through the residuals of the committee."""
    lengths = itertools.product(LENGTHS_B, _LENGTHS_C, (_LENGTH_CPUS,))
    return fit_correction(places(points), points.noise, residuals, lengths, expected=_PRIOR_AMPLITUDE)[0]


def fit_correction(
    where: Floats, noise: Floats, residuals: Floats, lengths: Iterable[tuple[float, ...]], *, expected: float
) -> tuple[Residual, float]:
    """The correction through residuals at (n, axes) places, with the best of these lengths, and its log posterior.

    expected: amplitude a priori, ln a ~ Normal(ln expected, 1).
    """
    best, most = (_AMPLITUDES[0], np.ones(where.shape[1])), -np.inf
    for amplitude, candidate in itertools.product(_AMPLITUDES, map(np.array, lengths)):
        covariance = _kernel(where, where, amplitude, candidate) + np.diag(noise**2)
        factor = np.linalg.cholesky(covariance)
        whitened = np.linalg.solve(factor, residuals)
        posterior = -0.5 * float(whitened @ whitened) - float(np.sum(np.log(np.diag(factor))))
        posterior -= 0.5 * float(np.log(amplitude / expected)) ** 2
        if posterior > most:
            best, most = (amplitude, candidate), posterior
    inverse = np.linalg.inv(_kernel(where, where, *best) + np.diag(noise**2))
    correction = Residual(
        points=where,
        amplitude=best[0],
        lengths=best[1],
        noise=noise,
        solution=inverse @ residuals,
        inverse=np.asarray(inverse, dtype=np.float64),
    )
    return correction, most


def _kernel(left: Floats, right: Floats, amplitude: float, lengths: Floats) -> Floats:
    """Matérn 3/2 covariance between (m, axes) and (n, axes) places: (m, n)."""
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
