"""Which class of workload a profiled container is: given, inferred from its model's files, or unknown.

A profile holds CPU seconds, memory and threads; none of these tells vector code from integer code. Counters would, but
a virtual machine rarely shows them, and Linux's per-task AVX-512 timestamp also moves for copying strings. What does
tell something is the model itself, where it still stands on this machine as it was profiled (`model_files`): which
arithmetic its inference needs. Whether that is where the CPU time goes, and not into parsing, it does not tell. So an
inferred class moves the middle of an interval and never its ends inward: the interval is the hull of the class's own
and that of an unknown class, and covers whatever the unknown class's covers.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from planner.catalogue.instances import InstanceType
from planner.interval import Interval
from planner.performance.benchmark_scores import WorkloadClass
from planner.performance.hardware import Probe, RelativeSpeed, relative_speed
from planner.performance.model_files import Evidence, evidence_of
from planner.profiling.profile import Host, Profile

_WIDE: Final = "all classes widen the interval, but 8-bit networks gain more from newer processors than it says"
"""Of held-out 8-bit networks 58 % lie inside the interval of an unknown class, of other code 96 % and more: VNNI and
AMX multiply their speed by up to 7 from one generation to the next (``benchmarks/hardware_classes.py``)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Classified:
    """A workload class and where it is known from."""

    workload_class: WorkloadClass
    inferred: bool
    """From the model's files: its intervals are widened."""
    words: str

    def relative_speed(self, host: Host, target: InstanceType, probes: Sequence[Probe] = ()) -> RelativeSpeed:
        """The target beside the host under this class."""
        named = relative_speed(host, target, self.workload_class, probes)
        if not self.inferred:
            return named
        unknown = relative_speed(host, target, "unknown", probes)
        return replace(
            named,
            latency=_hull(named.latency, unknown.latency),
            capacity_cores=_hull(named.capacity_cores, unknown.capacity_cores),
            throughput=_hull(named.throughput, unknown.throughput),
        )


def classified(profile: Profile, given: WorkloadClass | None = None) -> Classified:
    """The class that was given, else the one that the profiled model's files show, else unknown."""
    if given is not None:
        words = f"{given} (given)." if given != "unknown" else f"unknown (given): {_WIDE}."
        return Classified(workload_class=given, inferred=False, words=words)
    found = _evidence(profile.container.backend, profile.container.target, profile.container.digest)
    if found.workload_class is None:
        words = f"unknown ({found.words}): {_WIDE}; --workload-class says which it is."
        return Classified(workload_class="unknown", inferred=False, words=words)
    words = f"{found.workload_class}, inferred from {found.words}; the interval is that of an unknown class and wider."
    return Classified(workload_class=found.workload_class, inferred=True, words=words)


@functools.lru_cache(maxsize=8)
def _evidence(backend: str, target: str, digest: str | None) -> Evidence:
    if backend != "model-dir" or digest is None:
        return Evidence(workload_class=None, words="no model's files to infer it from")
    return evidence_of(target, digest)


def _hull(one: Interval, other: Interval) -> Interval:
    return Interval(low=min(one.low, other.low), mid=one.mid, high=max(one.high, other.high))
