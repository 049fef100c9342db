"""Outcomes follow the formulas, grow with what they should grow with, and their intervals are what chance gives."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.interval import Z90, Interval
from planner.performance.prediction import Bounds
from planner.planning.evaluate import Problem, evaluate, outcome, reached
from planner.planning.rates import LIMITS, column
from planner.planning.space import Ints
from planner.planning.startup import BILLED_PREPARATION_S, Startup, on_types, startup
from tests.planning.cases import AnalyticModel, dataset, offer, problem, run

QUICK_START = Startup(
    preparation_s=Interval.exactly(100.0),
    billed_preparation_s=Interval.exactly(40.0),
    container_s=Interval.exactly(0.0),
    source="test",
)


def one(number: int) -> Ints:
    return np.array([number])


def setting(case: Problem, payload: int, concurrency: int) -> Ints:
    k = case.settings.index_of("MultiRecord", payload, concurrency)
    assert k is not None
    return one(k)


def test_a_single_request_at_a_time_takes_records_over_throughput() -> None:
    case = problem(dataset([run(10_000, 1000, copies=4)]), [offer("ml.a.xlarge", 3.6)], times=QUICK_START)
    k = setting(case, 1, 1)
    found = outcome(case, one(0), one(2), k)
    rate = case.rates.throughput.mid[0, k[0]]
    assert found.makespan_s[0] == pytest.approx(20_000 / rate)
    assert found.finish_s[0] == pytest.approx(100 + 20_000 / rate)
    assert found.billed_s[0] == pytest.approx(40 + 20_000 / rate)
    assert found.cost_usd[0] == pytest.approx(2 * 3.6 / 3600 * (40 + 20_000 / rate))


def test_a_last_wave_that_is_half_empty_costs_between_nothing_and_that_half() -> None:
    # 5 equal requests, 4 in flight: in step, two waves of which three places of eight stay empty.
    case = problem(dataset([run(1048 * 5, 1000)]), [offer("ml.a.xlarge", 1.0, vcpus=64)], times=QUICK_START)
    k = setting(case, 1, 4)
    assert case.settings.requests[k[0]] == 5
    waves_s = 2 * case.rates.latency.mid[0, k[0]]
    fluid_s = 5 / 4 * case.rates.latency.mid[0, k[0]]
    assert outcome(case, one(0), one(1), k).makespan_s[0] == pytest.approx((waves_s + fluid_s) / 2)


def test_more_concurrency_than_requests_changes_nothing() -> None:
    case = problem(dataset([run(1048 * 5, 1000)]), [offer("ml.a.xlarge", 1.0)], times=QUICK_START)
    enough, more = setting(case, 1, 5), setting(case, 1, 90)
    assert reached(case, one(1), more)[0] == enough[0]
    for z in (-Z90, 0.0, Z90):
        assert outcome(case, one(0), one(1), more, z) == outcome(case, one(0), one(1), enough, z)


@settings(deadline=None, max_examples=50)
@given(
    n=st.integers(1, 8),
    payload=st.sampled_from([1, 2, 5]),
    concurrency=st.integers(1, 5),
    z=st.tuples(st.floats(-3, 3), st.floats(-3, 3)).map(sorted),
)
def test_every_outcome_grows_with_the_score(n: int, payload: int, concurrency: int, z: list[float]) -> None:
    case = problem(dataset([run(30_000, 1000, copies=5), run(700_000, 1000, key="b")]), [offer("ml.a.xlarge", 1.0)])
    k = setting(case, payload, concurrency)
    low, high = (outcome(case, one(0), one(n), k, score) for score in z)
    for field in ("makespan_s", "billed_s", "finish_s", "cost_usd"):
        assert getattr(low, field)[0] <= getattr(high, field)[0] * (1 + 1e-12)
        assert getattr(low, field)[0] >= 0


def test_the_interval_of_the_finish_time_is_the_one_that_drawing_its_parts_gives() -> None:
    # Start-up normal, throughput log-normal, no other errors: the composed bounds against 200,000 draws.
    times = Startup(
        preparation_s=Interval(low=240, mid=300, high=360),
        billed_preparation_s=Interval.exactly(0.0),
        container_s=Interval.exactly(0.0),
        source="test",
    )
    model = AnalyticModel(error=0.3)
    case = problem(dataset([run(3_000_000, 1000)]), [offer("ml.a.xlarge", 1.0)], model=model, times=times)
    k = setting(case, 1, 1)
    rng = np.random.default_rng(1)
    mid = float(outcome(case, one(0), one(1), k).makespan_s[0])
    log_sd = float(case.rates.slower[0, k[0]]) / Z90
    draws = rng.normal(300, 60 / Z90, 200_000) + mid * np.exp(rng.normal(0, log_sd, 200_000))
    low, high = (float(outcome(case, one(0), one(1), k, z).finish_s[0]) for z in (-Z90, Z90))
    assert low == pytest.approx(np.quantile(draws, 0.05), rel=0.03)
    assert high == pytest.approx(np.quantile(draws, 0.95), rel=0.03)


def test_each_infeasible_candidate_carries_the_first_limit_that_it_breaks() -> None:
    case = problem(dataset([run(1000, 1000, copies=3)]), [offer("ml.a.xlarge", 1.0)], times=QUICK_START)
    k = setting(case, 1, 1)
    middle = outcome(case, one(0), one(1), k)

    def limit(n: int, deadline_s: float | None = None, budget_usd: float | None = None) -> str:
        found = evaluate(case, one(0), one(n), k, score=0.0, deadline_s=deadline_s, budget_usd=budget_usd)
        return LIMITS[int(found.limit[0])]

    assert limit(1) == "none"
    assert limit(3) == "none"
    assert limit(4) == "objects"
    assert limit(1, deadline_s=float(middle.finish_s[0])) == "none"
    assert limit(1, deadline_s=float(middle.finish_s[0]) * 0.999) == "deadline"
    assert limit(1, budget_usd=float(middle.cost_usd[0]) * 0.999) == "budget"


def test_more_concurrency_never_passes_a_limit_that_less_of_it_breaks() -> None:
    case = problem(
        dataset([run(100_000, 1000)]),
        [offer("ml.a.xlarge", 1.0, memory_gib=4.0)],
        model=AnalyticModel(memory_bytes_per_record=2e5),
    )
    for row in case.settings.at_concurrency:
        limits = case.rates.limit[0, row[row >= 0]]
        assert np.all(np.diff((limits > 0).astype(int)) >= 0)
    assert 0 < (case.rates.limit > 0).mean() < 1


def test_the_network_bounds_throughput_and_keeps_an_interval() -> None:
    fast = AnalyticModel(s0=1e-7, s1=1e-9)
    case = problem(dataset([run(100_000, 10_000)]), [offer("ml.a.xlarge", 1.0)], model=fast)
    # The made-up type publishes no rate: 0.75 Gbit/s of 10,000-byte records.
    assert case.rates.throughput.mid.max() == pytest.approx(0.75e9 / 8 / 10_000)
    assert np.all(case.rates.throughput.low < case.rates.throughput.mid)
    assert np.all(case.rates.throughput.mid < case.rates.throughput.high)


def test_a_faster_type_starts_its_container_sooner() -> None:
    total, billed = on_types(startup(60.0), offer_speeds(1.0, 2.0))
    assert total.mid[0] - total.mid[1] == pytest.approx(30.0)
    assert billed.mid[0] == pytest.approx(60.0 + BILLED_PREPARATION_S.mid)
    assert np.all(billed.high <= total.high + 1e-9)


def offer_speeds(*speeds: float) -> Bounds:
    return column([Interval.exactly(speed) for speed in speeds])


def test_an_unmeasured_container_start_is_taken_from_public_logs() -> None:
    assert "not measured" in startup().source
    assert startup().container_s.high > startup().container_s.low
