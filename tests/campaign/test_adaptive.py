from collections.abc import Sequence

import pytest

from planner.campaign.adaptive import POINTS, START_POINTS, Advice, Decide, run_adaptive
from planner.campaign.bench import Skipped, point_of
from planner.campaign.deciding import best_point, by_throughput
from planner.campaign.points import Point, candidates, checkerboard, concurrency_ladder, records_ladder
from planner.errors import TooFewRequestsError
from planner.profiling.profile import Measurement
from tests.campaign.surfaces import Law, MadeUp, hill, plateau, profile_of, row

RECORDS, CONCURRENCIES = records_ladder(160), concurrency_ladder(2)
DESIGN = checkerboard(RECORDS, CONCURRENCIES, 160)
CANDIDATES = candidates(RECORDS, CONCURRENCIES, 160)


def at(records: int, concurrency: int) -> Point:
    return Point(records_per_request=records, concurrency=concurrency)


def fixed(advice: Advice | None) -> Decide:
    return lambda _rows, _candidates: advice


def rows_of(server: MadeUp, decide: Decide, held: Sequence[Measurement] = ()) -> list[Measurement]:
    outcomes = run_adaptive(DESIGN, CANDIDATES, server.bench(), decide, held=held)
    return [outcome for outcome in outcomes if isinstance(outcome, Measurement)]


@pytest.mark.parametrize("law", [plateau, hill])
def test_the_recommended_point_loses_little_of_the_best_of_the_plane(law: Law) -> None:
    server = MadeUp(law)
    best = best_point(rows_of(server, by_throughput(profile_of())))
    assert best is not None
    truth = max(law(point) for point in CANDIDATES)
    assert law(at(best.records_per_request, best.concurrency)) >= 0.97 * truth
    assert server.now_s <= server.budget_s
    assert START_POINTS < len(set(server.asked)) <= POINTS


def test_it_starts_with_the_corners_and_ends_with_the_recommended_points() -> None:
    advice = Advice(recommended=(at(100, 3), at(200, 3)), telling=(at(7, 3), at(50, 3)), gain=1.0)
    server = MadeUp(plateau)
    rows_of(server, fixed(advice))
    assert server.asked[:START_POINTS] == list(DESIGN[:START_POINTS])
    assert list(dict.fromkeys(server.asked))[START_POINTS:] == [at(7, 3), at(50, 3), at(100, 3), at(200, 3)]


def test_of_a_size_that_takes_long_only_the_quickest_point_is_among_the_first() -> None:
    server = MadeUp(plateau, alone_s=lambda records: 1e-3 + 2e-5 * records)
    rows_of(server, fixed(Advice(recommended=(DESIGN[0],), telling=(), gain=0.0)))
    largest = {point for point in DESIGN[:START_POINTS] if point.records_per_request == RECORDS[-1]}
    assert len(largest) > 1
    assert {point for point in server.asked if point.records_per_request == RECORDS[-1]} == {at(RECORDS[-1], 1)}
    assert {DESIGN[0], *DESIGN[:START_POINTS]} - largest <= set(server.asked)


def test_a_second_point_is_verified_only_where_it_leaves_time_for_measuring_the_best_again() -> None:
    slow, slower = at(16_000, 3), at(16_000, 6)
    server = MadeUp(plateau, budget_s=29, alone_s=lambda records: 1e-3 + 5e-5 * records)
    rows_of(server, fixed(Advice(recommended=(slower, slow), telling=(at(7, 3), at(50, 3)), gain=1.0)))
    assert slow in server.asked
    assert slower not in server.asked


def test_without_a_model_the_design_is_measured_on() -> None:
    server = MadeUp(plateau)
    rows_of(server, fixed(None))
    assert list(dict.fromkeys(server.asked)) == list(DESIGN)


def test_time_left_over_goes_into_what_may_be_the_best_until_that_is_known() -> None:
    server = MadeUp(plateau)
    rows = {point_of(one): one for one in rows_of(server, fixed(None))}
    again = server.asked[len(DESIGN) :]
    assert again
    least = min(plateau(point) for point in again)
    assert least >= 0.95 * max(plateau(point) for point in DESIGN)
    assert {point for point, one in rows.items() if one.windows > 1} == set(again)
    assert all(one.windows == 1 + again.count(point) for point, one in rows.items())


