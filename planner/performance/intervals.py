"""How wide a 90 % interval has to be: leave-one-out errors, scaled up, and wider outside the measured hull.

    symbol   meaning                                                                          unit
    e        ln X measured - predicted by a model that never saw the point                    1
    s        standard deviation that model claimed there                                      1
    z        e / s, for points left out alone, those at the hull's corners excepted           1
    u        spread of the committee's laws at the place                                      1
    d, g     distance to the nearest measured value in ln b or ln c; error for each e-fold of it
    h        half width of the interval on the log scale                                      1

    a        half width for what other programs did to the points nearby: see `shared_doubt`          1
    o        half width for what the machine did to all points of the session: see `session_doubt`    1

    h = sqrt((q·s)² + 1.645² · (u² + (g_b·d_b)² + (g_c·d_c)² + (growth·distance outside)²) + a² + o²)

with q the factor below. g is measured by leaving out all points of an inner value: what a bend that falls between
two measured values costs shows there and nowhere else. Independent parts add in quadrature.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from planner.interval import Z90
from planner.performance.prediction import Floats

INFLATION: Final = 1.25
"""Errors at unmeasured points exceed leave-one-out errors by about this much at twelve points: the committee's
weights and the length scales were chosen with the left-out point in sight, and few points have heavy tails.
Set on twelve simulated servers, so that nine in ten of their held-out points are covered."""
GROWTH_RECORDS: Final = 0.10
GROWTH_CONCURRENCY: Final = 0.15
"""Log standard deviation added for each e-fold outside the measured hull, in b and in c."""
UNKNOWN_GAP: Final = 0.02
"""g where an axis has no inner value to leave out."""
GROWTH_CPUS: Final = 0.06
"""Log standard deviation added for the first doubling of CPUs beyond the largest measured number; grows with the
square root of the doublings, as independent steps would. The hardware's own spread comes on top."""
REACH_RECORDS: Final = 3.0
REACH_CONCURRENCY: Final = 0.3
"""e-folds over which a quiet point settles what was lost at others: what one request in flight could have used says
little about eight."""
_SETTLED: Final = 0.05
"""Log half width below which a point counts as quiet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """One measured axis, b or c, on the log scale."""

    values: Floats
    """Distinct measured values, ascending."""
    gap: float
    """g: log error for each e-fold to the nearest measured value."""
    growth: float
    """Log standard deviation for each e-fold outside."""

    def outside(self, value: Floats) -> Floats:
        """e-folds outside the measured range; 0 inside."""
        beyond = np.maximum(self.values[0] - value, value - self.values[-1])
        return np.asarray(np.maximum(beyond, 0.0), dtype=np.float64)

    def variance(self, value: Floats) -> Floats:
        """Log variance for being between or outside the measured values."""
        inside = np.clip(value, self.values[0], self.values[-1])
        nearest = np.min(np.abs(inside[..., None] - self.values), axis=-1)
        return np.asarray((self.gap * nearest) ** 2 + (self.growth * self.outside(value)) ** 2, dtype=np.float64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hull:
    """The measured ranges."""

    records: Axis
    concurrency: Axis


def gap_error(values: Floats, folds: Sequence[tuple[float, Floats]]) -> float:
    """The g of one axis: root mean square, over inner values left out, of the error over the e-folds to the next one.

    folds: (value left out, errors of its points).
    """
    if not folds:
        return UNKNOWN_GAP
    squares = []
    for value, errors in folds:
        others = values[values != value]
        squares.append(float(np.mean(errors**2)) / float(np.min(np.abs(others - value))) ** 2)
    return float(np.sqrt(np.mean(squares)))


def inflation(errors: Floats, claimed: Floats) -> float:
    """q: what to multiply a claimed standard deviation by for the half width of a 90 % interval.

    The root mean square of z (cut at four times its median: one outlier widens, it does not decide) times the
    normal quantile times INFLATION, which shrinks to 1 as points grow many; never below the normal quantile.
    """
    z = np.abs(errors / claimed)
    cut = np.minimum(z, 4 * np.median(z))
    few = 1 + (INFLATION - 1) * float(np.sqrt(min(1.0, 12 / len(z))))
    return Z90 * few * max(1.0, float(np.sqrt(np.mean(cut**2))))


def shared_doubt(widths: Floats, ln_b: Floats, ln_c: Floats, points_b: Floats, points_c: Floats) -> Floats:
    """a: harmonic mean square of the points' own half widths, the nearer the more.

    What a point is thought to have lost to other programs is wrong in the same direction for all points that they
    disturbed alike, so points do not average it out; but one quiet point nearby settles it.
    """
    near = _nearness(ln_b, ln_c, points_b, points_c)
    mean = near @ (1 / (widths**2 + _SETTLED**2))
    return np.asarray(np.sqrt(np.maximum(1 / mean - _SETTLED**2, 0.0)), dtype=np.float64)


def session_doubt(log_sds: Floats, ln_b: Floats, ln_c: Floats, points_b: Floats, points_c: Floats) -> Floats:
    """o: mean square of what the points nearby, and with them all others of the session, are off by together.

    No error at a point left out shows it, since it moves those kept as well.
    """
    near = _nearness(ln_b, ln_c, points_b, points_c)
    return np.asarray(Z90 * np.sqrt(near @ log_sds**2), dtype=np.float64)


def _nearness(ln_b: Floats, ln_c: Floats, points_b: Floats, points_c: Floats) -> Floats:
    """Weights of the points at each place, with the sum 1."""
    near = np.exp(
        -np.abs(ln_b[:, None] - points_b[None, :]) / REACH_RECORDS
        - np.abs(ln_c[:, None] - points_c[None, :]) / REACH_CONCURRENCY
    )
    return np.asarray(near / near.sum(axis=1, keepdims=True), dtype=np.float64)


def half_width(*, factor: float, claimed: Floats, spread: Floats, hull: Hull, ln_b: Floats, ln_c: Floats) -> Floats:
    """h, elementwise."""
    apart = hull.records.variance(ln_b) + hull.concurrency.variance(ln_c)
    return np.sqrt((factor * claimed) ** 2 + Z90**2 * (spread**2 + apart))
