"""Speed of an instance type relative to the profiled host or to another type, by workload class, with its spread.

A ratio's middle is that of public benchmark scores, averaged over the class's benchmarks. Its width is what single
benchmarks depart from that average when their whole suite is held out: narrow inside a processor generation, wide
across generations and sizes, because *how this workload likes each generation* is what one measurement cannot tell.

    symbol        meaning
    m_j           mean ln speed of the class on machine j (`benchmark_scores`)
    f_j           this workload's departure from it: zero mean, covariance K_jk from held-out benchmarks
    ln X_j        = a + m_j + f_j + noise; a is the workload's own level, unknown

With one measured machine i the level takes up the measurement: ln(X_j/X_i) = m_j - m_i, variance
K_ii + K_jj - 2 K_ij + noise. With more, every one has its weight (`hardware_kriging`).

All of it concerns CPUs; nothing is said about an instance's GPU or Neuron chip.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from planner.catalogue.instances import InstanceType
from planner.interval import Z90, Interval
from planner.performance.benchmark_scores import WORKLOAD_CLASSES, Busy, WorkloadClass, spread, type_speeds
from planner.performance.hardware_kriging import Seen, kriged
from planner.performance.hardware_machine import Machine, machine
from planner.profiling.profile import Host

__all__ = [
    "WORKLOAD_CLASSES",
    "Probe",
    "RelativeSpeed",
    "ScalingCurve",
    "WorkloadClass",
    "latency_ratio",
    "liking_sd",
    "relative_speed",
    "throughput_given",
    "throughput_ratio",
]

_ANCHOR_VCPUS: Final = 4.0
"""Of ml.m5.xlarge, on which the speed-up of one thread to all vCPUs is anchored."""
_DOUBTFUL: Final = frozenset({"Haswell", "Broadwell"})
"""Generations on which a real server was below its 90 % interval in 12 to 56 % of cases, with short requests and long
ones; on later Intel ones never, on AMD with the shortest (``benchmarks/hardware_pairs.py``). One server is no law: the
numbers are not changed by it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalingCurve:
    """Throughput of one instance with n busy threads, in units of one of its own threads alone.

    Straight up to the physical cores, where clocks fall a little (stress-ng div16, measured per type), and straight
    again to all vCPUs, which depends on the workload: integer division gains nothing from a second thread on the core
    of a recent processor, everyday code 20 to 40 %, memory-bound code may lose.
    """

    vcpus: int
    physical_cores: int
    at_physical_cores: float
    at_all_vcpus: float

    def at(self, threads: float) -> float:
        """Speed-up with that many busy threads, a part of one thread included; constant past all vCPUs."""
        if threads <= 1:
            return max(0.0, threads)
        knee = min(self.at_physical_cores, self.at_all_vcpus)
        if threads <= self.physical_cores:
            return 1 + (knee - 1) * (threads - 1) / (self.physical_cores - 1)
        beyond = min(threads, self.vcpus) - self.physical_cores
        return knee + (self.at_all_vcpus - knee) * beyond / (self.vcpus - self.physical_cores)


@dataclass(frozen=True, slots=True, kw_only=True)
class RelativeSpeed:
    """A target type beside the host or type that was measured."""

    latency: Interval
    """Speed of ONE busy thread on the target over one on the source: 2.0 halves the service time."""
    capacity_cores: Interval
    """Throughput of the whole target, all vCPUs busy, in units of one busy thread of the source."""
    throughput: Interval
    """Throughput of the whole target over that of the whole source, both with all vCPUs busy."""
    curve: ScalingCurve
    """How the target's throughput grows from one busy thread to all."""
    same_generation: bool
    """Whether the target's processor is of the source's generation, or a probe's: then the interval is narrow."""
    basis: str
    """In words: how the source was placed, which scores, how wide and why."""

    def capacity_at(self, threads: float) -> Interval:
        """Throughput with that many busy threads of the target, in units of one busy thread of the source.

        The middle follows `curve`; the width goes from that of `latency` at one thread to that of `capacity_cores`
        at all vCPUs, in proportion to ln(threads).
        """
        mid = self.latency.mid * self.curve.at(threads)
        if mid == 0:
            return Interval.exactly(0.0)
        share = min(1.0, max(0.0, math.log(threads) / math.log(self.curve.vcpus)))
        log_sd = (1 - share) * _log_sd(self.latency) + share * _log_sd(self.capacity_cores)
        return Interval.from_log_sd(mid, log_sd)


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """The same container measured on a second host, beside the first (`planner.performance.second_profile`)."""

    host: Host | InstanceType
    cpus: float | None = None
    """CPUs that the container had there; None: all."""
    thread_speed: float
    """Speed of one busy thread there over one on the first host."""
    capacity_cores: float | None
    """Throughput there with all its CPUs busy, in busy threads of the first host; None: they were never all busy."""
    log_sd: float
    """Of both, for what two measurements differ by."""


