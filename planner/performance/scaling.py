"""Throughput against records per request and concurrency: a closed queueing network in five numbers a curve.

A server answers requests of b records from c clients that never think. Two times describe it:

    symbol   meaning                                                                  unit
    S(b)     service time: one request, alone                                         s
    Q(b)     spacing: time between completions when saturated; 1/Q bounds the rate    s
    n        sharpness >= 1: 1 is one exponential queue, large is a clock-work
    X(b, c)  completions: 1/X = (((S/c)^n + Q^n)^(1/n)) · d(c)                        1/s
    d(c)     degradation: 1 up to a knee, then growing linearly with c
    σ        share of the spacing that more CPUs do not shorten

X never exceeds the asymptotic bounds c/S and 1/Q of operational analysis (Denning and Buzen, "The
Operational Analysis of Queueing Network Models", 1978); with n = 1 and a small fixed part it is the throughput
of a server that merges waiting requests. `forms` lists which parts a candidate has; each is fitted in log space
with weak priors, so that few points still give one answer, and judged by leaving points out.
"""

from dataclasses import dataclass

import numpy as np

from planner.performance.points import Points
from planner.performance.prediction import Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """Which parts a candidate has."""

    bend: bool = False
    """Two slopes against b with a knee (kernels that saturate, caches that end)."""
    power: bool = False
    """S grows as b^γ with γ near 1 (attention, intra-op threads)."""
    slots: bool = False
    """Q = S / slots: nothing but a number of places limits."""
    degrading: bool = False
    """Overload costs throughput past a knee in c."""
    scaled: bool = False
    """Several CPU limits were measured: σ is fitted."""

    @property
    def names(self) -> tuple[str, ...]:
        """Parameters in the order of the vector; all are logarithms except where noted."""
        names = ["s0", "s1", "sharpness"]
        names += ["slots"] if self.slots else ["share0", "share1"]
        names += ["knee_b", "s2"] if self.bend else []
        names += ["gamma"] if self.power else []
        names += ["knee_c", "slope_c"] if self.degrading else []
        names += ["sigma"] if self.scaled else []
        return tuple(names)


@dataclass(frozen=True, slots=True, kw_only=True)
class Law:
    """One fitted form."""

    form: Form
    parameters: Floats
    reference_cpus: float
    """CPUs at which Q is stated."""

    def _value(self, name: str) -> float:
        return float(self.parameters[self.form.names.index(name)])

    def _parts(self, b: Floats) -> tuple[Floats, Floats]:
        """The part of S that is there for any b, and the part that grows with b."""
        fixed, slope = float(np.exp(self._value("s0"))), float(np.exp(self._value("s1")))
        if self.form.bend:
            knee = np.exp(self._value("knee_b"))
            growing = slope * np.minimum(b, knee) + np.exp(self._value("s2")) * np.maximum(b - knee, 0.0)
        elif self.form.power:
            growing = slope * b ** np.exp(self._value("gamma"))
        else:
            growing = slope * b
        return np.full_like(b, fixed), np.asarray(growing, dtype=np.float64)

    def service_time_s(self, records_per_request: Floats) -> Floats:
        """S(b)."""
        fixed, growing = self._parts(records_per_request)
        return fixed + growing

    def spacing_s(self, records_per_request: Floats) -> Floats:
        """Q(b) at the reference CPUs."""
        fixed, growing = self._parts(records_per_request)
        if self.form.slots:
            return (fixed + growing) / float(np.exp(self._value("slots")))
        return float(np.exp(self._value("share0"))) * fixed + float(np.exp(self._value("share1"))) * growing

    @property
    def sharpness(self) -> float:
        """Sharpness n of the smooth minimum."""
        return 1.0 + float(np.exp(self._value("sharpness")))

    @property
    def serial_share(self) -> float:
        """σ; 0 where CPUs were not varied."""
        return float(1 / (1 + np.exp(-self._value("sigma")))) if self.form.scaled else 0.0

    @property
    def knee(self) -> tuple[float, float]:
        """Concurrency where degradation begins and its growth per knee; (inf, 0) without."""
        if not self.form.degrading:
            return np.inf, 0.0
        return float(np.exp(self._value("knee_c"))), float(np.exp(self._value("slope_c")))

    def log_requests_per_s(self, points: Points) -> Floats:
        """Log completions per second, ln X, at the points."""
        b, c = points.records_per_request, points.concurrency
        spacing = self.spacing_s(b)
        if self.form.scaled:
            cpus = self.reference_cpus / points.cpus
            spacing = spacing * (self.serial_share + (1 - self.serial_share) * cpus)
        return -np.log(
            seconds_per_request(self.service_time_s(b) / c, spacing, self.sharpness) * slowdown(c, self.knee)
        )


def seconds_per_request(unsaturated_s: Floats, spacing_s: Floats, sharpness: float) -> Floats:
    """1/X from S/c and Q: their n-norm, never below either."""
    larger = np.maximum(unsaturated_s, spacing_s)
    ratio = np.minimum(unsaturated_s, spacing_s) / larger
    return larger * (1.0 + ratio**sharpness) ** (1.0 / sharpness)


def slowdown(concurrency: Floats, knee: tuple[float, float]) -> Floats:
    """d(c): 1 up to the knee, then growing linearly with c / knee."""
    at, slope = knee
    return 1.0 + slope * np.maximum(concurrency / at - 1.0, 0.0)


def forms(points: Points) -> tuple[Form, ...]:
    """The candidates that so many different records per request and concurrencies can tell apart."""
    batches, ladder = len(np.unique(points.records_per_request)), len(np.unique(points.concurrency))
    scaled = len(np.unique(points.cpus)) > 1
    candidates = [Form(scaled=scaled), Form(slots=True, scaled=scaled)]
    if batches >= 3:
        candidates.append(Form(power=True, scaled=scaled))
    if batches >= 4:
        candidates.append(Form(bend=True, scaled=scaled))
    if ladder >= 3:
        candidates.append(Form(degrading=True, scaled=scaled))
    if batches >= 4 and ladder >= 3 and len(points) >= 10:
        candidates.append(Form(bend=True, degrading=True, scaled=scaled))
    return tuple(candidates)
