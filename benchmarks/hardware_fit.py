"""Rebuild the speed tables of the catalogue from public benchmark scores: ``python benchmarks/hardware_fit.py``.

Reads ``data/cc-by-sa-4.0/benchmark_scores.csv`` and ``ec2_processors.csv`` and writes ``speeds.csv``, ``spreads.csv``
and ``processor_generations.csv`` under ``planner/catalogue/data/cc-by-sa-4.0/``. Nothing else is learnt from: no
measurement of a served workload has a part in these numbers.

    symbol      meaning                                                            shape
    y           ln(score) of one benchmark on every type, a pseudo-workload        [116]
    m           the class's mean row, ln(speed) of every type                      [116]
    d = y - m   how this pseudo-workload likes the types, up to a constant         [116]
    s, h        ln(vCPUs / 8); max(0, ln(vCPUs / 32))                              [116]

The mean row of a class averages what an independent copy per vCPU ("rate") benchmark scores say, suite by suite,
and one factorial row: speed of one thread times a law of scaling with vCPUs. With a single measured type nothing can
be said about how the workload departs from that row (a flat prior on its level takes up the one number), so the rows'
own departures d give the width: per row, ridge regression of d on generation, s, h and their products with
generation; the squared coefficients, averaged with equal weight per suite, are the variance components.
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
TABLES: Final = Path(__file__).parents[1] / "planner" / "catalogue" / "data" / "cc-by-sa-4.0"

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


def mean_single(rows: ClassRows, without: str = "") -> Floats:
    """Log speed of one busy thread, relative to ml.m5.xlarge [116]; `without` leaves a suite out."""
    suites = [level(each) for suite, each in rows.single.items() if suite != without]
    row = level(suites) if suites else level([each for r in rows.single.values() for each in r])
    return np.asarray(row - row[REFERENCE], dtype=np.float64)


def mean_rate(rows: ClassRows, without: str = "") -> Floats:
    """Log throughput with all vCPUs busy, relative to ml.m5.xlarge [116]; `without` leaves a suite out."""
    parts = [level(each) for suite, each in rows.rate.items() if suite != without]
    if rows.scalings and any(suite != without for suite in rows.single):
        # Geekbench's own part of the scaling law goes when Geekbench is held out.
        laws = rows.scalings[:1] if without == "geekbench" else rows.scalings
        parts.append(mean_single(rows, without) + level(laws))
    row = level(parts)
    return np.asarray(row - row[REFERENCE], dtype=np.float64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Components:
    """Variances of what a workload adds to its class's mean row, in squared logs."""

    generation: Floats
    """Covariance [7, 7] between generations."""
    size: float
    generation_size: float
    large: float
    generation_large: float
    noise: float
    """Per type: fleets, neighbours, run to run."""

    def covariance(self) -> Floats:
        """Between types [116, 116]; only differences of two types mean something."""
        same = GENERATION[:, None] == GENERATION[None, :]
        both_sizes, both_large = np.outer(SIZE, SIZE), np.outer(LARGE, LARGE)
        return np.asarray(
            self.generation[np.ix_(GENERATION, GENERATION)]
            + self.size * both_sizes
            + self.large * both_large
            + same * (self.generation_size * both_sizes + self.generation_large * both_large)
            + self.noise * np.eye(len(TYPES)),
            dtype=np.float64,
        )


def departures(row: Floats) -> tuple[Floats, float, float, float, float, float]:
    """One row's generation offsets [7] and the squares of its slopes and residual.

    Ridge regression of row - m: the products with generation are shrunk (5 pseudo-observations), the rest is free.
    """
    count = len(GENERATIONS)
    member = np.eye(count)[GENERATION]
    design = np.hstack([member, SIZE[:, None], LARGE[:, None], member * SIZE[:, None], member * LARGE[:, None]])
    penalty = np.diag(np.r_[np.full(count + 2, 1e-4), np.full(2 * count, 5.0)])
    coefficients = np.linalg.solve(design.T @ design + penalty, design.T @ row)
    residual = row - design @ coefficients
    offsets = coefficients[:count]
    slopes, hinges = coefficients[count + 2 : 2 * count + 2], coefficients[2 * count + 2 :]
    return (
        offsets - offsets.mean(),
        float(coefficients[count] ** 2),
        float(coefficients[count + 1] ** 2),
        float(np.mean(slopes**2)),
        float(np.mean(hinges**2)),
        float(np.mean(residual**2)),
    )


FLOOR: Final = {"noise": 0.03**2, "generation": 0.05**2}
"""No benchmark is a served workload: what is added even where all benchmarks agree."""


