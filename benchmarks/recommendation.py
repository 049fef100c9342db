"""Whether a profile of at most a minute finds the best point, five times over: ``python benchmarks/recommendation.py``.

The demo model (200 trees on digits, gunicorn, one CPU) is profiled PROFILES times, each in a fresh container, and the
plan of the demo's job made of each. As with `planner profile`, a profile knows the CPUs' speed in those before it
(planner.campaign.usual_speed), but in none else. Then wrk (Debian package wrk), on the other CPU, loads every point
that a profile may recommend, in shuffled order, and in ROUNDS - 1 more rounds those that reach NEAR of the best.
Reported: what each recommended point lacks of that grid's best, how far the five predictions lie apart, and how often
an interval holds the middle of another profile's.

A request that wrk's end cuts off counts half: `requests + min(c, workers) / 2` over the time. A cell during which other
programs or the hypervisor took more than CALM of the machine's CPU time is measured again, ATTEMPTS times at most.

``--keep DIR`` holds each profile and each cell of the grid; what is there is not measured again, so the whole may be
done in pieces: ``--stop-after 300`` begins nothing new after so many seconds. ``--report`` measures nothing.
"""

import argparse
import contextlib
import itertools
import json
import math
import os
import random
import statistics
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, TypeAlias

from wrk import load

from planner.campaign import profile
from planner.campaign.bench import point_of
from planner.campaign.points import Point, candidates, concurrency_ladder, records_ladder
from planner.campaign.usual_speed import with_usual_speed
from planner.container import Limits, open_container
from planner.container.contract import Container
from planner.demo.model import make_demo_model
from planner.documents import read_document, replace, write_document
from planner.interval import Interval
from planner.planning.plan import Plan
from planner.planning.recommend import recommend
from planner.profiling.host import host_cpu_s, kept_off, read_host
from planner.profiling.one_speed import at_one_speed
from planner.profiling.payloads import Sample, read_sample
from planner.profiling.profile import Profile
from planner.profiling.replicates import repeat_interval
from planner.records import inspect, repeated

RESULTS: Final = Path(__file__).parent / "results" / "recommendation.txt"
PROFILES: Final = 5
ROUNDS: Final = 3
NEAR: Final = 0.75
TREES, OBJECTS, REPEAT, DEADLINE_S = 200, 12, 2000, 3600.0
"""The demo's."""
CPUS: Final = 1
JSON_LINES: Final = "application/jsonlines"
CALM: Final = 0.03
ATTEMPTS: Final = 3
COMPLETIONS: Final = 30
SHORTEST_S: Final = 2
SAMPLE, ARCHIVE, GRID = Path("sample.jsonl"), Path("model.tar.gz"), Path("grid.jsonl")
SPEEDS = Path("core-speeds.jsonl")
"""What the profiles remember of each other, and of none before."""

May: TypeAlias = Callable[[], bool]
"""Whether something new may be begun."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One point of one round, by wrk."""

    turn: int
    records_per_request: int
    concurrency: int
    records_per_s: float
    others_share: float
    """Of the machine's CPU time, taken by others than the container and wrk."""

    @property
    def point(self) -> Point:
        """Where."""
        return Point(records_per_request=self.records_per_request, concurrency=self.concurrency)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recommendation:
    """One profile, its plan, and what both took."""

    profile: Profile
    plan: Plan
    wall_s: float

    @property
    def point(self) -> Point:
        """The best one, says the profile."""
        assert self.profile.best is not None
        best = self.profile.best
        return Point(records_per_request=best.records_per_request, concurrency=best.concurrency)

    @property
    def rate(self) -> Interval:
        """Records/s that the profile expects of its best point."""
        assert self.profile.best is not None
        return self.profile.best.throughput_records_per_s


def opened() -> Container:
    return open_container(model_dir=ARCHIVE, environment={}, limits=Limits(cpus=CPUS))


def profiled(number: int, time_budget_s: float) -> None:
    """Leave profile, plan and seconds of the whole way in files of that number."""
    dataset = repeated(inspect(Path("input")), REPEAT)
    began_s = time.perf_counter()
    measured = profile(
        opened(), payload=SAMPLE, content_type=JSON_LINES, accept=JSON_LINES, time_budget_s=time_budget_s
    )
    measured = with_usual_speed(measured, SPEEDS)
    plan = recommend(measured, dataset, deadline_s=DEADLINE_S, repeat=REPEAT)
    wall_s = time.perf_counter() - began_s
    write_document(Path(f"plan-{number}.json"), plan)
    Path(f"wall-{number}.txt").write_text(f"{wall_s:.1f}\n")
    write_document(Path(f"profile-{number}.json"), measured)
    print(f"profile {number}: {wall_s:.1f} s, {measured.best}", flush=True)


