"""Throughput against records per request and concurrency: a closed queueing network in five numbers a curve.

A server answers requests of b records from c clients that never think. Two times describe it:

    symbol   meaning                                                                  unit
    S(b)     service time: one request, alone                                         s
    Q(b)     spacing: time between completions when saturated; 1/Q bounds the rate    s
    n        sharpness >= 1: 1 is one exponential queue, large is a clock-work
    X(b, c)  completions: 1/X = ((S/c)^n + Q^n · (1 - c^-n))^(1/n)                    1/s
    d(c)     degradation, a factor of Q: 1 up to a knee, then growing linearly with c
    σ        share of the spacing that more CPUs do not shorten

At c = 1 it is S, for many requests in flight Q; with Q <= S it never exceeds the asymptotic bounds c/S and 1/Q of
operational analysis (Denning and Buzen, "The Operational Analysis of Queueing Network Models", 1978), and n = 1 is the
balanced job bound S/c + Q·(c - 1)/c (Zahorjan et al., 1982), which also describes a server that merges waiting
requests. `forms` lists which parts a candidate has; each is fitted in log space with weak priors, so that few
points still give one answer, and judged by leaving points out.
"""

from dataclasses import dataclass
from functools import lru_cache

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
    quadratic: bool = False
    """A term in b² besides (attention over all records of a request)."""
    slots: bool = False
    """Q = S / slots: nothing but a number of places limits."""
    degrading: bool = False
    """Overload costs throughput past a knee in c."""
    scaled: bool = False
    """Several CPU limits were measured: σ is fitted."""

    @property
    def names(self) -> tuple[str, ...]:
        """Parameters in the order of the vector; all are logarithms except sigma, a logit."""
        return _names(self)


@lru_cache
def _names(form: Form) -> tuple[str, ...]:
    names = ["s0", "s1", "sharpness"]
    names += ["slots"] if form.slots else ["share0", "share1"]
    names += ["knee_b", "s2"] if form.bend else []
    names += ["gamma"] if form.power else []
    names += ["s3"] if form.quadratic else []
    names += ["knee_c", "slope_c"] if form.degrading else []
    names += ["sigma"] if form.scaled else []
    return tuple(names)


@dataclass(frozen=True, slots=True, kw_only=True)
class Law:
    """One fitted form, or several of one form when parameters has two axes."""

    form: Form
    parameters: Floats
    """(parameters,), or (laws, parameters); then every answer has a leading axis of laws."""
    reference_cpus: float
    """CPUs at which Q is stated."""

    def _exp(self, name: str) -> Floats:
        """The value of a logarithmic parameter, with a last axis to broadcast along points."""
        return np.asarray(np.exp(self.parameters[..., self.form.names.index(name), None]), dtype=np.float64)

    def _parts(self, b: Floats) -> tuple[Floats, Floats]:
        """The part of S that is there for any b, and the part that grows with b."""
        if self.form.bend:
            knee = self._exp("knee_b")
            growing = self._exp("s1") * np.minimum(b, knee) + self._exp("s2") * np.maximum(b - knee, 0.0)
        elif self.form.power:
            growing = self._exp("s1") * b ** self._exp("gamma")
        else:
            growing = self._exp("s1") * b
        if self.form.quadratic:
            growing = growing + self._exp("s3") * b**2
        return self._exp("s0"), growing

    def service_time_s(self, records_per_request: Floats) -> Floats:
        """S(b)."""
        fixed, growing = self._parts(records_per_request)
        return fixed + growing

    def spacing_s(self, records_per_request: Floats) -> Floats:
        """Q(b) at the reference CPUs."""
        fixed, growing = self._parts(records_per_request)
        if self.form.slots:
            return (fixed + growing) / self._exp("slots")
        return self._exp("share0") * fixed + self._exp("share1") * growing

    @property
    def sharpness(self) -> Floats:
        """Sharpness n of the smooth minimum; the last axis has length 1."""
        return 1.0 + self._exp("sharpness")

    @property
    def serial_share(self) -> Floats:
        """σ; 0 where CPUs were not varied. The last axis has length 1."""
        odds = self._exp("sigma") if self.form.scaled else np.zeros(1)
        return odds / (1 + odds)

    def slowdown(self, concurrency: Floats) -> Floats:
        """d(c): 1 up to the knee, then growing linearly with c / knee."""
        if not self.form.degrading:
            return np.ones(1)
        return 1.0 + self._exp("slope_c") * np.maximum(concurrency / self._exp("knee_c") - 1.0, 0.0)

    def log_requests_per_s(self, points: Points) -> Floats:
        """Log completions per second, ln X, at the points."""
        b, c = points.records_per_request, points.concurrency
        spacing = self.spacing_s(b)
        if self.form.scaled:
            spacing = spacing * (self.serial_share + (1 - self.serial_share) * self.reference_cpus / points.cpus)
        return -np.log(seconds_per_request(self.service_time_s(b) / c, spacing * self.slowdown(c), c, self.sharpness))


def seconds_per_request(
    unsaturated_s: Floats, spacing_s: Floats, concurrency: Floats, sharpness: float | Floats
) -> Floats:
    """1/X from S/c, Q and c: never below either, and S itself at c = 1 (Q where Q is larger)."""
    larger = np.maximum(unsaturated_s, spacing_s)
    queueing = (spacing_s / larger) ** sharpness * (1.0 - concurrency**-sharpness)
    seconds = larger * ((unsaturated_s / larger) ** sharpness + queueing) ** (1.0 / sharpness)
    return np.asarray(np.maximum(seconds, larger), dtype=np.float64)


def forms(points: Points) -> tuple[Form, ...]:
    """The candidates that so many different records per request and concurrencies can tell apart."""
    batches, ladder = len(np.unique(points.records_per_request)), len(np.unique(points.concurrency))
    scaled = len(np.unique(points.cpus)) > 1
    candidates = [Form(scaled=scaled), Form(slots=True, scaled=scaled)]
    if batches >= 3:
        candidates += [Form(power=True, scaled=scaled), Form(quadratic=True, scaled=scaled)]
    if batches >= 4:
        candidates.append(Form(bend=True, scaled=scaled))
    if ladder >= 3:
        candidates.append(Form(degrading=True, scaled=scaled))
    if batches >= 4 and ladder >= 3 and len(points) >= 10:
        candidates.append(Form(bend=True, degrading=True, scaled=scaled))
    return tuple(candidates)
