"""Where the profiled machine stands among the processors that were benchmarked."""

import math
from dataclasses import dataclass
from statistics import fmean, pstdev
from typing import Final

from planner.catalogue.instances import InstanceType, instance_types
from planner.performance.benchmark_scores import (
    Busy,
    OtherProcessor,
    WorkloadClass,
    other_processors,
    type_speeds,
)
from planner.performance.host_clock import CATALOGUE_TOOL, clock_shift, cores_share, gap_shift
from planner.profiling.profile import Host

_INTEL_MODELS: Final = {
    "Haswell": (60, 63, 69, 70),
    "Broadwell": (61, 71, 79, 86),
    "Skylake/Cascade Lake": (78, 85, 94, 142, 158, 165, 166),
    "Ice Lake": (106, 108, 125, 126, 140, 141, 167),
    "Sapphire Rapids": (143, 151, 154, 183, 186, 191),
    "Emerald Rapids": (207,),
    "Granite Rapids": (173, 174),
}
"""CPUID model numbers of Intel family 6, each generation with the client chips of its core design (Tiger and Rocket
Lake with Ice Lake, Alder and Raptor Lake with Sapphire Rapids). Source: Linux, arch/x86/include/asm/intel-family.h."""
_AMD_MODELS: Final = {
    (23, 0, 47): "Zen",
    (23, 48, 255): "Zen 2",
    (25, 0, 15): "Zen 3",
    (25, 16, 31): "Zen 4",
    (25, 32, 95): "Zen 3",
    (25, 96, 255): "Zen 4",
    (26, 0, 255): "Zen 5",
}
"""(family, first model, last model) of AMD. Source: Linux arch/x86/kernel/cpu/amd.c."""

