"""How wide a 90 % interval has to be: leave-one-out errors, scaled up, and wider outside the measured hull.

    symbol   meaning                                                        unit
    e        ln X measured - predicted by a model that never saw the point   1
    s        standard deviation that model claimed there                     1
    z        e / s
    h        half width of the interval on the log scale                     1

    h = sqrt((q·s)² + (1.645·u)² + (1.645·g·distance)²)

with q the factor below, u the spread of the committee's laws at the place and distance in e-folds outside the
hull. Independent parts add in quadrature.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from planner.interval import Z90
from planner.performance.points import Points
from planner.performance.prediction import Floats

INFLATION: Final = 1.35
"""Errors at unmeasured points exceed leave-one-out errors by about this much: the committee's weights and the
length scales were chosen with the left-out point in sight, and few points have heavy tails."""
GROWTH_RECORDS: Final = 0.10
GROWTH_CONCURRENCY: Final = 0.15
"""Log standard deviation added for each e-fold outside the measured hull, in b and in c."""
GROWTH_CPUS: Final = 0.06
"""Log standard deviation added for the first doubling of CPUs beyond the largest measured number; grows with the
square root of the doublings, as independent steps would. The hardware's own spread comes on top."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hull:
    """The measured ranges, as logarithms."""

    records: tuple[float, float]
    concurrency: tuple[float, float]

    @classmethod
    def of(cls, points: Points) -> "Hull":
        """The hull of measured points."""
        b, c = np.log(points.records_per_request), np.log(points.concurrency)
        return cls(records=(float(b.min()), float(b.max())), concurrency=(float(c.min()), float(c.max())))

    def outside(self, ln_b: Floats, ln_c: Floats) -> tuple[Floats, Floats]:
        """e-folds outside in records per request and in concurrency; 0 inside."""
        return _beyond(ln_b, self.records), _beyond(ln_c, self.concurrency)


def _beyond(value: Floats, limits: tuple[float, float]) -> Floats:
    return np.maximum(np.maximum(limits[0] - value, value - limits[1]), 0.0)


def inflation(errors: Floats, claimed: Floats) -> float:
    """q: what to multiply a claimed standard deviation by for the half width of a 90 % interval.

    The root mean square of z (cut at four times its median: one outlier widens, it does not decide) times the
    normal quantile times INFLATION, which shrinks to 1 as points grow many; never below the normal quantile.
    """
    z = np.abs(errors / claimed)
    cut = np.minimum(z, 4 * np.median(z))
    few = 1 + (INFLATION - 1) * float(np.sqrt(min(1.0, 12 / len(z))))
    return Z90 * few * max(1.0, float(np.sqrt(np.mean(cut**2))))


def half_width(*, factor: float, claimed: Floats, spread: Floats, outside: tuple[Floats, Floats]) -> Floats:
    """h, elementwise."""
    return np.sqrt(
        (factor * claimed) ** 2
        + Z90**2 * (spread**2 + (GROWTH_RECORDS * outside[0]) ** 2 + (GROWTH_CONCURRENCY * outside[1]) ** 2)
    )
