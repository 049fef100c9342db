from planner.campaign.points import Point
from planner.campaign.settling import expected_improvement, in_doubt, unexplained
from planner.documents import replace
from planner.profiling.profile import Measurement
from tests.campaign.surfaces import row


def at(records: int, rate: float, *, log_sd: float = 0.005, windows: int = 1) -> Measurement:
    point = Point(records_per_request=records, concurrency=2)
    return replace(row(point, rate, log_sd=log_sd), windows=windows)


def sizes(rows: list[Measurement]) -> list[int]:
    return [one.records_per_request for one in rows]


def one_second(_: Measurement) -> float:
    return 1.0


def test_expected_improvement_is_the_mean_of_what_exceeds() -> None:
    assert abs(expected_improvement(0.0, 1.0) - 0.3989) < 1e-4
    assert abs(expected_improvement(0.5, 1e-9) - 0.5) < 1e-9
    assert abs(expected_improvement(-1.0, 1e-3)) < 1e-12


def test_the_leader_and_what_may_be_better_are_in_doubt_and_what_is_clearly_worse_is_not() -> None:
    rows = [at(1, 100), at(10, 998), at(100, 1000), at(1000, 900, log_sd=0.1)]
    assert set(sizes(in_doubt(rows, (), one_second))) == {10, 100, 1000}


def test_what_takes_long_waits_for_what_is_quick() -> None:
    rows = [at(10, 998), at(100, 1000)]
    assert sizes(in_doubt(rows, (), lambda one: one.records_per_request / 10)) == [10, 100]


def test_nothing_is_in_doubt_once_several_windows_agree() -> None:
    assert not in_doubt([at(10, 800), at(100, 1000, windows=3)], (), one_second)


def test_only_contenders_are_in_doubt_where_there_are_any() -> None:
    rows = [at(10, 800), at(100, 1000)]
    contenders = (Point(records_per_request=10, concurrency=2), Point(records_per_request=7, concurrency=7))
    assert sizes(in_doubt(rows, contenders, one_second)) == [10]
    assert sizes(in_doubt(rows, contenders[1:], one_second)) == [100]
    assert in_doubt([], (), one_second) == []


def test_a_surprise_is_measured_again_once_and_a_third_time_where_the_windows_disagree() -> None:
    rows = [at(1, 100), at(10, 500), at(100, 900, windows=2, log_sd=0.2), at(1000, 950, windows=3, log_sd=0.2)]
    surprising = (Point(records_per_request=10, concurrency=2), Point(records_per_request=100, concurrency=2))
    assert sizes(unexplained(rows, surprising)) == [10, 100]
    assert sizes(unexplained(rows, ())) == [100]
