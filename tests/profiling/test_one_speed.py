"""Rows of a machine whose CPUs change their speed, brought to one speed."""

import itertools
import math

import numpy as np
import pytest

from planner.campaign.points import Point
from planner.documents import replace
from planner.profiling.one_speed import ARTEFACT, FEWEST_WINDOWS, RESIDUAL, at_mean_speed, at_one_speed, speed_of
from planner.profiling.profile import Measurement
from planner.profiling.replicates import merged
from tests.campaign.surfaces import plateau, row

POINTS = [Point(records_per_request=b, concurrency=c) for b, c in itertools.product((1, 8, 64, 512), (1, 2, 4))]
SPEED = 2.5e7


def windows(*, feels: float = 0.9, computing: float = 1.0, sd: float = 0.2, seed: int = 0) -> list[Measurement]:
    """A window of each point of a container that computes so much of its time and feels so much of the speed."""
    found = []
    for point, deviation in zip(POINTS, np.random.default_rng(seed).normal(0, sd, len(POINTS)).tolist(), strict=True):
        cost = math.exp(-feels * deviation)
        time = 1 + computing * (cost - 1)
        busy = computing * cost / time * min(point.concurrency, 2)
        found.append(window(point, plateau(point) / time, busy, SPEED * math.exp(deviation), feels * sd))
    return found


def window(point: Point, rate: float, busy: float, speed: float, unsteadiness: float) -> Measurement:
    one = row(point, rate)
    duration_s = one.requests * point.records_per_request / rate
    return replace(one, duration_s=duration_s, cpu_s=busy * duration_s, core_speed=speed, unsteadiness=unsteadiness)


def scatter(rows: list[Measurement]) -> float:
    """Standard deviation of ln(rate / the law's)."""
    return float(
        np.std([math.log(one.throughput_records_per_s / plateau(at)) for at, one in zip(POINTS, rows, strict=True)])
    )


@pytest.mark.parametrize("feels", [0.5, 0.7, 0.9])
def test_a_busy_container_s_windows_agree_at_one_speed(feels: float) -> None:
    rows = windows(feels=feels)
    assert scatter(rows) > 0.06
    assert scatter(at_one_speed(rows)) < 0.4 * scatter(rows)


def test_latencies_and_cpu_seconds_go_with_the_rate() -> None:
    for before, after in zip(rows := windows(), at_one_speed(rows), strict=True):
        assert after.throughput_records_per_s * after.mean_latency_s == pytest.approx(
            before.throughput_records_per_s * before.mean_latency_s
        )
        assert after.throughput_records_per_s * after.duration_s == pytest.approx(
            before.throughput_records_per_s * before.duration_s
        )
        assert after.throughput_interval_records_per_s.mid == pytest.approx(after.throughput_records_per_s)
        assert after.cpus_busy == pytest.approx(before.cpus_busy)


def test_what_is_left_is_believed_more_and_moved_once_only() -> None:
    once = at_one_speed(windows())
    assert all(one.core_speed is None for one in once)
    for before, after in zip(windows(), once, strict=True):
        part = after.between_windows_log_sd / before.between_windows_log_sd
        assert RESIDUAL < part < 0.5 * (1 + RESIDUAL)
        assert after.session_log_sd == pytest.approx(before.session_log_sd)
    assert at_one_speed(once) == once


def test_a_server_that_waits_hardly_moves() -> None:
    rows = windows(computing=0.05)
    assert scatter(rows) < 0.02
    assert scatter(at_one_speed(rows)) < 0.02
    moves = [
        after.throughput_records_per_s / before.throughput_records_per_s
        for before, after in zip(rows, at_one_speed(rows), strict=True)
    ]
    assert max(map(abs, map(math.log, moves))) < 0.04


def test_speeds_that_vary_no_more_than_the_sampled_loop_does_by_itself_move_nothing() -> None:
    rows = windows(sd=0.7 * ARTEFACT)
    assert at_one_speed(rows) == rows


def test_speeds_that_vary_a_little_more_are_believed_in_part() -> None:
    moves = []
    for sd in (2 * ARTEFACT, 5 * ARTEFACT):
        rows = windows(sd=sd)
        after = at_one_speed(rows)
        assert RESIDUAL < after[0].unexplained < 1
        ratios = [a.throughput_records_per_s / b.throughput_records_per_s for a, b in zip(after, rows, strict=True)]
        moves.append(float(np.std(np.log(ratios))) / sd)
    assert 0.1 < moves[0] < 0.75 * moves[1]


def test_few_windows_and_windows_without_a_speed_stay_as_they_are() -> None:
    few = windows()[: FEWEST_WINDOWS - 1]
    assert at_one_speed(few) == few
    unknown = [replace(one, core_speed=None) for one in windows()]
    assert at_one_speed(unknown) == unknown
    mixed = [unknown[0], *windows()[1:]]
    assert at_one_speed(mixed)[0] == unknown[0]
    assert at_one_speed(mixed)[1] != mixed[1]