def relative_speed(
    host: Host | InstanceType,
    target: InstanceType,
    workload_class: WorkloadClass = "unknown",
    probes: Sequence[Probe] = (),
) -> RelativeSpeed:
    """The target beside the measured host (or, where an instance was measured, beside that type).

    `probes` are measurements of the same container on other hosts: each tells how this workload departs from its class
    there, and on machines like it. Where the profile itself shows what the host gains from all its CPUs,
    `capacity_cores` over that gain says more about the whole target than `throughput`, which must guess whether the
    host's CPUs are hyperthreads.
    """
    source, goal = machine(host, workload_class), machine(target, workload_class)
    others = [(machine(probe.host, workload_class, probe.cpus), probe) for probe in probes]
    throughput = _ratio(source, goal, workload_class, "instance")
    row = type_speeds()[target.name]
    sources = [source, *(other for other, _ in others)]
    return RelativeSpeed(
        latency=_thread(source, goal, workload_class, others),
        capacity_cores=_capacity(source, goal, workload_class, others),
        throughput=throughput,
        curve=ScalingCurve(
            vcpus=target.vcpus,
            physical_cores=target.physical_cores,
            at_physical_cores=row.speedup_at_physical_cores,
            at_all_vcpus=math.exp(goal.instance_ln - goal.thread_ln),
        ),
        same_generation=goal.own_generation in {each.own_generation for each in sources},
        basis=_basis(sources, goal, workload_class, throughput) + _caveats(target),
    )


def _caveats(target: InstanceType) -> str:
    """What the scores say nothing of, on this target."""
    said = ""
    if type_speeds()[target.name].generation in _DOUBTFUL:
        said += (
            f" {type_speeds()[target.name].generation} is doubtful: a real server that was judged ran slower there, "
            "up to 1.7 times than said; profile there before relying on it."
        )
    if target.accelerator is not None:
        said += f" Its {target.accelerator.count} x {target.accelerator.name} does not count here: CPUs only."
    return said


def latency_ratio(
    source: Host | InstanceType, target: InstanceType, workload_class: WorkloadClass = "unknown"
) -> Interval:
    """Speed of one busy thread on the target over one on the source."""
    return _ratio(machine(source, workload_class), machine(target, workload_class), workload_class, "thread")


def throughput_ratio(
    source: Host | InstanceType, target: InstanceType, workload_class: WorkloadClass = "unknown"
) -> Interval:
    """Throughput of the whole target over the whole source, all vCPUs of both busy."""
    return _ratio(machine(source, workload_class), machine(target, workload_class), workload_class, "instance")


def liking_sd(one: InstanceType, other: InstanceType, workload_class: WorkloadClass = "unknown") -> float:
    """Standard deviation of ln(throughput ratio) of two types that is of how a workload likes their generations.

    A measurement on one size of either would take it away. What sizes and single machines differ by is not in it.
    """
    known = spread(workload_class, "instance")
    a, b = ((type_speeds()[each.name].generation, _ANCHOR_VCPUS) for each in (one, other))
    return math.sqrt(max(0.0, known.variance(a, b) - 2 * known.noise)) * known.z / Z90


def throughput_given(
    measured: Sequence[tuple[Host | InstanceType, float]],
    target: InstanceType,
    workload_class: WorkloadClass = "unknown",
    *,
    measured_log_sd: float = 0.05,
) -> Interval:
    """Throughput of the whole target, given that of other machines with all vCPUs busy; unit: the measured one.

    The best linear unbiased prediction from all measurements (`hardware_kriging`): a second machine of another
    generation or size tells how this workload departs from its class there. `measured_log_sd` is the repeatability of
    a measurement; with one measurement the ratio's middle is that of `throughput_ratio`.

    Raises ValueError without measurements or with one that is not positive.
    """
    if not measured or any(throughput <= 0 for _, throughput in measured):
        raise ValueError("throughput_given needs at least one measured throughput, each above 0")
    goal = machine(target, workload_class)
    seen = [
        _seen_whole(machine(source, workload_class), math.log(throughput), measured_log_sd)
        for source, throughput in measured
    ]
    return _interval(kriged(spread(workload_class, "instance"), seen, goal.place, goal.instance_ln))


