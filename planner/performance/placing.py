"""The verb: this machine beside the benchmarked instance types, by its processor's name and by a benchmark run here."""

from collections.abc import Mapping

from planner.catalogue.instances import instance_type
from planner.documents import Document, replace
from planner.errors import ProfileError
from planner.interval import Interval
from planner.performance.benchmark_scores import WORKLOAD_CLASSES
from planner.performance.hardware import latency_ratio, throughput_ratio
from planner.performance.host_placement import place
from planner.profiling.profile import Host, Profile

REFERENCE = "ml.m5.xlarge"


class HostPlacement(Document, frozen=True, kw_only=True, tag="host_placement"):
    """Where a host stands among the benchmarked processors."""

    host: Host
    generation: str | None
    """None: not known."""
    placed_by: str
    """In words: by which name, number or benchmark."""
    relative_to: str
    thread_speed: Mapping[str, Interval]
    """By workload class: speed of one busy thread over one of that type."""
    host_speed: Mapping[str, Interval]
    """By workload class: throughput with all CPUs busy over that of the whole type."""


def placed(host: Host) -> HostPlacement:
    """The host's placement, with whatever benchmark it carries."""
    reference, placement = instance_type(REFERENCE), place(host)
    return HostPlacement(
        host=host,
        generation=placement.generation,
        placed_by=placement.words,
        relative_to=REFERENCE,
        thread_speed={name: _inverse(latency_ratio(host, reference, name)) for name in WORKLOAD_CLASSES},
        host_speed={name: _inverse(throughput_ratio(host, reference, name)) for name in WORKLOAD_CLASSES},
    )


def with_benchmark(profile: Profile, host: Host) -> Profile:
    """The profile with the benchmark that was run on this host; ProfileError where it is of another machine."""
    of_profile, here = (
        replace(each, benchmark=None, memory_bytes=0, system="", accelerators=()) for each in (profile.host, host)
    )
    if of_profile != here:
        raise ProfileError(
            f"the profile is from {profile.host.cpu_model} with {profile.host.logical_cpus} CPUs, and this machine is "
            f"{host.cpu_model} with {host.logical_cpus}: run `planner place` where the profile was measured"
        )
    return replace(profile, host=replace(profile.host, benchmark=host.benchmark))


def _inverse(ratio: Interval) -> Interval:
    return Interval(low=1 / ratio.high, mid=1 / ratio.mid, high=1 / ratio.low)