def test_the_plans_own_points_are_measured_again_where_there_is_a_plan() -> None:
    advice = Advice(recommended=(DESIGN[0],), telling=(), gain=1.0, contenders=(DESIGN[0],))
    server = MadeUp(plateau)
    rows_of(server, fixed(advice))
    assert set(server.asked[START_POINTS:]) == {DESIGN[0]}


def test_nothing_is_measured_for_a_gain_that_nobody_would_notice() -> None:
    server = MadeUp(plateau)
    rows_of(server, fixed(Advice(recommended=(DESIGN[0],), telling=(at(7, 3),), gain=1e-5)))
    assert list(dict.fromkeys(server.asked)) == list(DESIGN[:START_POINTS])


def test_held_points_are_not_measured_again() -> None:
    held = [row(point, plateau(point)) for point in DESIGN[:5]]
    server = MadeUp(plateau)
    rows = rows_of(server, by_throughput(profile_of()), held)
    assert server.asked[:2] == list(DESIGN[5:7])
    assert not {point_of(one) for one in held if plateau(point_of(one)) < 0.9 * 4e4} & set(server.asked)
    assert len({point_of(one) for one in (*held, *rows)}) <= POINTS


def test_a_strongly_disturbed_point_is_measured_again_and_the_better_one_kept() -> None:
    server = MadeUp(plateau, disturb=lambda number: 0.5 if number == 2 else 0.0)
    rows = rows_of(server, fixed(None))
    again = rows[len(DESIGN)]
    assert server.asked[len(DESIGN)] == point_of(again) == DESIGN[2]
    assert again.disturbed_share == 0.0
    assert "others took 50% of the machine's CPU time at first, 0% then; this is the second" in again.warnings[0]


def test_the_first_measurement_stays_where_the_second_was_no_quieter() -> None:
    server = MadeUp(plateau, disturb=lambda number: {2: 0.5, len(DESIGN): 0.7}.get(number, 0.0))
    kept = rows_of(server, fixed(None))[len(DESIGN)]
    assert kept.disturbed_share == 0.5
    assert "the first is kept" in kept.warnings[0]


def test_a_short_budget_buys_fewer_points_and_is_kept() -> None:
    server = MadeUp(plateau, budget_s=1.0)
    rows_of(server, by_throughput(profile_of()))
    assert server.now_s <= 1.3
    assert len(server.asked) <= 6


def test_a_lucky_window_of_few_completions_is_not_recommended() -> None:
    rows = [row(at(100, 2), 1000), row(at(200, 2), 1300, log_sd=0.3)]
    best = best_point(rows)
    assert best is not None
    assert best.records_per_request == 100


def test_of_points_alike_the_one_with_the_least_latency_is_recommended() -> None:
    best = best_point([row(at(100, 2), 1000), row(at(100, 8), 1005), row(at(100, 1), 600)])
    assert best is not None
    assert best.concurrency == 2


def test_a_point_that_would_take_much_of_the_time_is_not_asked_for_its_news() -> None:
    slow, quick = at(39_000, 7), at(50, 3)
    server = MadeUp(plateau, budget_s=30)
    bench = server.bench()
    bench.times.known_s |= {1: 0.001, 10**6: 15.0}
    assert bench.obstacle(slow) is None
    advice = Advice(recommended=(DESIGN[0],), telling=(slow, quick), gain=1.0)
    list(run_adaptive(DESIGN[:1], CANDIDATES, bench, fixed(advice)))
    assert quick in server.asked
    assert slow not in server.asked


def test_a_point_at_which_too_few_requests_completed_is_skipped_with_the_reason_and_the_others_kept() -> None:
    def too_slow(point: Point) -> float:
        if point == DESIGN[2]:
            raise TooFewRequestsError("only 2 requests completed")
        return plateau(point)

    outcomes = list(run_adaptive(DESIGN, CANDIDATES, MadeUp(too_slow).bench(), fixed(None)))
    assert [o.reason for o in outcomes if isinstance(o, Skipped)] == ["only 2 requests completed"]
    assert {point_of(o) for o in outcomes if isinstance(o, Measurement)} == {*DESIGN} - {DESIGN[2]}


def test_a_session_whose_first_point_says_nothing_fails() -> None:
    def too_slow(_: Point) -> float:
        raise TooFewRequestsError("only 2 requests completed")

    with pytest.raises(TooFewRequestsError):
        rows_of(MadeUp(too_slow), fixed(None))
