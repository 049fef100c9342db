"""What other programs took: bounds by CPU accounting, and predictions from profiles of a machine that was not quiet."""

import random
from dataclasses import replace as changed
from typing import TypeAlias

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.documents import replace
from planner.performance import BOTTLENECKS, Columns, PerformanceModel, predict
from planner.performance.contention import Windows, stolen
from planner.profiling.profile import Profile
from tests.performance.simulation import SIMULATED, Contention, play, rate, simulated_profile
from tests.performance.synthetic import on_the_host, prefork, synthetic_profile
from tests.performance.test_held_out import CHECKERBOARD, HELD_OUT

CPU_BOUND = ("prefork", "padded kernel", "overload", "attention")
OTHERS = ("half waiting", "hidden limit", "lock", "interpreter lock")

Judged: TypeAlias = dict[str, dict[bool, tuple[np.ndarray, np.ndarray, np.ndarray, list[str]]]]


def window(
    *, used: float, others: float, in_flight: float = 8.0, limit: float = 2.0, workers: float = 2.0, cpus: float = 2.0
) -> Windows:
    one = np.ones(1)
    return Windows(
        ln_b=0 * one,
        ln_c=np.log(in_flight) * one,
        used=used * one,
        others=others * one,
        client=0 * one,
        most=min(limit, in_flight) * one,
        in_service=min(in_flight, workers) * one,
        host_cpus=cpus,
    )


@given(
    used=st.floats(0.01, 1),
    others=st.floats(0, 1),
    in_flight=st.integers(1, 32),
    workers=st.integers(1, 32),
    cpus=st.integers(1, 64),
)
def test_the_bounds_are_in_order_and_no_request_is_done_with_less_than_its_cpu_time(
    used: float, others: float, in_flight: int, workers: int, cpus: int
) -> None:
    used = min(used * cpus, in_flight)
    asked = window(
        used=used, others=others * (cpus - used), in_flight=in_flight, limit=cpus, workers=workers, cpus=cpus
    )
    found = stolen(asked)
    assert 0 <= found.low[0] <= found.mid[0] <= found.high[0]
    assert np.exp(found.high[0]) <= max(1.0, asked.most[0] / used) * (1 + 1e-9)


@given(used=st.floats(0.01, 2), in_flight=st.integers(2, 32))
def test_nothing_is_corrected_where_nothing_was_taken(used: float, in_flight: int) -> None:
    found = stolen(window(used=used, others=0.0, in_flight=in_flight))
    assert found.high[0] == pytest.approx(0, abs=1e-12)
    assert found.doubt[0] == pytest.approx(0, abs=1e-12)


@given(share=st.floats(0.05, 0.5))
def test_a_server_that_fills_what_it_gets_may_have_lost_the_share_that_others_took(share: float) -> None:
    found = stolen(window(used=2 * (1 - share), others=2 * share))
    assert found.high[0] == pytest.approx(-np.log(1 - share))
    assert found.mid[0] > 0.5 * found.high[0]


def test_a_server_that_hardly_computes_lost_hardly_anything() -> None:
    assert stolen(window(used=0.02, others=1.9, in_flight=4, workers=4)).high[0] < 0.05


def test_a_machine_with_idle_cpus_held_nobody_up() -> None:
    assert stolen(window(used=2.0, others=4.0, limit=8.0, workers=4, cpus=32)).high[0] < 1e-6


def test_cpu_use_that_was_not_seen_leaves_the_rate_alone() -> None:
    found = stolen(window(used=np.nan, others=1.0))
    assert (found.low[0], found.mid[0], found.high[0], found.doubt[0]) == (0, 0, 0, 0)


def test_the_simulation_shares_cpus_fairly() -> None:
    alone = rate(SIMULATED["prefork"], 100, 8, 0)[0]
    disturbed = play(SIMULATED["prefork"], 100, 8, 0, Contention(threads=2))
    assert disturbed.requests_per_s == pytest.approx(alone / 2, rel=0.03)
    assert disturbed.disturbed_share == pytest.approx(0.5, abs=0.02)
    assert disturbed.cpu_s_per_request == pytest.approx(4e-3, rel=0.03)


def most_of_the_time(source: random.Random) -> Contention:
    if source.random() < 0.3:
        return Contention()
    if source.random() < 0.5:
        return Contention(threads=source.choice([1, 2, 3]), on_s=0.2, off_s=0.2)
    return Contention(threads=source.choice([1, 2]))


