"""Speed of an instance type relative to the profiled host or to another type, by workload class, with its spread.

A ratio's middle is that of public benchmark scores, averaged over the class's benchmarks. Its width is what single
benchmarks depart from that average when their whole suite is held out: narrow inside a processor generation, wide
across generations and sizes, because *how this workload likes each generation* is what one measurement cannot tell.

    symbol        meaning
    m_j           mean ln speed of the class on machine j (`benchmark_scores`)
    f_j           this workload's departure from it: zero mean, covariance K_jk from held-out benchmarks
    ln X_j        = a + m_j + f_j + noise; a is the workload's own level, unknown

With one measured machine i the level takes up the measurement: ln(X_j/X_i) = m_j - m_i, variance
K_ii + K_jj - 2 K_ij + noise. With more, `throughput_given` conditions on all of them (ordinary kriging).

All of it concerns CPUs; nothing is said about an instance's GPU or Neuron chip.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from planner.catalogue.instances import InstanceType
from planner.interval import Z90, Interval
from planner.performance.benchmark_scores import WORKLOAD_CLASSES, Busy, WorkloadClass, spread, type_speeds
from planner.performance.host_placement import Placement, hyperthread_gap_ln, place
from planner.profiling.profile import Host

__all__ = [
    "WORKLOAD_CLASSES",
    "RelativeSpeed",
    "ScalingCurve",
    "WorkloadClass",
    "latency_ratio",
    "relative_speed",
    "throughput_given",
    "throughput_ratio",
]


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
    """Whether source and target have processors of one generation: then the interval is narrow."""
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


def relative_speed(
    host: Host | InstanceType, target: InstanceType, workload_class: WorkloadClass = "unknown"
) -> RelativeSpeed:
    """The target beside the measured host (or, where an instance was measured, beside that type).

    Where the profile itself shows what the host gains from all its CPUs, `capacity_cores` over that gain says more
    about the whole target than `throughput`, which must guess whether the host's CPUs are hyperthreads.
    """
    source, goal = _machine(host, workload_class), _machine(target, workload_class)
    latency = _ratio(source, goal, workload_class, "thread")
    throughput = _ratio(source, goal, workload_class, "instance")
    row = type_speeds()[target.name]
    return RelativeSpeed(
        latency=latency,
        capacity_cores=_capacity(source, goal, workload_class),
        throughput=throughput,
        curve=ScalingCurve(
            vcpus=target.vcpus,
            physical_cores=target.physical_cores,
            at_physical_cores=row.speedup_at_physical_cores,
            at_all_vcpus=math.exp(goal.instance_ln - goal.thread_ln),
        ),
        same_generation=source.own_generation == goal.own_generation,
        basis=_basis(source, goal, workload_class, throughput),
    )


def latency_ratio(
    source: Host | InstanceType, target: InstanceType, workload_class: WorkloadClass = "unknown"
) -> Interval:
    """Speed of one busy thread on the target over one on the source."""
    return _ratio(_machine(source, workload_class), _machine(target, workload_class), workload_class, "thread")


def throughput_ratio(
    source: Host | InstanceType, target: InstanceType, workload_class: WorkloadClass = "unknown"
) -> Interval:
    """Throughput of the whole target over the whole source, all vCPUs of both busy."""
    return _ratio(_machine(source, workload_class), _machine(target, workload_class), workload_class, "instance")


def throughput_given(
    measured: Sequence[tuple[Host | InstanceType, float]],
    target: InstanceType,
    workload_class: WorkloadClass = "unknown",
    *,
    measured_log_sd: float = 0.05,
) -> Interval:
    """Throughput of the whole target, given that of other machines with all vCPUs busy; unit: the measured one.

    The best linear unbiased prediction from all measurements (ordinary kriging): a second machine of another
    generation or size tells how this workload departs from its class there. `measured_log_sd` is the repeatability of
    a measurement; with one measurement the ratio's middle is that of `throughput_ratio`.

    Raises ValueError without measurements or with one that is not positive.
    """
    import numpy as np

    if not measured or any(throughput <= 0 for _, throughput in measured):
        raise ValueError("throughput_given needs at least one measured throughput, each above 0")
    known = spread(workload_class, "instance")
    machines = [_machine(source, workload_class) for source, _ in measured]
    goal = _machine(target, workload_class)
    own = np.array([known.noise + measured_log_sd**2 + each.instance_sd**2 for each in machines])
    among = np.array([[known.covariance(a.place, b.place) for b in machines] for a in machines]) + np.diag(own)
    towards = np.array([known.covariance(each.place, goal.place) for each in machines])
    excess = np.array([math.log(throughput) for _, throughput in measured]) - [each.instance_ln for each in machines]
    # Weights that sum to one, whatever the workload's own level: the last unknown is the Lagrange multiplier.
    count = len(machines)
    system = np.zeros((count + 1, count + 1))
    system[:count, :count] = among
    system[count, :count] = system[:count, count] = 1.0
    solution = np.linalg.solve(system, np.append(towards, 1.0))
    weights, multiplier = solution[:count], float(solution[count])
    variance = known.covariance(goal.place, goal.place) + known.noise - float(weights @ towards) - multiplier
    mid = math.exp(goal.instance_ln + float(weights @ excess))
    return Interval.from_log_sd(mid, math.sqrt(max(variance, known.noise)) * known.z / Z90)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Machine:
    """A host or type as the equations see it."""

    own_generation: str | None
    place: tuple[str, float]
    """(generation, vCPUs) whose benchmark covariance applies."""
    thread_ln: float
    instance_ln: float
    thread_sd: float
    """Of thread_ln, for not knowing exactly what the machine is."""
    instance_sd: float
    words: str


def _machine(machine: Host | InstanceType, workload_class: WorkloadClass) -> _Machine:
    if isinstance(machine, InstanceType):
        row = type_speeds()[machine.name]
        return _Machine(
            own_generation=row.generation,
            place=(row.generation, machine.vcpus),
            thread_ln=row.ln[workload_class, "thread"],
            instance_ln=row.ln[workload_class, "instance"],
            thread_sd=0.0,
            instance_sd=0.0,
            words=f"{machine.name} ({row.generation}, {machine.vcpus} vCPUs)",
        )
    placement = place(machine)
    thread_ln = placement.thread_ln(workload_class)
    placed_sd = placement.placement_sd(workload_class)
    if machine.logical_cpus == 1:
        instance_ln, shift, gap_sd = thread_ln, 0.0, 0.0
    else:
        paired = min(
            placement.instance_ln(workload_class, machine.logical_cpus), thread_ln + math.log(machine.logical_cpus)
        )
        instance_ln = max(paired, thread_ln)
        shift, gap_sd = hyperthread_gap_ln(machine, placement, instance_ln, thread_ln)
    return _Machine(
        own_generation=placement.generation,
        # A host of unknown generation borrows the covariance of the middle one; placed_sd carries what is not known.
        place=(placement.nearest_generation or "Ice Lake", machine.logical_cpus),
        thread_ln=thread_ln,
        instance_ln=instance_ln + shift,
        thread_sd=placed_sd,
        instance_sd=math.hypot(placed_sd, gap_sd),
        words=_host_words(machine, placement, gap_sd),
    )


def _host_words(host: Host, placement: Placement, gap_sd: float) -> str:
    hidden = "; whether its CPUs are cores or hyperthreads is hidden, which widens whole-machine ratios"
    return f"host with {host.logical_cpus} CPUs: {placement.words}{hidden if gap_sd else ''}"


def _ratio(source: _Machine, goal: _Machine, workload_class: WorkloadClass, busy: Busy) -> Interval:
    known = spread(workload_class, busy)
    if busy == "thread":
        log_ratio, placed_sd = goal.thread_ln - source.thread_ln, math.hypot(source.thread_sd, goal.thread_sd)
    else:
        log_ratio, placed_sd = goal.instance_ln - source.instance_ln, math.hypot(source.instance_sd, goal.instance_sd)
    benchmark_sd = math.sqrt(known.variance(source.place, goal.place)) * known.z / Z90
    return Interval.from_log_sd(math.exp(log_ratio), math.hypot(benchmark_sd, placed_sd))


def _capacity(source: _Machine, goal: _Machine, workload_class: WorkloadClass) -> Interval:
    """The whole goal in busy threads of the source.

    Its width is that of a whole-machine ratio from the 4 vCPUs on which the speed-up of one thread to all is anchored,
    and of that anchor.
    """
    known = spread(workload_class, "instance")
    anchor = (source.place[0], 4.0)
    variance = known.variance(anchor, goal.place) + known.reference_speedup_sd**2
    log_sd = math.hypot(math.sqrt(variance) * known.z / Z90, source.thread_sd)
    return Interval.from_log_sd(math.exp(goal.instance_ln - source.thread_ln), log_sd)


def _log_sd(interval: Interval) -> float:
    return math.log(interval.high / interval.low) / (2 * Z90)


def _basis(source: _Machine, goal: _Machine, workload_class: WorkloadClass, throughput: Interval) -> str:
    scores = {
        "unknown": "workload class unknown: mean of CoreMark, PassMark, and one-thread scores (Geekbench 6, zstd, "
        "PassMark) times two laws of scaling with vCPUs; memory-bound benchmarks widen the interval",
        "scalar": "integer and branch code: CoreMark, PassMark CPU mark, Geekbench 6 integer workloads, zstd",
        "fp_simd": "floating-point vectors: PassMark float and SIMD tests, Geekbench 6 image and physics workloads",
        "int8_dnn": "8-bit networks: Geekbench 6 object detection, llama.cpp prompt processing",
        "mem_bandwidth": "memory bandwidth: lmbench, PassMark memory tests",
    }[workload_class]
    across = "the same generation" if source.own_generation == goal.own_generation else "another generation"
    factor = math.sqrt(throughput.high / throughput.low)
    return (
        f"{source.words} -> {goal.words}. {scores}. {across.capitalize()}: 90 % of held-out benchmarks lie within "
        f"x or / {factor:.2f}. Public scores of bare EC2 instances; SageMaker's own overhead is not in them."
    )
