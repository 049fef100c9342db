"""What the performance model answers: columns for the search, one row of intervals for people."""

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from planner.documents import Document, Value
from planner.interval import Interval

Floats: TypeAlias = NDArray[np.float64]

Bottleneck: TypeAlias = Literal[
    "service time",
    "cpu",
    "workers",
    "concurrency",
    "serial section",
    "waiting",
    "network",
    "start-up",
    "largest object",
]
"""What limits: one request at a time; CPU time; worker processes; requests in flight; a lock or interpreter
lock; waiting on something else; the network; the job's fixed start-up; one object too large to share out."""

BOTTLENECKS: tuple[Bottleneck, ...] = get_args(Bottleneck)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """A column of intervals: three arrays of one shape, low <= mid <= high elementwise, 90 % unless said."""

    low: Floats
    mid: Floats
    high: Floats

    def at(self, index: tuple[int, ...]) -> Interval:
        """The interval at one index, as Python floats."""
        return Interval(low=float(self.low[index]), mid=float(self.mid[index]), high=float(self.high[index]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Predictions for many points at once; every array has the broadcast shape of the question."""

    throughput_records_per_s: Bounds
    """Of one instance, in the steady state, with `concurrency` requests always in flight."""
    latency_s: Bounds
    """Mean latency of one request at that concurrency."""
    latency_p99_s: Bounds
    """99th percentile of latency: what time-outs must exceed."""
    cpu_s_per_record: Bounds
    memory_bytes: Bounds
    """Peak memory of the container; `high` is what an instance must have room for. NaN where the profile
    could not see memory."""
    bottleneck: NDArray[np.int8]
    """Index into BOTTLENECKS."""
    extrapolated: NDArray[np.bool_]
    """True outside the measured hull (records per request, concurrency per worker, CPUs)."""


class Term(Value, frozen=True, kw_only=True):
    """One number that a prediction is made of."""

    name: str
    value: float
    unit: str
    meaning: str


class Prediction(Document, frozen=True, kw_only=True, tag="prediction"):
    """One predicted point."""

    records_per_request: int
    concurrency: int
    instance_type: str | None
    """None: the profiled host itself."""
    cpus: float
    workers: int | None
    throughput_records_per_s: Interval
    latency_s: Interval
    """Mean latency of one request."""
    latency_p99_s: Interval
    cpu_s_per_record: Interval | None
    memory_bytes: Interval | None
    bottleneck: Bottleneck
    extrapolated: bool
    regime: str
    """In words: which sides of the measured hull the point lies beyond, if any."""
    terms: tuple[Term, ...] = ()
    """What the numbers are made of, for a reader who checks them by hand."""
    warnings: tuple[str, ...] = ()