def untold(profile: Profile) -> Profile:
    return replace(profile, measurements=tuple(replace(row, disturbed_share=None) for row in profile.measurements))


def on_host(profile: Profile) -> Columns:
    return on_the_host(PerformanceModel.fit(profile), HELD_OUT)


@pytest.fixture(scope="module")
def judged() -> Judged:
    """By server, told of the disturbance or not: log errors, coverage, half widths and bottlenecks held out."""
    found: Judged = {}
    for number, name in enumerate((*CPU_BOUND, *OTHERS)):
        server = SIMULATED[name]
        profile = simulated_profile(server, CHECKERBOARD, seed=70 + number, contention=most_of_the_time)
        truth = np.array([b * rate(server, b, c, 900 + i)[0] for i, (b, c) in enumerate(HELD_OUT)])
        found[name] = {}
        for told, given_profile in ((True, profile), (False, untold(profile))):
            columns = on_host(given_profile)
            column = columns.throughput_records_per_s
            found[name][told] = (
                np.log(column.mid / truth),
                (column.low <= truth) & (truth <= column.high),
                np.log(column.high / column.low) / 2,
                [BOTTLENECKS[index] for index in columns.bottleneck],
            )
    return found


def test_knowing_what_others_took_lowers_error_and_width_and_removes_the_bias(judged: Judged) -> None:
    def over(names: tuple[str, ...], told: bool, column: int) -> np.ndarray:
        return np.concatenate([np.asarray(judged[name][told][column], dtype=np.float64) for name in names])

    every = (*CPU_BOUND, *OTHERS)
    for names, quantile, most in ((("prefork",), 0.5, 0.25), (every, 0.5, 0.9), (every, 0.9, 0.5)):
        before, after = (np.quantile(np.abs(over(names, told, 0)), quantile) for told in (False, True))
        assert after < most * before
    assert abs(np.median(over(every, True, 0))) < 0.01
    assert np.mean(over(every, True, 2)) < 0.6 * np.mean(over(every, False, 2))
    assert np.mean(over(every, True, 1)) >= 0.85


@pytest.mark.parametrize("name", [*CPU_BOUND, *OTHERS])
def test_no_kind_of_server_is_predicted_badly_from_a_disturbed_profile(judged: Judged, name: str) -> None:
    assert np.median(np.abs(judged[name][True][0])) < 0.06
    assert np.mean(judged[name][True][1]) >= 0.7


def test_a_server_that_was_short_of_cpu_is_not_said_to_have_a_serial_section(judged: Judged) -> None:
    assert "serial section" not in judged["prefork"][True][3]
    assert "serial section" not in judged["overload"][True][3]
    assert "serial section" in judged["lock"][True][3]


@pytest.mark.parametrize("workers", [2, None])
def test_where_every_point_was_disturbed_the_cpu_is_the_limit_and_the_prediction_says_so(workers: int | None) -> None:
    server = changed(SIMULATED["prefork"], workers=workers)
    profile = simulated_profile(server, CHECKERBOARD, seed=3, contention=lambda _source: Contention(threads=2))
    predicted = predict(profile, records_per_request=500, concurrency=8)
    truth = 500 * rate(server, 500, 8, 4)[0]
    assert predicted.bottleneck == "cpu"
    assert predicted.throughput_records_per_s.low < truth < predicted.throughput_records_per_s.high
    assert any("profile again on a quieter machine" in warning for warning in predicted.warnings)


def test_a_quiet_profile_is_not_called_disturbed() -> None:
    profile = synthetic_profile(prefork())
    quiet = replace(profile, measurements=tuple(replace(row, disturbed_share=0.01) for row in profile.measurements))
    assert PerformanceModel.fit(quiet).disturbed_points == (0, 12)
    assert not predict(quiet, records_per_request=64, concurrency=4).warnings


def test_a_window_too_short_for_the_cpu_clock_is_left_as_it_was() -> None:
    profile = synthetic_profile(prefork())
    rows = tuple(replace(row, disturbed_share=0.5, cpu_s=0.0) for row in profile.measurements)
    assert PerformanceModel.fit(replace(profile, measurements=rows)).disturbed_points == (0, 12)
