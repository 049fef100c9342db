"""How fast each instance type runs each class of workload, and how far a workload departs from its class.

The tables are computed from public benchmark scores by ``benchmarks/hardware_tables.py``; its head explains the method.

    symbol             meaning
    thread, instance   what is busy: one thread, or all vCPUs of the instance
    ln speed           natural log of throughput, relative to one busy thread of ml.m5.xlarge
    s, h               ln(vCPUs / 8); max(0, ln(vCPUs / 32))
"""

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, get_args

from planner.catalogue.tables import CC_BY_SA, rows

WorkloadClass: TypeAlias = Literal["scalar", "fp_simd", "int8_dnn", "mem_bandwidth", "unknown"]
"""What the container's CPU time goes into: everyday integer and branch code (parsing, trees, interpreters);
floating-point vectors (most float32 inference); 8-bit networks that use VNNI or AMX; streaming more memory than the
caches hold; or not known, which mixes the others and has the wider interval."""

WORKLOAD_CLASSES: Final[tuple[WorkloadClass, ...]] = get_args(WorkloadClass)

Busy: TypeAlias = Literal["thread", "instance"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Variance components of what one workload adds to the mean speeds of its class, in squared logs."""

    generation: Mapping[tuple[str, str], float]
    """Covariance between processor generations; both orders of a pair are present."""
    size: float
    generation_size: float
    large: float
    generation_large: float
    noise: float
    """Per machine: mixed fleets, neighbours, run to run."""
    z: float
    """Multiple of the standard deviation that covered 90 % of held-out benchmark suites."""
    reference_speedup_sd: float
    """Of ln(all vCPUs busy / one thread busy) of ml.m5.xlarge."""

    def covariance(self, one: tuple[str, float], other: tuple[str, float]) -> float:
        """Between the departures on two machines, each (generation, vCPUs), without their noise.

        Only differences mean something: departures are known up to a constant.
        """
        (generation, vcpus), (other_generation, other_vcpus) = one, other
        sizes = math.log(vcpus / 8) * math.log(other_vcpus / 8)
        large = max(0.0, math.log(vcpus / 32)) * max(0.0, math.log(other_vcpus / 32))
        shared = self.size * sizes + self.large * large
        if generation == other_generation:
            shared += self.generation_size * sizes + self.generation_large * large
        return shared + self.generation[generation, other_generation]

    def variance(self, one: tuple[str, float], other: tuple[str, float]) -> float:
        """Of the log of a workload's speed ratio between two machines, around the class's ratio."""
        apart = self.covariance(one, one) + self.covariance(other, other) - 2 * self.covariance(one, other)
        return max(0.0, apart) + 2 * self.noise


@dataclass(frozen=True, slots=True, kw_only=True)
class TypeSpeed:
    """One instance type's row."""

    generation: str
    speedup_at_physical_cores: float
    """Throughput with one busy thread per physical core, over one thread (stress-ng div16; clocks fall under load)."""
    ln: Mapping[tuple[WorkloadClass, Busy], float]


@functools.cache
def type_speeds() -> Mapping[str, TypeSpeed]:
    """The row of every instance type, by name."""
    return {
        row["instance_type"]: TypeSpeed(
            generation=row["generation"],
            speedup_at_physical_cores=float(row["speedup_at_physical_cores"]),
            ln={(kind, busy): float(row[f"{kind}_{busy}_ln"]) for kind in WORKLOAD_CLASSES for busy in get_args(Busy)},
        )
        for row in rows(f"{CC_BY_SA}speeds.csv")
    }


@functools.cache
def spread(workload_class: WorkloadClass, busy: Busy) -> Spread:
    """The variance components of a class."""
    terms = {
        row["term"]: float(row["value"])
        for row in rows(f"{CC_BY_SA}spreads.csv")
        if row["class"] == workload_class and row["busy"] == busy
    }
    generation = {}
    for term, value in terms.items():
        one, pair, other = term.partition("|")
        if pair:
            generation[one, other] = generation[other, one] = value
    return Spread(
        generation=generation,
        size=terms["size"],
        generation_size=terms["generation_size"],
        large=terms["large"],
        generation_large=terms["generation_large"],
        noise=terms["noise"],
        z=terms["z"],
        reference_speedup_sd=terms["reference_speedup_sd"],
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Divider:
    """How fast a processor divides 16-bit integers in stress-ng (div16)."""

    cpu_model: str
    generation: str
    per_s: float | None
    """Bogo operations per second of one thread; None where its machines disagree."""
    pair_speedup: float | None
    """Of two threads on one core over one of them; None: one thread per core."""


@functools.cache
def dividers() -> tuple[Divider, ...]:
    """Every processor that EC2 machines ran stress-ng on."""
    return tuple(
        Divider(
            cpu_model=row["cpu_model"],
            generation=row["generation"],
            per_s=float(row["div16_per_s"]) if row["div16_per_s"] else None,
            pair_speedup=float(row["pair_speedup"]) if row["pair_speedup"] else None,
        )
        for row in rows(f"{CC_BY_SA}dividers.csv")
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherProcessor:
    """A processor that none of the 116 types has, in relation to the nearest generation that some have."""

    cpu_model: str
    generation: str
    nearest_generation: str
    threads_per_core: int
    thread_ln: float
    recognition_ln: float
    """As thread_ln, on 8-bit object detection."""
    instance_ln: float
    """At equal vCPUs."""


@functools.cache
def other_processors() -> tuple[OtherProcessor, ...]:
    """Processors measured on other EC2 types."""
    return tuple(
        OtherProcessor(
            cpu_model=row["cpu_model"],
            generation=row["generation"],
            nearest_generation=row["nearest_generation"],
            threads_per_core=int(row["threads_per_core"]),
            thread_ln=float(row["thread_ln"]),
            recognition_ln=float(row["recognition_ln"]),
            instance_ln=float(row["instance_ln"]),
        )
        for row in rows(f"{CC_BY_SA}processor_generations.csv")
    )