def recommendations() -> list[Recommendation]:
    """Those in the folder."""
    return [
        Recommendation(
            profile=read_document(path, Profile),
            plan=read_document(path.with_name(path.name.replace("profile", "plan")), Plan),
            wall_s=float(path.with_name(path.name.replace("profile", "wall")).with_suffix(".txt").read_text()),
        )
        for path in sorted(Path().glob("profile-*.json"))
    ]


def grid_points() -> list[Point]:
    """Every point that a profile may recommend."""
    sample = read_sample(SAMPLE, content_type=JSON_LINES, accept=JSON_LINES, split_type="Line")
    mean_bytes = sample.payload.mean_record_bytes
    return list(candidates(records_ladder(mean_bytes), concurrency_ladder(CPUS), mean_bytes))


def cells() -> list[Cell]:
    """Those in the folder, of each place and round the calmest."""
    kept: dict[tuple[int, Point], Cell] = {}
    for cell in attempts():
        kept[cell.turn, cell.point] = min(kept.get((cell.turn, cell.point), cell), cell, key=lambda c: c.others_share)
    return list(kept.values())


def attempts() -> list[Cell]:
    """All in the folder, in order."""
    return [Cell(**json.loads(line)) for line in GRID.read_text().splitlines()] if GRID.exists() else []


def missing(turn: int, points: Sequence[Point]) -> list[Point]:
    """The points of the round that are still to be measured, or once more, in shuffled order."""
    tried = Counter(cell.point for cell in attempts() if cell.turn == turn)
    calm = {cell.point for cell in cells() if cell.turn == turn and cell.others_share <= CALM}
    before = medians([cell for cell in cells() if cell.turn < turn])
    most = max(before.values(), default=0.0)
    order = random.Random(turn).sample(list(points), len(points))
    wanted = [point for point in order if turn == 0 or before.get(point, 0.0) >= NEAR * most]
    return [point for point in wanted if point not in calm and tried[point] < ATTEMPTS]


def measure_grid(may: May) -> None:
    """Append the cells that are missing, as long as one more may be begun."""
    points = grid_points()
    sample = read_sample(SAMPLE, content_type=JSON_LINES, accept=JSON_LINES, split_type="Line")
    for turn in range(ROUNDS):
        while may() and (left := missing(turn, points)):
            with opened() as container, kept_off(container.description.cpu_set or ()):
                for point in itertools.takewhile(lambda _: may(), left):
                    cell = measured_cell(container, sample, turn, point)
                    with GRID.open("a") as stream:
                        stream.write(json.dumps(asdict(cell)) + "\n")


def measured_cell(container: Container, sample: Sample, turn: int, point: Point) -> Cell:
    """The point by wrk, for as long as some thirty requests take."""
    b, c = point.records_per_request, point.concurrency
    bodies = sample.bodies(b)
    for _ in range(2):  # the first waits for what wrk left behind at the point before
        began_s = time.perf_counter()
        container.invoke(bodies[0], content_type=JSON_LINES, accept=JSON_LINES, timeout_s=60)
    seconds = max(SHORTEST_S, math.ceil(COMPLETIONS * (time.perf_counter() - began_s)))
    before, before_host_s, began_s = container.usage(), host_cpu_s(), time.perf_counter()
    seen = load(
        f"http://{container.address.host}:{container.address.port}/invocations",
        bodies=bodies,
        content_type=JSON_LINES,
        concurrency=c,
        seconds=seconds,
    )
    after, after_host_s, ended_s = container.usage(), host_cpu_s(), time.perf_counter()
    assert seen.failed == 0, seen
    assert before is not None
    assert after is not None
    others_s = after_host_s - before_host_s - (after.cpu_s - before.cpu_s) - seen.cpu_s
    return Cell(
        turn=turn,
        records_per_request=b,
        concurrency=c,
        records_per_s=b * (seen.requests + min(c, container.description.workers or 1) / 2) / seen.seconds,
        others_share=max(0.0, others_s / (ended_s - began_s) / (os.cpu_count() or 1)),
    )


