"""Measurements made up from a law, for rules that are handed `measure`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from planner.campaign.bench import Bench
from planner.campaign.points import Point
from planner.container.contract import ContainerDescription, Limits
from planner.interval import Interval
from planner.profiling.profile import Host, Measurement, Payload, Profile

Law = Callable[[Point], float]
"""Point -> records per second."""


def plateau(point: Point) -> float:
    """Two workers with a fixed cost per request: more of both is better, then hardly."""
    b, c = point.records_per_request, point.concurrency
    return b / (1e-3 + 5e-5 * b) * min(c, 2)


def hill(point: Point) -> float:
    """Quadratic cost of a request: best near 300 records, and two in flight."""
    b, c = point.records_per_request, point.concurrency
    return b / (1e-3 + 2e-5 * b + 1e-8 * b * b) * min(c, 2) / (1 + 0.1 * max(0, c - 2))


def row(
    point: Point, rate: float, *, log_sd: float = 0.01, disturbed: float | None = 0.0, started_at_s: float = 0.0
) -> Measurement:
    latency_s = point.concurrency * point.records_per_request / rate
    return Measurement(
        records_per_request=point.records_per_request,
        concurrency=point.concurrency,
        cpus=2,
        workers=2,
        started_at_s=started_at_s,
        duration_s=1,
        warmup_s=0.1,
        warmup_requests=2,
        requests=40,
        errors=0,
        throughput_records_per_s=rate,
        throughput_interval_records_per_s=Interval.from_log_sd(rate, log_sd),
        latency_s=(latency_s,) * 40,
        cpu_s=40 * 1e-3,
        memory_peak_bytes=2**28,
        request_bytes=160.0 * point.records_per_request,
        response_bytes=2.0 * point.records_per_request,
        disturbed_share=disturbed,
    )


def profile_of(
    rows: Sequence[Measurement] = (), *, target: str = "made up", environment: dict[str, str] | None = None
) -> Profile:
    return Profile(
        host=Host(cpu_model="made up", logical_cpus=2, memory_bytes=2**33, system="none"),
        container=ContainerDescription(
            backend="process", target=target, environment=environment or {}, limits=Limits(), workers=2
        ),
        payload=Payload(
            source="none",
            digest="0" * 64,
            content_type="text/csv",
            split_type="Line",
            records=1000,
            bytes=160_000,
            largest_record_bytes=160,
        ),
        idle_memory_bytes=2**27,
        measurements=tuple(rows),
    )


@dataclass
class MadeUp:
    """A law, and the clock and the points that measuring it spends."""

    law: Law
    budget_s: float = 60.0
    now_s: float = 0.0
    asked: list[Point] = field(default_factory=list)
    disturb: Callable[[int], float] = lambda _: 0.0
    """Number of the measurement -> what others took."""
    alone_s: Callable[[int], float] = lambda _: 1e-3
    """Records per request -> seconds of one request."""

    def measure(self, point: Point, time_s: float) -> Measurement:
        disturbed = self.disturb(len(self.asked))
        self.asked.append(point)
        self.now_s += time_s
        return row(point, self.law(point) * (1 - disturbed), disturbed=disturbed, started_at_s=self.now_s)

    def bench(self) -> Bench:
        return Bench(
            workers=2, probe=self.alone_s, measure=self.measure, seconds_left=lambda: self.budget_s - self.now_s
        )
