"""A quantity that is not known exactly: what it is most likely, and between which bounds.

    symbol   meaning
    low      5th percentile (unless the field that holds it says otherwise)
    mid      best single estimate: the one that totals and choices use
    high     95th percentile

Independent relative errors add in quadrature on the log scale, which is where throughput and speed
ratios are close to symmetric: sd(ln xy)^2 = sd(ln x)^2 + sd(ln y)^2.
"""

import math

from planner.documents import Value

Z90 = 1.6448536269514722
"""Standard normal quantile at 0.95: half the width of a central 90 % interval, in standard deviations."""


class Interval(Value, frozen=True, kw_only=True):
    """A 90 % prediction interval, low <= mid <= high, in the unit of the field that holds it."""

    low: float
    mid: float
    high: float

    def __post_init__(self) -> None:
        if not (self.low <= self.mid <= self.high):
            raise ValueError(f"an interval needs low <= mid <= high, not {self.low}, {self.mid}, {self.high}")
        if not (math.isfinite(self.low) and math.isfinite(self.high)):
            raise ValueError(f"an interval has finite bounds, not {self.low}, {self.high}")

    @classmethod
    def exactly(cls, value: float) -> "Interval":
        """A quantity known without error."""
        return cls(low=value, mid=value, high=value)

    @classmethod
    def from_log_sd(cls, mid: float, log_sd: float) -> "Interval":
        """The 90 % interval of a log-normal quantity with median ``mid`` > 0 and ``sd(ln x) = log_sd``."""
        factor = math.exp(Z90 * log_sd)
        return cls(low=mid / factor, mid=mid, high=mid * factor)

    def scaled(self, factor: float) -> "Interval":
        """The quantity times an exactly known factor >= 0."""
        return Interval(low=self.low * factor, mid=self.mid * factor, high=self.high * factor)

    def plus(self, other: "Interval") -> "Interval":
        """The sum, bounds added outright: exact for errors that move together, cautious otherwise."""
        return Interval(low=self.low + other.low, mid=self.mid + other.mid, high=self.high + other.high)

    def times(self, other: "Interval") -> "Interval":
        """The product of two positive quantities with independent relative errors."""
        mid = self.mid * other.mid
        down = math.hypot(math.log(self.mid / self.low), math.log(other.mid / other.low))
        up = math.hypot(math.log(self.high / self.mid), math.log(other.high / other.mid))
        return Interval(low=mid / math.exp(down), mid=mid, high=mid * math.exp(up))

    def overlaps(self, other: "Interval") -> bool:
        """Whether the two intervals share a value: then neither is shown to be smaller."""
        return self.low <= other.high and other.low <= self.high