def medians(found: Sequence[Cell]) -> dict[Point, float]:
    """Over the rounds."""
    rates = defaultdict[Point, list[float]](list)
    for cell in found:
        rates[cell.point].append(cell.records_per_s)
    return {point: statistics.median(each) for point, each in rates.items()}


def grid_lines(found: Sequence[Cell]) -> Iterator[str]:
    """The grid as a table, and how well its rounds agree."""
    rates = medians(found)
    concurrencies = sorted({point.concurrency for point in rates})
    yield (
        f"records/s by wrk, medians of {ROUNDS} rounds where near the best (marked *), else of one; "
        "rows: records per request, columns: requests in flight"
    )
    yield f"{'':>8}" + "".join(f"{c:>12}" for c in concurrencies)
    best = max(rates, key=lambda point: rates[point])
    for b in sorted({point.records_per_request for point in rates}):
        row = [Point(records_per_request=b, concurrency=c) for c in concurrencies]
        shown = (f"{rates[p]:,.0f}" if p in rates else "-" for p in row)
        marks = ("*" if p == best else " " for p in row)
        yield f"{b:>8,}" + "".join(f"{rate:>11}{mark}" for rate, mark in zip(shown, marks, strict=True))
    pairs = defaultdict[Point, list[float]](list)
    for cell in found:
        pairs[cell.point].append(cell.records_per_s)
    gaps = sorted(100 * (max(each) / min(each) - 1) for each in pairs.values() if len(each) == ROUNDS)
    if gaps:
        middle, far = statistics.median(gaps), gaps[int(0.9 * len(gaps))]
        yield f"the {ROUNDS} rounds lie apart by {middle:.1f} % (median), {far:.1f} % (p90)"
    restless = sum(cell.others_share > CALM for cell in found)
    yield f"{restless} of {len(found)} cells while others took more than {CALM:.0%} of the machine's CPU time"


def recommendation_lines(found: Sequence[Recommendation], rates: Mapping[Point, float]) -> Iterator[str]:
    """One line per profile: where, what it expects, what the grid has there; its plan."""
    most = max(rates.values(), default=math.nan)
    yield " #  wall s  points        best point      expects records/s (±%)   grid has   lacks   plan"
    for number, one in enumerate(found, start=1):
        there = rates.get(one.point, math.nan)
        cost, chosen = one.plan.estimate.cost_usd, one.plan.configuration
        yield (
            f"{number:>2}  {one.wall_s:>6.1f}  {len(one.profile.measurements):>6}"
            f"  {one.point.records_per_request:>8,} x {one.point.concurrency:<4}"
            f"  {one.rate.mid:>12,.0f} (-{100 * (1 - one.rate.low / one.rate.mid):.1f} "
            f"+{100 * (one.rate.high / one.rate.mid - 1):.1f})  {there:>9,.0f}  {100 * (1 - there / most):>5.1f}%"
            f"   {chosen.instance_count} x {chosen.instance_type}, {chosen.max_payload_mb} MB x "
            f"{chosen.max_concurrent_transforms}: ${cost.mid:.4f} (${cost.low:.3f} to ${cost.high:.3f})"
        )


def _apart(values: Sequence[float]) -> str:
    return f"{100 * (max(values) / min(values) - 1):.1f} % from least to most"


def _held(intervals: Sequence[Interval]) -> tuple[int, int]:
    """In how many ordered pairs the one holds the middle of the other, of how many."""
    pairs = list(itertools.permutations(intervals, 2))
    return sum(one.low <= other.mid <= one.high for one, other in pairs), len(pairs)


def machine_lines(found: Sequence[Recommendation]) -> Iterator[str]:
    """How far the machine's own speed lay apart, and the rates were it not for that."""
    read = [[row.reference_s for row in one.profile.measurements if row.reference_s is not None] for one in found]
    if not all(read):
        return
    middles = [statistics.median(each) for each in read]
    within = ", ".join(f"{100 * (max(each) / min(each) - 1):.0f} %" for each in read)
    yield f"the machine, by a fixed computation, medians of the profiles: {_apart(middles)}; within each: {within}"
    steady = [one.rate.mid * middle for one, middle in zip(found, middles, strict=True)]
    yield f"records/s expected of the best point for as much computation: {_apart(steady)}"


