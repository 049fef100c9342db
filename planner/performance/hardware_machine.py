"""A host or an instance type as the equations of `planner.performance.hardware` see it."""

import math
from dataclasses import dataclass

from planner.catalogue.instances import InstanceType
from planner.documents import replace
from planner.performance.benchmark_scores import WorkloadClass, type_speeds
from planner.performance.host_placement import Placement, hyperthread_gap_ln, place
from planner.profiling.profile import Host


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Mean log speeds of one machine under one workload class, relative to one thread of ml.m5.xlarge."""

    own_generation: str | None
    place: tuple[str, float]
    """(generation, vCPUs) whose benchmark covariance applies."""
    thread_ln: float
    instance_ln: float
    thread_sd: float
    """Of thread_ln, for not knowing exactly what the machine is."""
    instance_sd: float
    words: str


def machine(known: Host | InstanceType, workload_class: WorkloadClass, cpus: float | None = None) -> Machine:
    """The machine; of a host only `cpus` of its CPUs, where a container was held to fewer."""
    if isinstance(known, InstanceType):
        return _of_type(known, workload_class)
    if cpus is not None and round(cpus) < known.logical_cpus:
        # Which CPUs of a host are siblings on one core is not recorded: of a part of them nothing is known.
        known = replace(known, logical_cpus=max(1, round(cpus)), physical_cores=None, benchmark=None)
    return _of_host(known, workload_class)


def _of_type(kind: InstanceType, workload_class: WorkloadClass) -> Machine:
    row = type_speeds()[kind.name]
    return Machine(
        own_generation=row.generation,
        place=(row.generation, kind.vcpus),
        thread_ln=row.ln[workload_class, "thread"],
        instance_ln=row.ln[workload_class, "instance"],
        thread_sd=0.0,
        instance_sd=0.0,
        words=f"{kind.name} ({row.generation}, {kind.vcpus} vCPUs)",
    )


def _of_host(host: Host, workload_class: WorkloadClass) -> Machine:
    placement = place(host)
    thread_ln = placement.thread_ln(workload_class)
    placed_sd = placement.placement_sd(workload_class)
    if host.logical_cpus == 1:
        instance_ln, shift, gap_sd = thread_ln, 0.0, 0.0
    else:
        paired = min(placement.instance_ln(workload_class, host.logical_cpus), thread_ln + math.log(host.logical_cpus))
        instance_ln = max(paired, thread_ln)
        shift, gap_sd = hyperthread_gap_ln(host, placement, instance_ln, thread_ln)
    return Machine(
        own_generation=placement.generation,
        # A host of unknown generation borrows the covariance of the middle one; placed_sd carries what is not known.
        place=(placement.nearest_generation or "Ice Lake", host.logical_cpus),
        thread_ln=thread_ln,
        instance_ln=instance_ln + shift,
        thread_sd=placed_sd,
        instance_sd=math.hypot(placed_sd, gap_sd),
        words=_host_words(host, placement, gap_sd),
    )


def _host_words(host: Host, placement: Placement, gap_sd: float) -> str:
    hidden = gap_sd and placement.cores_share is None
    unknown = "; whether its CPUs are cores or hyperthreads is hidden, which widens whole-machine ratios"
    return f"host with {host.logical_cpus} CPUs: {placement.words}{unknown if hidden else ''}"
