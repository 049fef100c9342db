"""How well one measurement carries over to the other instance types: ``python benchmarks/hardware.py [REDIS_CSV]``.

Judged on requests/s of a real server (Redis SET, six pipeline depths, server and client on one host) on the EC2 twins
of all 116 transform types. From one type the throughput of the other 115 is predicted with
`planner.performance.hardware`, class unknown; beside it stand what a single public score or the ratio of vCPUs would
have said. Nothing in the planner is fitted to this file. A (depth, source) pair is a cluster: its 115 errors share one
workload and are one draw.
"""

import csv
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import hardware_fit
import hardware_scores
import numpy as np

from planner.catalogue import InstanceType, instance_type, instance_types, price
from planner.interval import Interval
from planner.performance.benchmark_scores import WORKLOAD_CLASSES, WorkloadClass, type_speeds
from planner.performance.hardware import throughput_given, throughput_ratio

SOURCES: Final = ("ml.m5.xlarge", "ml.c5.2xlarge", "ml.m7i.large", "ml.c6i.4xlarge", "ml.g4dn.2xlarge")
MEASURED: Final = hardware_scores.SCORES / "redis_by_instance.csv"
Predict = Callable[[InstanceType, float, InstanceType], Interval]


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One prediction beside the truth."""

    depth: int
    sources: tuple[str, ...]
    target: InstanceType
    measured: float
    predicted: Interval
    same_generation: bool

    @property
    def error(self) -> float:
        """|predicted/measured - 1|."""
        return abs(self.predicted.mid / self.measured - 1)

    @property
    def covered(self) -> bool:
        """Whether the 90 % interval holds the measurement."""
        return self.predicted.low <= self.measured <= self.predicted.high


def requests_per_s(path: Path) -> dict[int, dict[str, float]]:
    """Measured requests/s by pipeline depth and type."""
    result: dict[int, dict[str, float]] = {}
    with path.open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            result.setdefault(int(row["pipeline"]), {})[row["ml_type"]] = float(row["rps"])
    return result


def points(measured: dict[int, dict[str, float]], predict: Predict) -> list[Point]:
    """Every (depth, source, target)."""
    return [
        Point(
            depth=depth,
            sources=(source,),
            target=target,
            measured=rates[target.name],
            predicted=predict(instance_type(source), rates[source], target),
            same_generation=type_speeds()[source].generation == type_speeds()[target.name].generation,
        )
        for depth, rates in measured.items()
        for source in SOURCES
        for target in instance_types()
        if target.name != source
    ]


def points_from_pairs(measured: dict[int, dict[str, float]], *, use_both: bool) -> list[Point]:
    """As `points`, from two measured types of different generations; or, to compare with, from each of them alone."""
    result = []
    for depth, rates in measured.items():
        for index, one in enumerate(SOURCES):
            for other in SOURCES[index + 1 :]:
                known = {type_speeds()[one].generation, type_speeds()[other].generation}
                if len(known) == 1:
                    continue
                both = [(instance_type(name), rates[name]) for name in (one, other)]
                result += [
                    Point(
                        depth=depth,
                        sources=(one, other),
                        target=target,
                        measured=rates[target.name],
                        predicted=throughput_given(given, target),
                        same_generation=type_speeds()[target.name].generation in known,
                    )
                    for target in instance_types()
                    for given in ([both] if use_both else [both[:1], both[1:]])
                    if target.name not in {one, other}
                ]
    return result


def errors(kept: Iterable[Point]) -> str:
    """Median / 90th percentile of the error, in percent."""
    found = [point.error for point in kept]
    return f"{100 * np.median(found):5.1f} /{100 * np.quantile(found, 0.9):6.1f}"


def clusters(found: Sequence[Point]) -> dict[tuple[int, tuple[str, ...]], list[Point]]:
    """The points by depth and source."""
    result: dict[tuple[int, tuple[str, ...]], list[Point]] = {}
    for point in found:
        result.setdefault((point.depth, point.sources), []).append(point)
    return result


def regrets(found: Sequence[Point], measured: dict[int, dict[str, float]]) -> list[float]:
    """By cluster: dollars per request on the type of least predicted dollars per request, over the least there is."""
    hourly = {kind.name: cost.usd_per_hour for kind in instance_types() if (cost := price(kind.name, "us-east-1"))}
    result = []
    for (depth, sources), cluster in clusters(found).items():
        rate = {point.target.name: point.predicted.mid for point in cluster}
        rate.update({source: measured[depth][source] for source in sources})
        truth = {name: hourly[name] / measured[depth][name] for name in rate}
        chosen = min(rate, key=lambda name: hourly[name] / rate[name])
        result.append(truth[chosen] / min(truth.values()) - 1)
    return result


def luck(measured: dict[int, dict[str, float]]) -> tuple[list[float], list[float]]:
    """Regrets that no prediction could avoid: (of one that knew the server's own trend, of that with luck drawn anew).

    The trend of the measured server itself in generation, family and size (`hardware_scores.smooth`) chooses the type.
    What a machine has beyond it is the luck of the one machine that was measured: its regret is the floor. It is one
    draw, so the residuals are also dealt out anew among the machines of their generation, 400 times per depth.
    """
    hourly = np.log([cost.usd_per_hour for kind in instance_types() if (cost := price(kind.name, "us-east-1"))])
    random, seen, redrawn = np.random.default_rng(0), [], []
    for rates in measured.values():
        row = np.log([rates[kind.name] for kind in instance_types()])
        trend = hardware_scores.smooth(row)
        residual, chosen = row - trend, int((hourly - trend).argmin())

        def regret(off: hardware_scores.Floats, trend: hardware_scores.Floats = trend, chosen: int = chosen) -> float:
            cost = hourly - trend - off
            return float(np.exp(cost[chosen] - cost.min()) - 1)

        seen.append(regret(residual))
        for _ in range(400):
            dealt = residual.copy()
            for generation in np.unique(hardware_scores.GENERATION):
                own = np.equal(hardware_scores.GENERATION, generation)
                dealt[own] = random.choice(residual[own], int(own.sum()))
            redrawn.append(regret(dealt))
    return seen, redrawn


def family_chosen(found: Sequence[Point], measured: dict[int, dict[str, float]]) -> float:
    """Share of clusters where the type of least predicted dollars per request is of the family of the true one.

    Sizes of a family cost the same per vCPU, and which of them is a few percent ahead is one machine's luck.
    """
    hourly = {kind.name: cost.usd_per_hour for kind in instance_types() if (cost := price(kind.name, "us-east-1"))}
    hits = []
    for (depth, _), cluster in clusters(found).items():
        chosen = min(cluster, key=lambda point: hourly[point.target.name] / point.predicted.mid).target.family
        best = min(measured[depth], key=lambda name: hourly[name] / measured[depth][name])
        hits.append(chosen == instance_type(best).family)
    return float(np.mean(hits))


def line(name: str, found: Sequence[Point], measured: dict[int, dict[str, float]]) -> str:
    """One row of the table."""
    small = [point for point in found if point.target.vcpus <= 32]
    regret = regrets(found, measured)
    return (
        f"{name:<44}{errors(found)}  {errors(p for p in small if p.same_generation)}  "
        f"{errors(p for p in small if not p.same_generation)}  {errors(p for p in found if p.target.vcpus > 32)}  "
        f"{100 * np.median(regret):5.1f} /{100 * np.quantile(regret, 0.9):6.1f}"
    )


def coverage(name: str, found: Sequence[Point]) -> str:
    """Coverage of the 90 % intervals: overall, worst clusters, and width."""
    shares = {key: float(np.mean([p.covered for p in cluster])) for key, cluster in clusters(found).items()}
    (depth, sources), worst = min(shares.items(), key=lambda item: item[1])
    width = np.median([point.predicted.high / point.predicted.low for point in found])
    near = [p.predicted.high / p.predicted.low for p in found if p.same_generation and p.target.vcpus <= 32]
    return (
        f"{name:<44}{100 * np.mean([p.covered for p in found]):5.1f} %  worst cluster {100 * worst:5.1f} % "
        f"(depth {depth}, {' + '.join(sources)})  clusters below 75 %: {sum(s < 0.75 for s in shares.values())} of "
        f"{len(shares)}  median high/low {width:.2f}, same generation <= 32 vCPU {np.median(near):.2f}"
    )


def by_class(workload_class: WorkloadClass) -> Predict:
    """The planner's prediction for a class."""
    return lambda source, rate, target: throughput_ratio(source, target, workload_class).scaled(rate)


def by_score(log: hardware_scores.Floats) -> Predict:
    """What one score's ratio says."""

    def predict(source: InstanceType, rate: float, target: InstanceType) -> Interval:
        step = log[hardware_scores.INDEX[target.name]] - log[hardware_scores.INDEX[source.name]]
        return Interval.exactly(rate * float(np.exp(step)))

    return predict


def main(path: Path) -> None:
    """Print errors, coverage and regret, the planner's beside the baselines', then the held-out benchmark suites."""
    measured = requests_per_s(path)
    header = "same generation <=32, other generation <=32, >32 vCPU; regret"
    print(f"Errors in %, median / 90th percentile: all types, {header}")
    one, pairs = points(measured, by_class("unknown")), points_from_pairs(measured, use_both=True)
    print(line("planner, class unknown", one, measured))
    print(line("planner, two measured generations", pairs, measured))
    print(line("  either of the two alone", points_from_pairs(measured, use_both=False), measured))
    for workload_class in WORKLOAD_CLASSES[:2]:
        print(line(f"planner, class {workload_class}", points(measured, by_class(workload_class)), measured))
    print(line("ratio of vCPUs", points(measured, by_score(np.log(hardware_scores.VCPUS))), measured))
    log = hardware_scores.scores()
    for name, row in log.items():
        if name.endswith(":multi") and np.isfinite(row).all():
            print(line(name, points(measured, by_score(row)), measured))
    coremark = "coremark:iterations_per_second:multi"
    everywhere = hardware_scores.filled(log[coremark], log["passmark:cpu_mark:multi"])
    print(line(f"{coremark} (7 gaps filled)", points(measured, by_score(everywhere)), measured))
    print("\nCoverage of the 90 % intervals")
    print(coverage("planner, class unknown", one))
    print(coverage("planner, two measured generations", pairs))
    for workload_class in WORKLOAD_CLASSES[:2]:
        print(coverage(f"planner, class {workload_class}", points(measured, by_class(workload_class))))
    print(f"\nClusters where the cheapest family was chosen: {100 * family_chosen(one, measured):.0f} %")
    for name, found in zip(("as it was measured", "machines' luck dealt anew"), luck(measured), strict=True):
        print(
            f"Regret of a prediction that knew the server's own trend, {name}: median {100 * np.median(found):.1f} %, "
            f"90th percentile {100 * np.quantile(found, 0.9):.1f} %"
        )
    slope, error = hardware_fit.shared_luck(log)
    print(f"CoreMark's residual on the residual that the other suites share: slope {slope:.2f} ± {error:.2f} (1 sd)")
    print("\nBenchmark suites held out of mean and spread (class unknown): coverage, clusters of 75 % or more")
    rows = hardware_scores.classes(log)["unknown"]
    for busy in ("thread", "instance"):
        for suite, share in hardware_fit.held_out_coverage(rows, hardware_fit.table_z(rows), busy).items():
            name = f"{suite}, {'one thread' if busy == 'thread' else 'all vCPUs'}"
            print(f"{name:<44}{100 * share.mean():5.1f} %  {100 * np.mean(share >= 0.75):5.1f} % of {share.size}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else MEASURED)