def _interval(found: tuple[float, float]) -> Interval:
    mid_ln, log_sd = found
    return Interval.from_log_sd(math.exp(mid_ln), log_sd)


def _seen_thread(
    source: Machine, value_ln: float, measured_sd: float, place: tuple[str, float], *, shared: bool = False
) -> Seen:
    return Seen(
        place=place,
        mean_ln=source.thread_ln,
        value_ln=value_ln,
        measured_sd=measured_sd,
        placed_sd=source.thread_sd,
        one_thread=shared,
    )


def _seen_whole(source: Machine, value_ln: float, measured_sd: float) -> Seen:
    return Seen(
        place=source.place,
        mean_ln=source.instance_ln,
        value_ln=value_ln,
        measured_sd=measured_sd,
        placed_sd=source.instance_sd,
    )


def _ratio(source: Machine, goal: Machine, workload_class: WorkloadClass, busy: Busy) -> Interval:
    if busy == "thread":
        return _thread(source, goal, workload_class, ())
    seen = [_seen_whole(source, 0.0, 0.0)]
    return _interval(kriged(spread(workload_class, busy), seen, goal.place, goal.instance_ln))


def _thread(
    source: Machine, goal: Machine, workload_class: WorkloadClass, others: Sequence[tuple[Machine, Probe]]
) -> Interval:
    """One busy thread of the goal over one of the source."""
    seen = [_seen_thread(source, 0.0, 0.0, source.place)]
    seen += [_seen_thread(o, math.log(probe.thread_speed), probe.log_sd, o.place) for o, probe in others]
    return _interval(kriged(spread(workload_class, "thread"), seen, goal.place, goal.thread_ln))


def _capacity(
    source: Machine, goal: Machine, workload_class: WorkloadClass, others: Sequence[tuple[Machine, Probe]]
) -> Interval:
    """The whole goal in busy threads of the source.

    The source's thread counts as a machine of the 4 vCPUs on which the speed-up of one thread to all is anchored; so
    does the thread of another host that was never kept busy as a whole.
    """
    known = spread(workload_class, "instance")
    seen = [_seen_thread(source, 0.0, 0.0, (source.place[0], _ANCHOR_VCPUS), shared=True)]
    for other, probe in others:
        if probe.capacity_cores is not None:
            seen.append(_seen_whole(other, math.log(probe.capacity_cores), probe.log_sd))
        else:
            anchor = (other.place[0], _ANCHOR_VCPUS)
            seen.append(_seen_thread(other, math.log(probe.thread_speed), probe.log_sd, anchor, shared=True))
    return _interval(kriged(known, seen, goal.place, goal.instance_ln, shared_sd=known.reference_speedup_sd))


def _log_sd(interval: Interval) -> float:
    return math.log(interval.high / interval.low) / (2 * Z90)


def _basis(sources: Sequence[Machine], goal: Machine, workload_class: WorkloadClass, throughput: Interval) -> str:
    scores = {
        "unknown": "workload class unknown: mean of CoreMark, PassMark, and one-thread scores (Geekbench 6, zstd, "
        "PassMark) times two laws of scaling with vCPUs; memory-bound benchmarks widen the interval",
        "scalar": "integer and branch code: CoreMark, PassMark CPU mark, Geekbench 6 integer workloads, zstd",
        "fp_simd": "floating-point vectors: PassMark float and SIMD tests, Geekbench 6 image and physics workloads",
        "int8_dnn": "8-bit networks: Geekbench 6 object detection, llama.cpp prompt processing",
        "mem_bandwidth": "memory bandwidth: lmbench, PassMark memory tests",
    }[workload_class]
    source, *others = sources
    across = "the same generation" if source.own_generation == goal.own_generation else "another generation"
    factor = math.sqrt(throughput.high / throughput.low)
    sharpened = "".join(f" Sharpened by a profile on {other.words}." for other in others)
    return (
        f"{source.words} -> {goal.words}. {scores}. {across.capitalize()}: 90 % of held-out benchmarks lie within "
        f"x or / {factor:.2f}.{sharpened} Public scores of bare EC2 instances; SageMaker's own overhead is not in them."
    )