def test_that_two_busy_threads_of_one_core_slow_each_other_stays() -> None:
    rows = []
    for point in POINTS:
        slowed = 0.6 if point.concurrency > 1 else 1.0
        rows.append(window(point, slowed * plateau(point), min(point.concurrency, 2), slowed * SPEED, 0.1))
    assert [one.throughput_records_per_s for one in at_one_speed(rows)] == pytest.approx(
        [one.throughput_records_per_s for one in rows], rel=0.02
    )


def test_sessions_are_brought_to_one_speed_and_a_container_that_changed_stays_changed() -> None:
    def slower(rows: list[Measurement], cost: float, speed: float) -> list[Measurement]:
        return [
            replace(
                one,
                throughput_records_per_s=one.throughput_records_per_s / cost,
                duration_s=one.duration_s * cost,
                cpu_s=(one.cpu_s or 0) * cost,
                core_speed=(one.core_speed or 0) * speed,
            )
            for one in rows
        ]

    def ratio(rows: list[Measurement]) -> float:
        logs = [math.log(one.throughput_records_per_s) for one in rows]
        return math.exp(np.mean(logs[len(POINTS) :]) - np.mean(logs[: len(POINTS)]))

    first = windows()
    same = slower(windows(seed=1), 1.25, 0.8)  # the machine alone: it was a fifth slower, and so was the container
    other = slower(windows(seed=1), 1.25, 1.0)
    assert ratio(at_one_speed(first, same)) == pytest.approx(1, abs=0.08)
    assert ratio(at_one_speed(first, other)) == pytest.approx(0.8, abs=0.08)


def test_windows_of_one_point_merge_at_their_mean_speed() -> None:
    point = Point(records_per_request=100, concurrency=2)
    slow, fast = (
        replace(row(point, rate), core_speed=speed, cpu_s=None, unsteadiness=0.2)
        for rate, speed in ((800.0, 2e7), (1000.0, 2.5e7))
    )
    one = merged([slow, fast])
    assert one.core_speed == pytest.approx(math.sqrt(2e7 * 2.5e7))
    assert one.throughput_records_per_s == pytest.approx(math.sqrt(800 * 1000), rel=0.01)
    assert one.unsteadiness == 0.2
    blind = merged([replace(slow, core_speed=None), replace(fast, core_speed=None)])
    assert one.repeat_log_sd < 0.75 * blind.repeat_log_sd
    assert blind.core_speed is None
    assert at_mean_speed([slow, replace(fast, core_speed=None)])[1] is None


@pytest.mark.parametrize("sd", [0.0, 0.2])
def test_windows_are_brought_to_a_lower_speed_as_a_whole(sd: float) -> None:
    rows = windows(sd=sd)
    usual, slower = at_one_speed(rows), at_one_speed(rows, faster=0.1)
    moves = [
        math.log(a.throughput_records_per_s / b.throughput_records_per_s) for a, b in zip(slower, usual, strict=True)
    ]
    assert np.ptp(moves) < 1e-9
    assert -0.1 < moves[0] < -0.05
    assert slower[0].unexplained == usual[0].unexplained
    assert slower[0].cpus_busy == pytest.approx(usual[0].cpus_busy)


def test_windows_without_a_speed_follow_the_others_of_their_session() -> None:
    rows = [replace(windows(sd=0)[0], core_speed=None), *windows(sd=0)[1:]]
    ratios = [
        after.throughput_records_per_s / before.throughput_records_per_s
        for before, after in zip(rows, at_one_speed(rows, faster=0.05), strict=True)
    ]
    assert ratios == pytest.approx([ratios[0]] * len(rows))
    assert ratios[0] < 0.98


def test_a_session_s_speed_does_not_depend_on_how_busy_its_points_were() -> None:
    def slowing(points: list[Point]) -> list[Measurement]:
        """Of two hardware threads of one core."""
        return [
            window(
                point,
                plateau(point),
                busy := min(point.concurrency, 2),
                SPEED * math.exp(-0.5 * (busy - 1)),
                0.02,
            )
            for point in points
        ]

    assert speed_of(slowing(POINTS)) == pytest.approx(SPEED)
    assert speed_of(slowing(POINTS[1:] * 2)) == pytest.approx(SPEED)
    alone = [window(POINTS[0], 100.0, 1.0 + noise, SPEED, 0.02) for noise in (0.0, 0.01, 0.03)]
    assert speed_of(alone) == pytest.approx(SPEED)
    assert speed_of([replace(one, core_speed=None) for one in alone]) is None