def agreement_lines(found: Sequence[Recommendation]) -> Iterator[str]:
    """How far apart the profiles are, and whether their intervals know it."""
    yield f"records/s expected of the best point: {_apart([one.rate.mid for one in found])}"
    yield from machine_lines(found)
    yield f"plan's cost: {_apart([one.plan.estimate.cost_usd.mid for one in found])}"
    same = defaultdict[Point, list[Interval]](list)
    for one in found:
        for row in one.profile.measurements:
            same[point_of(row)].append(repeat_interval(row))
    counted = [_held(each) for each in same.values() if len(each) > 1]
    held, of = sum(h for h, _ in counted), sum(n for _, n in counted)
    kinds = {
        "best point": _held([one.rate for one in found]),
        "plan's cost": _held([one.plan.estimate.cost_usd for one in found]),
        "points that several profiles measured": (held, of),
    }
    for kind, (inside, pairs) in kinds.items():
        yield f"intervals that hold the middle of another profile's, {kind}: {inside} of {pairs}"
    sessions = [one.profile.measurements for one in found]
    together = at_one_speed(*sessions)
    alone = [replace(one.profile, usual_speed=None) for one in found]
    yield f"plan's cost, each profile at its own session's speed: {_apart(costs(alone))}"
    rest = iter(together)
    level = [replace(one, measurements=tuple(itertools.islice(rest, len(one.measurements)))) for one in alone]
    yield f"plan's cost, all profiles brought to one speed of the CPUs: {_apart(costs(level))}"
    for how, rows in (("", [row for session in sessions for row in session]), (", at one speed of the CPUs", together)):
        rates = defaultdict[Point, list[float]](list)
        for row in rows:
            rates[point_of(row)].append(row.throughput_records_per_s)
        gaps = sorted(max(each) / min(each) - 1 for each in rates.values() if len(each) > 1)
        if gaps:
            most = f"{100 * statistics.median(gaps):.1f} % apart (median), {100 * gaps[-1]:.1f} % at most"
            yield f"such points lie {most}{how}"


def costs(profiles: Sequence[Profile]) -> list[float]:
    """Dollars of the plans that they make."""
    dataset = repeated(inspect(Path("input")), REPEAT)
    plans = [recommend(each, dataset, deadline_s=DEADLINE_S, repeat=REPEAT) for each in profiles]
    return [plan.estimate.cost_usd.mid for plan in plans]


def report() -> str:
    """All of it as text."""
    found, grid = recommendations(), cells()
    host = read_host()
    lines = [f"{TREES} trees on digits, {CPUS} CPU; {host.cpu_model}, {host.logical_cpus} CPUs, {host.system}", ""]
    lines += [*grid_lines(grid), ""] if grid else []
    lines += [*recommendation_lines(found, medians(grid)), "", *agreement_lines(found)] if found else []
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keep", type=Path, help="folder that holds what was measured, and goes on from it")
    parser.add_argument("--time-budget", type=float, default=55.0, help="seconds of load of each profile")
    parser.add_argument("--stop-after", type=float, default=math.inf, help="seconds; then nothing new is begun")
    parser.add_argument("--only", choices=("profiles", "grid"), help="this part alone")
    parser.add_argument("--report", action="store_true", help="measure nothing")
    asked = parser.parse_args()
    began_s = time.monotonic()

    def may() -> bool:
        return not asked.report and time.monotonic() - began_s < asked.stop_after

    with contextlib.ExitStack() as stack:
        folder = asked.keep or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.mkdir(parents=True, exist_ok=True)
        stack.enter_context(contextlib.chdir(folder))
        if not ARCHIVE.exists():
            Path("input").mkdir(exist_ok=True)
            make_demo_model(Path(), trees=TREES, objects=OBJECTS)
        for number in range(1, PROFILES + 1) if asked.only != "grid" else ():
            if not Path(f"profile-{number}.json").exists() and may():
                profiled(number, asked.time_budget)
        if asked.only != "profiles":
            measure_grid(may)
        text = report()
        complete = len(recommendations()) == PROFILES and not any(missing(t, grid_points()) for t in range(ROUNDS))
    print(text)
    if complete:
        RESULTS.write_text(f"{text}\n", encoding="utf-8")
    else:
        print("not complete: the same command goes on from here", file=sys.stderr)


if __name__ == "__main__":
    main()
