"""What the choice of points is worth: ``python -m benchmarks.points``.

Servers whose laws are known are measured with 2 % noise (one window in ten is disturbed, which the rule is told: 15 %
noise and as much loss) at the points of three designs: the plain checkerboard; the same and then the model's two best
points; the adaptive rule, which also ends with two such and measures the best again while 54 s last, each window taking
WINDOW_S. The loss is what the recommended measured point truly lacks of the
best point of the whole plane of candidates; the error is the fitted model's over that plane. Seeds are fixed; results
are stored beside it.
"""

import math
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from planner.campaign.adaptive import run_adaptive
from planner.campaign.bench import Bench, point_of
from planner.campaign.deciding import best_point, by_throughput, outlook, throughput_advice
from planner.campaign.points import Point, candidates, checkerboard, concurrency_ladder, records_ladder
from planner.container.contract import ContainerDescription, Limits
from planner.documents import replace
from planner.interval import Interval
from planner.profiling.profile import Host, Measurement, Payload, Profile

RESULTS = Path(__file__).parent / "results" / "points.txt"
SEEDS = 5
RECORD_BYTES = 160.0
NOISE, DISTURBED_NOISE, DISTURBED = 0.02, 0.15, 0.1
CPUS = 2.0
_BUDGET_S, WINDOW_S = 54.0, 1.75


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """What a request costs, as functions of records per request; two CPUs."""

    cpu_s: Callable[[float], float]
    waiting_s: Callable[[float], float] = lambda _: 0.0
    lock_s: Callable[[float], float] = lambda _: 0.0
    workers: int | None = 2
    places: float = 2.0
    """Requests in progress at once."""
    hindrance: float = 0.0
    """Growth of the time between completions for each request in flight beyond the places."""

    def records_per_s(self, point: Point) -> float:
        """The true rate: the largest of its bounds, rounded off where they meet."""
        b, c = point.records_per_request, point.concurrency
        cpu, lock = self.cpu_s(b), self.lock_s(b)
        alone = (cpu + self.waiting_s(b) + lock) / min(c, self.places)
        spacing = (alone**8 + (cpu / CPUS) ** 8 + lock**8) ** 0.125
        return b / float(spacing * (1 + self.hindrance * max(0.0, c - self.places)))


SURFACES: dict[str, Server] = {
    "pre-forked": Server(cpu_s=lambda b: 1e-3 + 5e-5 * b),
    "waiting": Server(cpu_s=lambda b: 2e-4 + 2e-6 * b, waiting_s=lambda b: 2e-2 + 1e-5 * b, workers=1, places=4),
    "locked": Server(cpu_s=lambda b: 3e-4 + 5e-6 * b, lock_s=lambda b: 5e-4 + 4e-5 * b, workers=None, places=16),
    "kernel": Server(cpu_s=lambda b: 2e-3 + 2e-6 * b + 6e-5 * max(0.0, b - 32)),
    "hindering": Server(cpu_s=lambda b: 1e-3 + 3e-5 * b, hindrance=0.06),
    "quadratic": Server(cpu_s=lambda b: 1e-3 + 2e-5 * b + 1e-8 * b * b),
    "cache": Server(cpu_s=lambda b: 1e-3 + 2e-5 * b + 2e-5 * max(0.0, b - 700)),
    "padded": Server(cpu_s=lambda b: 4e-4 + 3e-6 * b + 1.2e-3 * math.ceil(b / 64)),
    "thrashing": Server(cpu_s=lambda b: 2e-4 + 1e-5 * b, workers=None, places=3, hindrance=0.25),
    "few places": Server(cpu_s=lambda b: 2e-4 + 2e-7 * b, waiting_s=lambda b: 3e-2 + 3e-5 * b, workers=4, places=6),
}
"""Most have their best point at many records; the last five inside the plane or on a narrow ridge."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One design on one server with one seed."""

    points: int
    loss: float
    errors: list[float]
    fit_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Plane:
    """The points of one server and what it truly does there."""

    server: Server
    design: tuple[Point, ...]
    all: tuple[Point, ...]

    @property
    def best(self) -> float:
        """The highest true rate."""
        return max(self.server.records_per_s(point) for point in self.all)


def plane(server: Server) -> Plane:
    records, concurrencies = records_ladder(RECORD_BYTES), concurrency_ladder(server.workers or 2)
    return Plane(
        server=server,
        design=checkerboard(records, concurrencies, RECORD_BYTES),
        all=candidates(records, concurrencies, RECORD_BYTES),
    )


def opening(server: Server) -> Profile:
    """The profile before the first point."""
    return Profile(
        host=Host(cpu_model="synthetic", logical_cpus=int(CPUS), memory_bytes=2**33, system="none"),
        container=ContainerDescription(
            backend="process", target="synthetic", environment={}, limits=Limits(cpus=CPUS), workers=server.workers
        ),
        payload=Payload(
            source="none",
            digest="0" * 64,
            content_type="text/csv",
            split_type="Line",
            records=1000,
            bytes=int(1000 * RECORD_BYTES),
            largest_record_bytes=int(RECORD_BYTES),
        ),
        measurements=(),
    )


