from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from planner.campaign.bench import Bench, Refused, ServiceTimes, Skipped, run_points
from planner.campaign.points import Point, checkerboard, concurrency_ladder, records_ladder
from planner.interval import Interval
from planner.profiling.profile import Measurement
from planner.units import MIB

RECORD_BYTES = st.floats(1, 50 * MIB)


def measurement(point: Point) -> Measurement:
    return Measurement(
        records_per_request=point.records_per_request,
        concurrency=point.concurrency,
        cpus=1,
        started_at_s=0,
        duration_s=1,
        warmup_s=0,
        warmup_requests=0,
        requests=1,
        errors=0,
        throughput_records_per_s=1,
        throughput_interval_records_per_s=Interval.exactly(1),
        latency_s=(1.0,),
        request_bytes=1,
        response_bytes=1,
    )


@dataclass
class SimulatedServer:
    """A server with S(b) = s0 + s1 b, and the clock it spends."""

    s0: float = 0.005
    s1: float = 0.0001
    largest: int = 10**9
    budget_s: float = 60.0
    now_s: float = 0.0
    probed: list[int] = field(default_factory=list)
    measured: list[tuple[Point, float]] = field(default_factory=list)

    def probe(self, records: int) -> float | Refused:
        self.probed.append(records)
        if records > self.largest:
            return Refused(reason="too large (status 413)")
        self.now_s += self.s0 + self.s1 * records
        return self.s0 + self.s1 * records

    def measure(self, point: Point, time_s: float) -> Measurement:
        self.measured.append((point, time_s))
        self.now_s += time_s
        return measurement(point)

    def run(self, planned: tuple[Point, ...], workers: int = 2) -> list[Measurement | Skipped]:
        def left_s() -> float:
            return self.budget_s - self.now_s

        bench = Bench(workers=workers, probe=self.probe, measure=self.measure, seconds_left=left_s)
        return list(run_points(planned, bench))


def grid(mean_record_bytes: float = 160, workers: int = 2) -> tuple[Point, ...]:
    return checkerboard(records_ladder(mean_record_bytes), concurrency_ladder(workers), mean_record_bytes)


@given(RECORD_BYTES)
def test_the_ladder_reaches_from_one_record_to_six_mib_without_wide_gaps(mean_record_bytes: float) -> None:
    ladder = records_ladder(mean_record_bytes)
    assert ladder[0] == 1
    assert list(ladder) == sorted(set(ladder))
    if mean_record_bytes <= MIB:
        assert int(MIB // mean_record_bytes) in ladder
        assert int(6 * MIB // mean_record_bytes) in ladder
    assert all(larger <= 24 * smaller for smaller, larger in pairwise(ladder))
    assert len(ladder) <= 9


@given(st.integers(1, 200))
def test_the_concurrency_ladder_passes_the_number_of_workers(workers: int) -> None:
    ladder = concurrency_ladder(workers)
    assert ladder[0] == 1
    assert len(ladder) <= 5
    assert min(100, 2 * workers) / 2 <= ladder[-1] <= 100
    if workers <= 25:
        assert 2 * workers <= ladder[-1] <= max(4, 4 * workers)


@given(RECORD_BYTES, st.integers(1, 64))
def test_the_design_holds_its_corners_and_nothing_that_the_api_forbids(size: float, workers: int) -> None:
    records, concurrencies = records_ladder(size), concurrency_ladder(workers)
    assume(size <= 25 * MIB)
    points = checkerboard(records, concurrencies, size)
    assert len(set(points)) == len(points)
    assert points[0] == Point(records_per_request=1, concurrency=1)
    for point in points:
        assert point.concurrency * max(1.0, point.records_per_request * size / MIB) <= 100
    assert {p.records_per_request for p in points} == set(records)
    allowed = [c for c in concurrencies if c * max(1.0, size / MIB) <= 100]
    assert max(p.concurrency for p in points) >= max(c for c in allowed if c <= 100 // max(1, -(-size // MIB)))


def test_the_corners_come_first() -> None:
    points = grid()
    corners = {(1, 1), (1, 8), (39321, 1), (39321, 8)}
    assert {(p.records_per_request, p.concurrency) for p in points[:4]} == corners
    assert len(points) == 14


@given(st.dictionaries(st.integers(1, 1000), st.floats(1e-4, 10), min_size=1), st.integers(1, 10**6))
def test_service_time_is_never_extrapolated_above_proportional(known: dict[int, float], records: int) -> None:
    times = ServiceTimes(known_s=known)
    largest = max(known)
    expected = times.expected_s(records)
    if records > largest:
        assert known[largest] <= expected <= known[largest] * records / largest * (1 + 1e-9)
    elif records >= min(known):
        assert min(known.values()) * (1 - 1e-9) <= expected <= max(known.values()) * (1 + 1e-9)


def test_a_linear_service_time_is_extrapolated_exactly() -> None:
    times = ServiceTimes(known_s={1: 1.1, 10: 2.0})
    assert times.expected_s(100) == pytest.approx(11.0)


@settings(deadline=None)
@given(s0=st.floats(1e-4, 2), s1=st.floats(0, 0.01), budget_s=st.floats(1, 120), workers=st.integers(1, 16))
def test_every_planned_point_is_measured_or_skipped_with_its_reason_and_the_budget_holds(
    s0: float, s1: float, budget_s: float, workers: int
) -> None:
    server = SimulatedServer(s0=s0, s1=s1, budget_s=budget_s)
    planned = grid(workers=workers)
    outcomes = server.run(planned, workers)
    skipped = [o.point for o in outcomes if isinstance(o, Skipped)]
    measured = [point for point, _ in server.measured]
    assert sorted([*skipped, *measured]) == sorted(planned)
    assert all(o.reason for o in outcomes if isinstance(o, Skipped))
    # The first point is measured in any case; beyond the budget at most the one that was begun in time.
    assert measured[0] == planned[0]
    first_s = server.measured[0][1] + s0 + s1
    assert server.now_s <= max(budget_s + 0.2, first_s + budget_s)


def test_time_is_shared_out_evenly_when_everything_is_quick() -> None:
    server = SimulatedServer(s0=0.001, s1=1e-7)
    server.run(grid())
    times = [time_s for _, time_s in server.measured]
    assert max(times) <= 1.2 * min(times)
    assert 55 <= server.now_s <= 60


def test_sizes_that_would_take_too_long_are_never_sent() -> None:
    server = SimulatedServer(s0=0.01, s1=0.01)
    outcomes = server.run(grid())
    assert max(server.probed) * 0.01 <= 60 / 4
    reasons = {o.reason for o in outcomes if isinstance(o, Skipped)}
    assert any("too long for the time budget" in reason for reason in reasons)


def test_a_size_that_the_container_refuses_ends_the_ladder() -> None:
    server = SimulatedServer(largest=1000)
    outcomes = server.run(grid())
    refused = {o.point.records_per_request for o in outcomes if isinstance(o, Skipped)}
    assert refused == {6553, 39321}
    assert {o.reason for o in outcomes if isinstance(o, Skipped)} == {"too large (status 413)"}


def test_probes_climb_in_steps_that_a_slope_can_be_trusted_over() -> None:
    server = SimulatedServer()
    server.run((Point(records_per_request=1, concurrency=1), Point(records_per_request=10_000, concurrency=1)))
    assert server.probed[0] == 1
    assert server.probed[-1] == 10_000
    assert all(later <= 16 * earlier for earlier, later in pairwise(server.probed))
