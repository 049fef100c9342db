import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.campaign.points import Point
from planner.documents import replace
from planner.interval import Z90
from planner.profiling.profile import REPEATABILITY, SHARED, Measurement
from planner.profiling.replicates import few_completions, merged, repeat_interval
from tests.campaign.surfaces import row

WHERE = Point(records_per_request=100, concurrency=2)


def window(rate: float, log_sd: float = 0.005) -> Measurement:
    return row(WHERE, rate, log_sd=log_sd)


def half_width(measurement: Measurement) -> float:
    interval = measurement.throughput_interval_records_per_s
    return math.log(interval.high / interval.mid)


def test_one_window_stays_as_it_is() -> None:
    assert merged([window(1000)]) == window(1000)


@given(st.lists(st.floats(500, 2000), min_size=2, max_size=6))
def test_the_middle_lies_among_the_windows_and_all_ratios_still_hold(rates: list[float]) -> None:
    one = merged([window(rate) for rate in rates])
    assert min(rates) * (1 - 1e-9) <= one.throughput_records_per_s <= max(rates) * (1 + 1e-9)
    assert one.windows == len(rates)
    assert one.requests == 40 * len(rates) == len(one.latency_s)
    assert one.throughput_records_per_s == pytest.approx(one.requests * 100 / one.duration_s)
    assert one.cpu_s is not None


def test_windows_that_agree_narrow_the_interval_and_windows_that_do_not_widen_it() -> None:
    alone = math.log(repeat_interval(window(1000)).high / 1000)
    agreeing, apart = merged([window(1000), window(1005)]), merged([window(900), window(1100)])
    assert half_width(agreeing) < alone
    assert half_width(apart) > 2 * half_width(agreeing)
    assert half_width(merged([window(1000)] * 4)) < half_width(agreeing)


def test_a_window_that_is_known_badly_counts_little() -> None:
    assert merged([window(1000), window(1500, log_sd=0.3)]).throughput_records_per_s == pytest.approx(1000, rel=0.01)


def test_of_three_windows_the_odd_one_counts_little() -> None:
    assert merged([window(700), window(1000), window(1010)]).throughput_records_per_s == pytest.approx(990, rel=0.02)
    assert merged([window(700), window(1000)]).throughput_records_per_s == pytest.approx(math.sqrt(700_000), rel=1e-6)


def test_a_repetition_is_expected_within_what_both_measurements_may_err() -> None:
    narrow = repeat_interval(window(1000, log_sd=1e-6))
    assert math.log(narrow.high / narrow.mid) == pytest.approx(Z90 * math.sqrt(2) * REPEATABILITY, rel=1e-3)


def test_on_an_unsteady_machine_windows_that_agree_are_not_believed_as_much() -> None:
    def unsteady(share: float, rate: float) -> Measurement:
        one = window(rate, log_sd=1e-6)
        return replace(one, unsteadiness=0.2, cpu_s=share * one.duration_s * min(one.cpus, one.concurrency))

    computing, waiting = unsteady(1.0, 1000), unsteady(0.05, 1000)
    both = math.sqrt(2 * (0.2**2 + computing.session_log_sd**2))
    assert math.log(repeat_interval(computing).high / 1000) == pytest.approx(Z90 * both, rel=1e-3)
    assert math.log(repeat_interval(waiting).high / 1000) == pytest.approx(Z90 * math.sqrt(2) * REPEATABILITY, rel=1e-3)
    two = merged([computing, unsteady(1.0, 1005)])
    assert two.repeat_log_sd == pytest.approx(0.2 / math.sqrt(2), rel=0.3)
    assert two.repeat_log_sd > 4 * merged([waiting, unsteady(0.05, 1005)]).repeat_log_sd


def test_what_a_whole_session_is_off_by_is_a_part_of_what_windows_are() -> None:
    assert window(1000).session_log_sd == 0
    unsteady = replace(window(1000), unsteadiness=0.2, cpu_s=None)
    assert math.hypot(unsteady.session_log_sd, REPEATABILITY) == pytest.approx(SHARED * 0.2)


def test_few_completions_are_told_only_where_they_leave_throughput_open() -> None:
    few = replace(window(1000, log_sd=0.2), requests=6)
    assert few_completions(window(1000, log_sd=0.2)) is None
    assert few_completions(replace(window(1000), requests=6)) is None
    told = few_completions(few)
    assert told is not None
    assert told.startswith("only 6 requests of 200 ms completed")
    assert "--time-budget" in told


def test_the_warning_of_few_completions_goes_when_windows_together_know_enough() -> None:
    few = replace(window(1000, log_sd=0.2), requests=6)
    told = few_completions(few)
    assert told is not None
    assert merged([replace(few, warnings=(told, "another"))] * 8).warnings == ("another",)


def test_the_warning_of_few_completions_is_told_once_of_windows_at_two_speeds() -> None:
    rows = [
        replace(window(rate, log_sd=0.1), requests=6, cpu_s=2.0, core_speed=speed)
        for rate, speed in ((1000, 2e7), (1300, 2.5e7))
    ]
    rows = [replace(one, warnings=(few_completions(one) or "",)) for one in rows]
    one = merged(rows)
    assert one.warnings == (few_completions(one),)
    assert "only 12 requests" in one.warnings[0]


def test_warnings_that_differ_in_their_numbers_only_are_told_once() -> None:
    first = replace(window(1000), warnings=("disturbed: others took 20% meanwhile", "another"))
    second = replace(window(1000), warnings=("disturbed: others took 31% meanwhile",))
    assert merged([first, second]).warnings == ("disturbed: others took 31% meanwhile", "another")