NAME_SD: Final = 0.05
"""Known by its name: the same processor elsewhere, its clock and neighbours not known."""
GENERATION_SD: Final = 0.10
"""Known by its generation only: clocks within one differ (c5 is 12 % ahead of m5)."""
NEIGHBOUR_SD: Final = 0.15
"""Known to be of a generation that was benchmarked elsewhere."""
UNKNOWN_SD: Final = 0.30
"""Nothing known: what the 116 types differ by among themselves, and as much again for what lies outside."""
_MISSING_SIMD_SD: Final[dict[WorkloadClass, float]] = {
    "scalar": 0.0,
    "fp_simd": 0.10,
    "int8_dnn": 0.50,
    "mem_bandwidth": 0.0,
    "unknown": 0.10,
}
"""Added where the host hides an instruction set that its generation has elsewhere (AMX, VNNI)."""
_ACCELERATED: Final = frozenset({"avx512_vnni", "amx_tile", "avx512f"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """A host among the benchmarked processors."""

    references: tuple[InstanceType, ...]
    """The types it is compared with: those of its processor or generation nearest in vCPUs."""
    generation: str | None
    """Its own; None: not known."""
    nearest_generation: str | None
    """The one of the references; None: all of them."""
    processor: OtherProcessor | None
    """What puts it apart from the references, where its generation is none of theirs."""
    log_sd: float
    clock_ln: float | None
    """ln of the host's clock over the references', as stress-ng measured it; None: it was not run."""
    cores_share: float | None
    """0: its CPUs are hyperthreads, 1: cores, as stress-ng measured it; None: it was not run."""
    hides: tuple[str, ...]
    """Instruction sets that the references have and the host does not show."""
    words: str

    def thread_ln(self, workload_class: WorkloadClass) -> float:
        """Log speed of one busy thread, relative to ml.m5.xlarge."""
        return self._mean(workload_class, "thread") + self._step(workload_class, "thread") + (self.clock_ln or 0.0)

    def instance_ln(self, workload_class: WorkloadClass, vcpus: int) -> float:
        """Log throughput with all vCPUs busy if they are paired on cores as those of the references are."""
        per_vcpu = fmean(
            type_speeds()[kind.name].ln[workload_class, "instance"] - math.log(kind.vcpus) for kind in self.references
        )
        return per_vcpu + math.log(vcpus) + self._step(workload_class, "instance") + (self.clock_ln or 0.0)

    def placement_sd(self, workload_class: WorkloadClass) -> float:
        """Of the log of the host's speed, for not knowing exactly what it is."""
        apart = pstdev(type_speeds()[kind.name].ln[workload_class, "thread"] for kind in self.references)
        if self.clock_ln is not None:
            apart = 0.0  # References of one design differ by their clocks.
        hidden = _MISSING_SIMD_SD[workload_class] if self.hides else 0.0
        return math.sqrt(self.log_sd**2 + apart**2 + hidden**2)

    def _mean(self, workload_class: WorkloadClass, busy: Busy) -> float:
        return fmean(type_speeds()[kind.name].ln[workload_class, busy] for kind in self.references)

    def _step(self, workload_class: WorkloadClass, busy: Busy) -> float:
        if self.processor is None:
            return 0.0
        if workload_class == "int8_dnn":
            return self.processor.recognition_ln
        return self.processor.thread_ln if busy == "thread" else self.processor.instance_ln


def place(host: Host) -> Placement:
    """The host by its CPU's name where a benchmarked machine has it, else by CPUID, else among all generations."""
    named = tuple(kind for kind in instance_types() if host.cpu_model in kind.cpu_models)
    if named:
        generation = type_speeds()[named[0].name].generation
        return _placed(host, named, generation, NAME_SD, f"{host.cpu_model} is the processor of {_families(named)}")
    for processor in other_processors():
        if processor.cpu_model == host.cpu_model:
            return _beside(host, (processor,), NAME_SD, f"{host.cpu_model} ran the same tests on another EC2 type")
    generation_by_number = _generation(host)
    signature = f"CPUID {host.cpu_vendor} family {host.cpu_family} model {host.cpu_model_number}"
    if generation_by_number is None:
        words = (
            f"{host.cpu_model!r} ({signature}) is not a processor with known benchmarks: compared with all generations"
        )
        return _placed(host, instance_types(), None, UNKNOWN_SD, words)
    alike = tuple(kind for kind in instance_types() if type_speeds()[kind.name].generation == generation_by_number)
    if alike:
        words = f"{signature} is {generation_by_number}, the generation of {_families(alike)}"
        return _placed(host, alike, generation_by_number, GENERATION_SD, words)
    neighbours = tuple(each for each in other_processors() if each.generation == generation_by_number)
    return _beside(host, neighbours, NEIGHBOUR_SD, f"{signature} is {generation_by_number}")


def _generation(host: Host) -> str | None:
    number = host.cpu_model_number
    if number is None:
        return None
    if host.cpu_vendor == "GenuineIntel" and host.cpu_family == 6:
        return next((name for name, models in _INTEL_MODELS.items() if number in models), None)
    if host.cpu_vendor == "AuthenticAMD":
        return next(
            (
                name
                for (family, first, last), name in _AMD_MODELS.items()
                if host.cpu_family == family and first <= number <= last
            ),
            None,
        )
    return None


def _beside(host: Host, processors: tuple[OtherProcessor, ...], log_sd: float, words: str) -> Placement:
    """A host of a generation outside the 116 types: its nearest one there, and the measured step between them."""
    processor = processors[0]
    if len(processors) > 1:
        processor = OtherProcessor(
            cpu_model=", ".join(each.cpu_model for each in processors),
            generation=processor.generation,
            nearest_generation=processor.nearest_generation,
            threads_per_core=processor.threads_per_core,
            thread_ln=fmean(each.thread_ln for each in processors),
            recognition_ln=fmean(each.recognition_ln for each in processors),
            instance_ln=fmean(each.instance_ln for each in processors),
        )
    near = tuple(
        kind for kind in instance_types() if type_speeds()[kind.name].generation == processor.nearest_generation
    )
    step = math.exp(processor.thread_ln)
    words += f"; one thread ran the same tests {step:.2f} times as fast as on {processor.nearest_generation}"
    return _placed(host, near, processor.generation, log_sd, f"{words} ({_families(near)})", processor=processor)


def _placed(
    host: Host,
    candidates: tuple[InstanceType, ...],
    generation: str | None,
    log_sd: float,
    words: str,
    *,
    processor: OtherProcessor | None = None,
) -> Placement:
    distance = {kind.name: abs(math.log(kind.vcpus / host.logical_cpus)) for kind in candidates}
    nearest = min(distance.values())
    references = (
        tuple(kind for kind in candidates if distance[kind.name] <= nearest + 1e-9) if generation else candidates
    )
    nearest_generation = type_speeds()[references[0].name].generation if generation else None
    expected = frozenset.intersection(*(frozenset(kind.simd) for kind in references)) & _ACCELERATED
    hides = tuple(sorted(expected - frozenset(host.cpu_flags))) if host.cpu_flags else ()
    if hides:
        words = f"{words}; the host hides {', '.join(hides)}"
    models = [model for kind in references for model in kind.cpu_models]
    if processor is not None:
        models = processor.cpu_model.split(", ")
    elif host.cpu_model in models:
        models = [host.cpu_model]
    clock = clock_shift(host, models) if generation else None
    share = cores_share(host, generation)
    if clock is not None:
        log_sd = clock[1]
        words = f"{words}; stress-ng runs {math.exp(clock[0]):.2f} times as fast here as on such processors elsewhere"
    elif host.benchmark is not None:
        words = f"{words}; its clock is not read from {host.benchmark.tool}, only from {CATALOGUE_TOOL}"
    if share is not None:
        kind_of_cpus = "hyperthreads" if share < 0.25 else "cores" if share > 0.75 else "partly cores"
        words = f"{words}; by stress-ng its CPUs are {kind_of_cpus}"
    return Placement(
        references=references,
        generation=generation,
        nearest_generation=nearest_generation,
        processor=processor,
        log_sd=log_sd,
        clock_ln=None if clock is None else clock[0],
        cores_share=share,
        hides=hides,
        words=words,
    )


def _families(kinds: tuple[InstanceType, ...]) -> str:
    return ", ".join(dict.fromkeys(kind.family for kind in kinds))


def hyperthread_gap_ln(host: Host, placement: Placement, paired_ln: float, thread_ln: float) -> tuple[float, float]:
    """(shift, sd) of ln throughput of the full host, for not knowing whether its CPUs are cores or hyperthreads.

    Virtual machines mostly hide it. Nothing to add where the host shows fewer cores than CPUs (paired as EC2's are) or
    the processor has one thread per core; else stress-ng tells where it was run, and the two possibilities bound a 90 %
    interval where it was not.
    """
    paired = host.physical_cores is not None and host.physical_cores < host.logical_cpus
    single_threaded = placement.processor is not None and placement.processor.threads_per_core == 1
    if paired or single_threaded:
        return 0.0, 0.0
    gap = max(0.0, thread_ln + math.log(host.logical_cpus) - paired_ln)
    return gap_shift(gap, placement.cores_share)
