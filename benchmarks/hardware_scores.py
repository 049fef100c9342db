"""Public benchmark scores of the 116 types as rows of logs, and the rows that make each workload class.

One number per benchmark and type, mostly from one run on one machine. What such a number has beyond the trend of its
processor, family and size is that machine's luck: over 109 types CoreMark, which was run by others on other machines,
follows the residuals that the Spare Cores runs share among themselves with a slope of only 0.16 ± 0.18
(``hardware.py`` prints it). So every row is smoothed before anything is made of it, and the residuals count as noise.
"""

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from planner.catalogue import instance_types

Floats: TypeAlias = NDArray[np.float64]

SCORES: Final = Path(__file__).parent / "data" / "cc-by-sa-4.0"

GENERATION_OF_PROCESSOR: Final = {
    "Intel Xeon E5-2666 v3": "Haswell",
    "Intel Xeon E5-2676 v3": "Haswell",
    "Intel Xeon E5-2686 v4": "Broadwell",
    "Intel Xeon 8124M": "Skylake/Cascade Lake",
    "Intel Xeon 8175M": "Skylake/Cascade Lake",
    "Intel Xeon 8223CL": "Skylake/Cascade Lake",
    "Intel Xeon 8259CL": "Skylake/Cascade Lake",
    "Intel Xeon 8275CL": "Skylake/Cascade Lake",
    "Intel Xeon 8375C": "Ice Lake",
    "Intel Xeon 8488C": "Sapphire Rapids",
    "AMD EPYC 7R32": "Zen 2",
    "AMD EPYC 7R13": "Zen 3",
}
"""Skylake and Cascade Lake share a CPUID model number, and AWS mixes them inside m5 and c5."""
GENERATIONS: Final = tuple(dict.fromkeys(GENERATION_OF_PROCESSOR.values()))

TYPES: Final = instance_types()
INDEX: Final = {kind.name: index for index, kind in enumerate(TYPES)}
VCPUS: Final[Floats] = np.array([kind.vcpus for kind in TYPES], dtype=np.float64)
GENERATION: Final = np.array([GENERATIONS.index(GENERATION_OF_PROCESSOR[kind.processor]) for kind in TYPES])
SIZE: Final[Floats] = np.log(VCPUS / 8)
LARGE: Final[Floats] = np.maximum(0.0, np.log(VCPUS / 32))
REFERENCE: Final = INDEX["ml.m5.xlarge"]

SCALAR: Final = (
    "asset_compression",
    "clang",
    "file_compression",
    "html5_browser",
    "navigation",
    "pdf_renderer",
    "text_processing",
)
FP: Final = (
    "background_blur",
    "hdr",
    "horizon_detection",
    "object_remover",
    "photo_filter",
    "ray_tracer",
    "structure_from_motion",
)
INT8: Final = ("object_detection", "photo_library")
WELL_SCALING: Final = ("ray_tracer", "clang", "asset_compression", "structure_from_motion")
"""Geekbench workloads whose multi-core form still grows like independent copies at 8 vCPUs: they give the yield of a
hyperthread in everyday code (1.2 of a core per core, on every generation), where integer division (stress-ng div16)
gains 30 % from it on Skylake and nothing on later ones."""
MEMORY_WEIGHT: Final = 0.25
"""Of a suite: how much bandwidth-bound benchmarks count in the spread of a workload of unknown class."""