def components(
    mean: Floats, spread: Mapping[str, Sequence[Floats]], weights: Mapping[str, float], without: str = ""
) -> Components:
    """Variance components of the pseudo-workloads around the mean row, every suite with its weight."""
    total = 0.0
    generation = np.zeros((len(GENERATIONS), len(GENERATIONS)))
    sums = np.zeros(5)
    for suite, each in spread.items():
        if suite == without:
            continue
        for row in each:
            weight = weights.get(suite, 1.0) / len(each)
            offsets, *squares = departures(row - mean - np.mean((row - mean)[VCPUS <= 32]))
            generation += weight * np.outer(offsets, offsets)
            sums += weight * np.array(squares)
            total += weight
    size, large, generation_size, generation_large, noise = (float(each) for each in sums / total)
    return Components(
        generation=generation / total + FLOOR["generation"] * np.eye(len(GENERATIONS)),
        size=size,
        large=large,
        generation_size=generation_size,
        generation_large=generation_large,
        noise=noise + FLOOR["noise"],
    )


def covered(row: Floats, mean: Floats, covariance: Floats, z: float) -> Floats:
    """Share of the other 115 types inside mean ± z sd, by source type [116]."""
    variance = np.diag(covariance)[:, None] + np.diag(covariance)[None, :] - 2 * covariance
    error = (row[:, None] - row[None, :]) - (mean[:, None] - mean[None, :])
    inside = np.abs(error) <= z * np.sqrt(variance)
    return np.asarray((inside.sum(axis=0) - 1) / (len(TYPES) - 1), dtype=np.float64)


def held_out_coverage(rows: ClassRows, z: float) -> dict[str, Floats]:
    """By suite held out of both mean and spread: coverage [rows of the suite, 116 sources]."""
    result = {}
    for suite in rows.rate_spread:
        if suite == "memory":
            continue
        mean = mean_rate(rows, suite)
        covariance = components(mean, rows.rate_spread, rows.weights, suite).covariance()
        result[suite] = np.array([covered(row, mean, covariance, z) for row in rows.rate_spread[suite]])
    return result


def calibrated_z(rows: ClassRows) -> float:
    """The smallest multiple of the sd that covers 90 % of the ratios of every held-out suite.

    The worst suite decides, not the mean: errors are shared within a workload, so a suite, not a type, is one draw.
    """
    for z in np.arange(1.65, 3.5, 0.05):
        if min(share.mean() for share in held_out_coverage(rows, float(z)).values()) >= 0.9:
            return round(float(z), 2)
    raise ValueError("no multiple of the standard deviation up to 3.5 covers the held-out benchmarks")


FEW_SUITES_Z: Final = 2.4
"""For classes with fewer than three suites holding one out leaves too little to calibrate on: they take the largest
multiple that a class with enough suites needed (scalar)."""


def table_z(rows: ClassRows) -> float:
    """The multiple of the sd that the class's intervals use."""
    return calibrated_z(rows) if len(rows.single) >= 3 else FEW_SUITES_Z


def reference_speedup(name: str, rows: ClassRows, log: Mapping[str, Floats]) -> tuple[float, float]:
    """ln(all vCPUs busy / one thread busy) of ml.m5.xlarge (4 vCPUs on 2 cores), and its sd.

    Where laws of scaling are known: their mean, with the spread between integer division (2.62) and everyday code
    (2.5), widened to 0.12 because a served workload's yield of hyperthreads lies anywhere between 1.0 and 1.4 of a
    core. Memory: lmbench's read bandwidth of all vCPUs over PassMark's of one thread, two different programs.
    """
    if name == "mem_bandwidth":
        both = log["bw_mem:rd_512MB:multi"] - log["passmark:mem_read_uncached:single"]
        return float(np.clip(both[REFERENCE], 0.0, np.log(VCPUS[REFERENCE]))), 0.3
    return float(np.mean([law[REFERENCE] for law in rows.scalings])), 0.12


def speed_rows(by_class: Mapping[str, ClassRows], log: Mapping[str, Floats]) -> list[dict[str, str]]:
    """One row per type: generation, speed-up at the number of physical cores, and log speeds by class.

    Speeds are relative to one busy thread of ml.m5.xlarge, with one thread and with all vCPUs busy.
    """
    knee = np.exp(log["stress-ng:div16:speedup_at_physical_cores"])
    result = [
        {
            "instance_type": kind.name,
            "generation": GENERATIONS[GENERATION[index]],
            "speedup_at_physical_cores": f"{min(knee[index], kind.physical_cores):.3f}",
        }
        for index, kind in enumerate(TYPES)
    ]
    for name, rows in by_class.items():
        single = mean_single(rows)
        rate = mean_rate(rows) + reference_speedup(name, rows, log)[0]
        rate = np.clip(rate, single, single + np.log(VCPUS))
        for row, one, full in zip(result, single, rate, strict=True):
            row[f"{name}_thread_ln"] = f"{one:.4f}"
            row[f"{name}_instance_ln"] = f"{full:.4f}"
    return result