def measuring(server: Server, seed: int) -> Callable[[Point, float], Measurement]:
    """A measurement as the profiler would take it; each call draws new noise."""
    random = np.random.default_rng(seed)

    def measure(point: Point, _time_s: float) -> Measurement:
        disturbed = bool(random.random() < DISTURBED)
        noise = DISTURBED_NOISE if disturbed else NOISE
        rate = server.records_per_s(point) * math.exp(noise * random.standard_normal() - (noise if disturbed else 0.0))
        latency_s = point.concurrency * point.records_per_request / rate
        return Measurement(
            records_per_request=point.records_per_request,
            concurrency=point.concurrency,
            cpus=CPUS,
            workers=server.workers,
            started_at_s=0.0,
            duration_s=1.5,
            warmup_s=0.2,
            warmup_requests=5,
            requests=60,
            errors=0,
            throughput_records_per_s=rate,
            throughput_interval_records_per_s=Interval.from_log_sd(rate, noise / 2),
            latency_s=tuple((latency_s * random.gamma(25.0, 1 / 25.0, 60)).tolist()),
            cpu_s=60 * server.cpu_s(point.records_per_request),
            request_bytes=RECORD_BYTES * point.records_per_request,
            response_bytes=2.0 * point.records_per_request,
            disturbed_share=0.4 if disturbed else 0.02,
        )

    return measure


def _outcome(where: Plane, rows: Sequence[Measurement], fit_s: float) -> Outcome:
    best = best_point(rows)
    assert best is not None
    chosen = Point(records_per_request=best.records_per_request, concurrency=best.concurrency)
    seen = outlook(replace(opening(where.server), measurements=tuple(rows)), where.all)
    assert seen is not None
    truth = np.log([where.server.records_per_s(point) for point in seen.points])
    errors = np.abs(np.expm1(seen.mid - truth)).tolist()
    return Outcome(
        points=len(rows), loss=1 - where.server.records_per_s(chosen) / where.best, errors=errors, fit_s=fit_s
    )


def plain(where: Plane, seed: int, verified: int) -> Outcome:
    """The checkerboard, and then so many of the model's best points."""
    measure = measuring(where.server, seed)
    rows = [measure(point, 1.0) for point in where.design]
    if verified:
        seen = outlook(replace(opening(where.server), measurements=tuple(rows)), where.all)
        assert seen is not None
        held = {point_of(row) for row in rows}
        advised = throughput_advice(seen, rows).recommended[:verified]
        rows += [measure(point, 1.0) for point in advised if point not in held]
    return _outcome(where, rows, 0.0)


def adaptive(where: Plane, seed: int) -> Outcome:
    """The rule."""
    measure = measuring(where.server, seed)
    windows = 0

    def measure_and_count(point: Point, time_s: float) -> Measurement:
        nonlocal windows
        windows += 1
        return measure(point, time_s)

    bench = Bench(
        workers=where.server.workers or 2,
        probe=lambda _: 1e-3,
        measure=measure_and_count,
        seconds_left=lambda: _BUDGET_S - WINDOW_S * windows,
    )
    began_s = time.perf_counter()
    rows: dict[Point, Measurement] = {}
    for row in run_adaptive(where.design, where.all, bench, by_throughput(opening(where.server))):
        if isinstance(row, Measurement):
            rows[point_of(row)] = row
    return _outcome(where, list(rows.values()), time.perf_counter() - began_s)


DESIGNS: dict[str, Callable[[Plane, int], Outcome]] = {
    "checkerboard": lambda where, seed: plain(where, seed, 0),
    "checkerboard + 2": lambda where, seed: plain(where, seed, 2),
    "adaptive": adaptive,
}


def table(seeds: int = SEEDS) -> str:
    """The losses and errors as text."""
    lines = [
        f"{seeds} seeds each; loss of the recommended measured point: mean (largest), %; model error: median/p90, %",
        "",
    ]
    lines.append(f"{'server':<20}" + "".join(f"{name:^32}" for name in DESIGNS))
    pooled: dict[str, list[Outcome]] = {name: [] for name in DESIGNS}
    for name, server in SURFACES.items():
        where, cells = plane(server), []
        for design, run in DESIGNS.items():
            outcomes = [run(where, 1000 + seed) for seed in range(seeds)]
            pooled[design] += outcomes
            cells.append(_cell(outcomes))
        lines.append(f"{name:<20}" + "".join(f"{cell:^32}" for cell in cells))
    lines.append(f"{'all':<20}" + "".join(f"{_cell(pooled[name]):^32}" for name in DESIGNS))
    seconds = statistics.fmean(outcome.fit_s for outcome in pooled["adaptive"])
    lines += ["", f"deciding took {seconds:.1f} s of each adaptive session (fits included)"]
    return "\n".join(lines)


def _cell(outcomes: Sequence[Outcome]) -> str:
    losses = [100 * outcome.loss for outcome in outcomes]
    errors = [100 * error for outcome in outcomes for error in outcome.errors]
    points = statistics.fmean(outcome.points for outcome in outcomes)
    median, p90 = np.quantile(errors, [0.5, 0.9])
    return f"{statistics.fmean(losses):.2f} ({max(losses):.1f})  {median:.1f}/{p90:.0f}  {points:.0f} pts"


def main() -> None:
    text = table()
    print(text)
    RESULTS.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
