"""A cost against records per request: a line, non-negative and never falling, and for CPU demand what bends it.

symbol   meaning                                                   unit
b        records per request                                       1
y0       cost of a request whatever is in it (connection, parsing) s
y1       cost of each further record                               s

Kernels that work in blocks, caches that end and attention bend the line; how is not asked, a Gaussian process on ln b
takes up what points show above and below it, beyond their noise (planner.performance.residual).
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from planner.performance.prediction import Floats
from planner.performance.residual import LENGTHS_B, Residual, fit_correction

_BEND: Final = 0.2
"""By how much, on the log scale, a server that is not linear differs from a line."""
_NOISES: Final = (0.02, 0.05, 0.15)
"""Log standard deviations of a measured CPU time: by control group, in clock ticks, of few requests."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """y(b) = fixed + per_record · b with both >= 0, and the log standard deviation around it."""

    fixed: float
    per_record: float
    log_sd: float

    def at(self, records_per_request: Floats) -> Floats:
        """Cost y at b, elementwise."""
        return self.fixed + self.per_record * records_per_request


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """CPU seconds of a request: a line, bent where the points say so; beyond them the line."""

    line: Line
    correction: Residual
    log_sd: float
    """Spread of points left out."""

    def at(self, records_per_request: Floats) -> Floats:
        """CPU seconds at b, elementwise."""
        shift, _ = self.correction.at(np.log(np.ravel(records_per_request))[:, None])
        line = self.line.at(records_per_request)
        return np.asarray(line * np.exp(shift.reshape(np.shape(records_per_request))), dtype=np.float64)


def fit_demand(records_per_request: Floats, cpu_s: Floats) -> Demand:
    """The demand through positive CPU times; how noisy they are is what is most likely."""
    line = fit_line(records_per_request, cpu_s)
    residuals = np.log(cpu_s / np.maximum(line.at(records_per_request), np.finfo(float).tiny))
    where = np.log(records_per_request)[:, None]
    lengths = [(length,) for length in LENGTHS_B]
    fits = [fit_correction(where, np.full(len(cpu_s), noise), residuals, lengths, expected=_BEND) for noise in _NOISES]
    correction = max(fits, key=lambda fit: fit[1])[0]
    alone = np.eye(len(cpu_s), dtype=np.bool_)
    missed = np.array([residuals[fold] - correction.without(residuals, fold)[0] for fold in alone])
    return Demand(line=line, correction=correction, log_sd=_spread(np.ravel(missed)))


def fit_line(records_per_request: Floats, values: Floats) -> Line:
    """The line of least *relative* error through positive values, outliers weighted down (Huber, 1.345 sd).

    Costs of a request spread in proportion to their size (heteroscedastic), so each row is divided by its
    value; non-negative least squares keeps both coefficients physical. With one distinct b the whole cost is
    taken as proportional to b and the caller must call anything else extrapolation.
    """
    if len(np.unique(records_per_request)) == 1:
        per_record = float(np.exp(np.mean(np.log(values))) / records_per_request[0])
        return Line(fixed=0.0, per_record=per_record, log_sd=_spread(np.log(values / np.median(values))))
    design = np.stack([np.ones_like(values), records_per_request], axis=1) / values[:, None]
    scale = design.max(axis=0)
    weights = np.ones_like(values)
    coefficients = np.zeros(2)
    for _ in range(8):
        coefficients = _non_negative(design / scale * weights[:, None], weights)
        residuals = design / scale @ coefficients - 1
        limit = 1.345 * max(_spread(residuals), 1e-6)
        weights = np.sqrt(np.minimum(1.0, limit / np.maximum(np.abs(residuals), 1e-12)))
    fixed, per_record = (float(value) for value in coefficients / scale)
    fitted = np.maximum(fixed + per_record * records_per_request, np.finfo(float).tiny)
    return Line(fixed=fixed, per_record=per_record, log_sd=_spread(np.log(values / fitted)))


def _non_negative(design: Floats, target: Floats) -> Floats:
    """Least squares with two coefficients >= 0: the free solution, else the better of the two on an edge.

    The loss is convex, so where the free solution is not allowed the best allowed one has a coefficient of 0.
    """
    free = np.asarray(np.linalg.lstsq(design, target, rcond=None)[0], dtype=np.float64)
    if np.all(free >= 0):
        return free
    edges = np.diag(np.maximum(design.T @ target, 0.0) / np.sum(design**2, axis=0))
    losses = [float(np.sum((design @ edge - target) ** 2)) for edge in edges]
    return np.asarray(edges[int(np.argmin(losses))], dtype=np.float64)


def _spread(residuals: Floats) -> float:
    """Standard deviation from the median absolute deviation, which one outlier cannot move."""
    return float(1.4826 * np.median(np.abs(residuals - np.median(residuals))))