def spread_rows(by_class: Mapping[str, ClassRows], log: Mapping[str, Floats]) -> list[dict[str, str]]:
    """Variance components by class and by what is busy; terms as in `Components`, covariances per generation pair."""
    result: list[dict[str, str]] = []
    for name, rows in by_class.items():
        z = table_z(rows)
        busy = {
            "thread": components(mean_single(rows), rows.single_spread, rows.weights),
            "instance": components(mean_rate(rows), rows.rate_spread, rows.weights),
        }
        for what, found in busy.items():
            terms = {
                "z": z,
                "reference_speedup_sd": reference_speedup(name, rows, log)[1],
                "size": found.size,
                "generation_size": found.generation_size,
                "large": found.large,
                "generation_large": found.generation_large,
                "noise": found.noise,
            }
            for i, one in enumerate(GENERATIONS):
                for j, other in enumerate(GENERATIONS[: i + 1]):
                    terms[f"{one}|{other}"] = float(found.generation[i, j])
            result += [{"class": name, "busy": what, "term": t, "value": f"{v:.6g}"} for t, v in terms.items()]
    return result


NEAREST: Final = {
    "EPYC 7571": ("Zen", "Zen 2"),
    "EPYC 9R14": ("Zen 4", "Zen 3"),
    "EPYC 9R45": ("Zen 5", "Zen 3"),
    "EPYC 9R05": ("Zen 5", "Zen 3"),
    "8559C": ("Emerald Rapids", "Sapphire Rapids"),
    "8477C": ("Sapphire Rapids", "Sapphire Rapids"),
    "6455B": ("Sapphire Rapids", "Sapphire Rapids"),
    "6975P": ("Granite Rapids", "Sapphire Rapids"),
    "8151": ("Skylake/Cascade Lake", "Skylake/Cascade Lake"),
    "8252C": ("Skylake/Cascade Lake", "Skylake/Cascade Lake"),
    "8176M": ("Skylake/Cascade Lake", "Skylake/Cascade Lake"),
    "8280L": ("Skylake/Cascade Lake", "Skylake/Cascade Lake"),
    "E7-8880 v3": ("Haswell", "Haswell"),
    "Neoverse-N1": ("Neoverse N1", "Skylake/Cascade Lake"),
    "Neoverse-V1": ("Neoverse V1", "Ice Lake"),
    "Neoverse-V2": ("Neoverse V2", "Sapphire Rapids"),
}
"""Processors of other EC2 types, which a profiled host may have: generation, and the nearest one of the 116 types."""


def processor_rows(path: Path = SCORES / "ec2_processors.csv") -> list[dict[str, str]]:
    """Per processor that none of the 116 types has: ln speed relative to its nearest generation, from the same tests.

    thread: Geekbench 6 single-core and PassMark single thread. recognition: Geekbench object detection, one core.
    instance: PassMark CPU mark and CoreMark per vCPU, at equal vCPUs where both exist.
    """
    with path.open(encoding="utf-8", newline="") as stream:
        runs = list(csv.DictReader(stream))
    of_model = {kind_model: kind for kind in TYPES for kind_model in kind.cpu_models}
    tests = {
        "thread": ("gb6_single", "passmark_single"),
        "recognition": ("gb6_object_detection_single",),
        "instance": ("passmark_cpu_mark", "coremark_multi"),
    }
    result = []
    for model in sorted({run["cpu_model"] for run in runs}):
        named = next((value for key, value in NEAREST.items() if key in model), None)
        if named is None or model in of_model:
            continue
        own = [run for run in runs if run["cpu_model"] == model]
        peers = [
            run
            for run in runs
            if run["cpu_model"] in of_model
            and GENERATION_OF_PROCESSOR[of_model[run["cpu_model"]].processor] == named[1]
        ]
        row = {"cpu_model": model, "generation": named[0], "nearest_generation": named[1]}
        row["threads_per_core"] = str(round(float(own[0]["threads_per_core"])))
        for what, columns in tests.items():
            steps = [_step(own, peers, column) for column in columns]
            known = [step for step in steps if np.isfinite(step)]
            row[f"{what}_ln"] = f"{np.mean(known):.4f}" if known else ""
        result.append(row)
    return result


def _step(own: Sequence[Mapping[str, str]], peers: Sequence[Mapping[str, str]], column: str) -> float:
    """Median ln(score) of own minus that of peers, per vCPU and at equal vCPUs; NaN where there is no such pair."""

    def by_size(runs: Sequence[Mapping[str, str]]) -> dict[str, float]:
        sizes = sorted({run["vcpus"] for run in runs if float(run[column] or 0) > 0})
        return {
            size: float(
                np.median([np.log(float(r[column])) for r in runs if r["vcpus"] == size and float(r[column] or 0) > 0])
            )
            for size in sizes
        }

    one, other = by_size(own), by_size(peers)
    shared = [one[size] - other[size] for size in one if size in other]
    return float(np.median(shared)) if shared else float("nan")


def _write(name: str, rows: Sequence[Mapping[str, str]]) -> None:
    with (TABLES / name).open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def main() -> None:
    """Write the three tables."""
    log = scores()
    by_class = classes(log)
    _write("speeds.csv", speed_rows(by_class, log))
    _write("spreads.csv", spread_rows(by_class, log))
    _write("processor_generations.csv", processor_rows())


if __name__ == "__main__":
    main()