def scores(path: Path = SCORES / "benchmark_scores.csv") -> dict[str, Floats]:
    """ln(score) [116] by benchmark name, NaN where a type was not run."""
    with path.open(encoding="utf-8", newline="") as stream:
        rows = {row["instance_type"]: row for row in csv.DictReader(stream)}
    names = [name for name in next(iter(rows.values())) if name != "instance_type"]
    return {
        name: np.log(np.array([float(rows[kind.name][name] or "nan") for kind in TYPES], dtype=np.float64))
        for name in names
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassRows:
    """The benchmarks of a workload class, by suite; in logs, up to a constant per row."""

    single: Mapping[str, Sequence[Floats]]
    """One busy thread: their suite means make the mean row."""
    rate: Mapping[str, Sequence[Floats]]
    """All vCPUs busy: likewise."""
    scalings: Sequence[Floats]
    """Laws ln(all vCPUs / one thread) that turn a single row into a factorial rate row; none: no such row."""
    single_spread: Mapping[str, Sequence[Floats]]
    """Pseudo-workloads of one thread, whose departures from the mean row give its spread."""
    rate_spread: Mapping[str, Sequence[Floats]]
    weights: Mapping[str, float]
    """Weight of a suite in the spread, 1 unless named."""


def filled(row: Floats, like: Floats) -> Floats:
    """The row with its gaps filled from another, shifted to its level in the generation where both are known."""
    result = row.copy()
    known = np.isfinite(row)
    for index in np.flatnonzero(~known):
        peers = known & np.equal(GENERATION, GENERATION[index])
        shift = (row - like)[peers if peers.any() else known]
        result[index] = like[index] + np.median(shift)
    return result


_MEMBER: Final = np.eye(len(GENERATIONS))[GENERATION]
_FAMILIES: Final = tuple(dict.fromkeys(kind.family for kind in TYPES))
_TREND: Final = np.hstack(
    [
        _MEMBER,
        SIZE[:, None],
        LARGE[:, None],
        _MEMBER * SIZE[:, None],
        _MEMBER * LARGE[:, None],
        np.array([[float(kind.family == family) for family in _FAMILIES] for kind in TYPES]),
    ]
)
_TREND_PENALTY: Final = np.diag(
    np.r_[np.full(len(GENERATIONS) + 2, 1e-4), np.full(2 * len(GENERATIONS), 1.0), np.full(len(_FAMILIES), 0.5)]
)


def smooth(row: Floats) -> Floats:
    """The trend [116] of a row in generation, family, s = ln(vCPUs/8) and h = max(0, ln(vCPUs/32)).

    Ridge regression with generation-wise slopes, reweighted five times (Huber at 2 robust sd) so that a bad run on one
    machine does not bend its neighbours.
    """
    weights = np.ones(len(TYPES))
    trend = row
    for _ in range(5):
        normal = _TREND.T @ (_TREND * weights[:, None]) + _TREND_PENALTY
        trend = _TREND @ np.linalg.solve(normal, _TREND.T @ (weights * row))
        off = np.abs(row - trend)
        scale = 1.4826 * float(np.median(off)) + 1e-9
        weights = np.minimum(1.0, 2 * scale / np.maximum(off, 1e-9))
    return np.asarray(trend, dtype=np.float64)


def level(rows: Iterable[Floats]) -> Floats:
    """Mean of rows [116] after each is taken relative to its own mean."""
    return np.asarray(np.mean([row - row.mean() for row in rows], axis=0), dtype=np.float64)


def classes(log: Mapping[str, Floats]) -> dict[str, ClassRows]:
    """The rows of every workload class."""

    def geekbench(names: Iterable[str]) -> list[Floats]:
        return [log[f"geekbench6:{name}:single"] for name in names]

    zstd, thread = log["compression_text:zstd1_compress:single"], log["passmark:single_thread:single"]
    cpu_mark = log["passmark:cpu_mark:multi"]
    vector = [log["passmark:float_math:multi"], log["passmark:extended_instructions_simd:multi"]]
    stress = log["stress-ng:div16:multi"] - log["stress-ng:div16:single"]
    scalings = [stress, everyday_hyperthreads(stress, log)]
    all_scalings = [*scalings, cpu_mark - thread]
    singles = {"geekbench": geekbench([*SCALAR, *FP, *INT8]), "zstd": [zstd], "passmark": [thread]}
    everyday = level([level(singles["geekbench"]), level([zstd]), level([thread])]) + level(scalings)
    coremark = filled(log["coremark:iterations_per_second:multi"], everyday)
    bandwidth = [log["bw_mem:rd_512MB:multi"], log["passmark:mem_threaded:multi"]]
    uncached = log["passmark:mem_read_uncached:single"]
    llama = {
        phase: [filled(row, everyday) for name, row in log.items() if name.startswith(f"llama-bench:{phase}")]
        for phase in ("prompt_processing", "text_generation")
    }

    def spread(single: Mapping[str, Sequence[Floats]]) -> dict[str, list[Floats]]:
        return {suite: [row + law for row in rows for law in all_scalings] for suite, rows in single.items()}

    def rows(
        single: dict[str, list[Floats]], rate: dict[str, list[Floats]], extra: dict[str, list[Floats]]
    ) -> ClassRows:
        factorial = spread(single)
        return ClassRows(
            single=single,
            rate=rate,
            scalings=scalings,
            single_spread=single | {suite: r for suite, r in extra.items() if suite.endswith("single")},
            rate_spread={s: [*rate.get(s, []), *factorial.get(s, [])] for s in {**rate, **factorial}}
            | {suite: r for suite, r in extra.items() if not suite.endswith("single")},
            weights={"memory": MEMORY_WEIGHT, "memory single": MEMORY_WEIGHT},
        )

    memory = {"memory": bandwidth, "memory single": [uncached]}
    return {
        "unknown": rows(singles, {"coremark": [coremark], "passmark": [cpu_mark, *vector]}, memory),
        "scalar": rows(
            {"geekbench": geekbench(SCALAR), "zstd": [zstd], "passmark": [thread]},
            {"coremark": [coremark], "passmark": [cpu_mark]},
            {},
        ),
        "fp_simd": rows({"geekbench": geekbench(FP)}, {"passmark": vector}, {}),
        "int8_dnn": rows(
            {"geekbench": geekbench(INT8[:1])},
            {"llama": llama["prompt_processing"]},
            {"recognition": spread({"": geekbench(INT8)})[""], "recognition single": geekbench(INT8)},
        ),
        "mem_bandwidth": ClassRows(
            single={"passmark": [uncached]},
            rate={"bw_mem": bandwidth[:1], "passmark": bandwidth[1:]},
            scalings=(),
            single_spread={"passmark": [uncached, thread], "zstd": [zstd]},
            rate_spread={
                "bw_mem": [*bandwidth[:1], log["bw_mem:wr_512MB:multi"]],
                "passmark": bandwidth[1:],
                "llama": llama["text_generation"],
            },
            weights={},
        ),
    }


def everyday_hyperthreads(stress: Floats, log: Mapping[str, Floats]) -> Floats:
    """stress-ng's scaling with vCPUs [116], with the level of everyday code (4 to 8 vCPUs) in each generation."""
    everyday = np.mean(
        [log[f"geekbench6:{name}:multi"] - log[f"geekbench6:{name}:single"] for name in WELL_SCALING], axis=0
    )
    law = stress.copy()
    for generation in range(len(GENERATIONS)):
        peers = np.equal(GENERATION, generation)
        small = peers & (VCPUS >= 4) & (VCPUS <= 8)
        law[peers] += np.median((everyday - stress)[small])
    return law
