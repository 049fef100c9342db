"""Rebuild the speed tables of the catalogue from public benchmark scores: ``python benchmarks/hardware_tables.py``.

Reads ``data/cc-by-sa-4.0/benchmark_scores.csv`` and ``ec2_processors.csv`` and writes ``speeds.csv``, ``spreads.csv``,
``processor_generations.csv`` and ``dividers.csv`` under ``planner/catalogue/data/cc-by-sa-4.0/``. Nothing else is
learnt from: no measurement of a served workload has a part in these numbers. `hardware_fit` explains the method.
"""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from hardware_fit import components, mean_rate, mean_single, table_z
from hardware_scores import (
    GENERATION,
    GENERATION_OF_PROCESSOR,
    GENERATIONS,
    REFERENCE,
    SCORES,
    TYPES,
    VCPUS,
    ClassRows,
    Floats,
    classes,
    scores,
)

TABLES: Final = Path(__file__).parents[1] / "planner" / "catalogue" / "data" / "cc-by-sa-4.0"


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


MOST_APART: Final = 0.1
"""Standard deviation of ln(div16 rate) over the machines of one processor, and of ln(PassMark / div16) over the
processors of one generation, above which the rate is not the design's: some older fleets ran it at half speed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dividing:
    """One processor's logs of scores of one thread, medians over its machines."""

    cpu_model: str
    generation: str
    div16_ln: float
    """NaN where machines or the processors of the generation disagree."""
    passmark_ln: float
    geekbench_ln: float
    pair_speedup: float
    """Of two threads on one core with all CPUs busy; NaN: one thread per core."""


def dividing(path: Path = SCORES / "ec2_processors.csv") -> list[Dividing]:
    """Every processor of a known generation that stress-ng's div16 was run on."""
    with path.open(encoding="utf-8", newline="") as stream:
        runs = [run for run in csv.DictReader(stream) if float(run["div16_1"] or 0) > 0]
    of_model = {model: GENERATION_OF_PROCESSOR[kind.processor] for kind in TYPES for model in kind.cpu_models}
    found = []
    for model in sorted({run["cpu_model"] for run in runs}):
        generation = of_model.get(model) or next((v[0] for key, v in NEAREST.items() if key in model), None)
        if generation is not None:
            found.append(_dividing(model, generation, [run for run in runs if run["cpu_model"] == model]))
    return [replace(each, div16_ln=np.nan) if _disagrees(each.generation, found) else each for each in found]


def _dividing(model: str, generation: str, own: Sequence[Mapping[str, str]]) -> Dividing:
    def logs(column: str) -> Floats:
        return np.log([float(run[column]) for run in own if float(run[column] or 0) > 0])

    rates, passmark, geekbench = logs("div16_1"), logs("passmark_single"), logs("gb6_single")
    paired = [
        float(run["div16_n"]) / float(run["div16_1"]) / (float(run["vcpus"]) / 2)
        for run in own
        if float(run["threads_per_core"] or 0) == 2 and float(run["div16_n"] or 0) > 0
    ]
    return Dividing(
        cpu_model=model,
        generation=generation,
        div16_ln=float(np.median(rates)) if np.std(rates) < MOST_APART else np.nan,
        passmark_ln=float(np.median(passmark)) if len(passmark) else np.nan,
        geekbench_ln=float(np.median(geekbench)) if len(geekbench) else np.nan,
        pair_speedup=float(np.median(paired)) if paired else np.nan,
    )


def _disagrees(generation: str, found: Sequence[Dividing]) -> bool:
    ratios = np.array([each.passmark_ln - each.div16_ln for each in found if each.generation == generation])
    known = ratios[np.isfinite(ratios)]
    return len(known) > 1 and float(np.std(known)) > MOST_APART


def divider_rows() -> list[dict[str, str]]:
    """Per processor: stress-ng's div16 rate of one thread, and of two threads on one core over one of them."""
    return [
        {
            "cpu_model": each.cpu_model,
            "generation": each.generation,
            "div16_per_s": f"{np.exp(each.div16_ln):.1f}" if np.isfinite(each.div16_ln) else "",
            "pair_speedup": f"{each.pair_speedup:.3f}" if np.isfinite(each.pair_speedup) else "",
        }
        for each in dividing()
    ]


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
    _write("dividers.csv", divider_rows())


if __name__ == "__main__":
    main()
