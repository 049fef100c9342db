import heapq
from collections import deque
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import signal, stats

from planner.profiling import statistics

RUNS = 400


def ends_of(gaps: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.concatenate([[0.0], np.cumsum(gaps)])


def one_by_one(gaps: NDArray[np.float64]) -> statistics.Requests:
    """One request in flight, each answered after its gap."""
    ends = ends_of(gaps).tolist()
    return statistics.Requests(start_s=[ends[0] - 1, *ends[:-1]], end_s=ends)


def share_covered(make_gaps: list[NDArray[np.float64]], true_rate: float) -> float:
    rates = [statistics.throughput(one_by_one(gaps), 0, 1) for gaps in make_gaps]
    return float(np.mean([r is not None and r.per_s.low <= true_rate <= r.per_s.high for r in rates]))


def queue(workers: int, concurrency: int, until_s: float, service_s: Callable[[], float]) -> statistics.Requests:
    """Workers that take requests in turn, with so many always in flight until then; those still open are answered."""
    waiting = deque([0.0] * concurrency)
    busy: list[tuple[float, float]] = []
    answered: list[tuple[float, float]] = []
    still_open: list[tuple[float, float]] = []
    now_s = 0.0
    while waiting or busy:
        while waiting and len(busy) < workers:
            heapq.heappush(busy, (now_s + service_s(), waiting.popleft()))
        now_s, sent_s = heapq.heappop(busy)
        if now_s <= until_s:
            waiting.append(now_s)
        (answered if now_s <= until_s else still_open).append((sent_s, now_s))
    return statistics.Requests(
        start_s=[start for start, _ in answered],
        end_s=[end for _, end in answered],
        open_start_s=[start for start, _ in still_open],
        open_end_s=[end for _, end in still_open],
    )


def seen(requests: statistics.Requests, concurrency: int) -> statistics.Rate:
    first = statistics.steady_from(requests.start_s, requests.end_s, concurrency)
    rate = statistics.throughput(requests, first, concurrency)
    assert rate is not None
    return rate


@pytest.mark.parametrize(("workers", "concurrency"), [(1, 1), (1, 4), (2, 2), (2, 3), (2, 8), (3, 4), (8, 8)])
@pytest.mark.parametrize("waves", [2.1, 2.5, 2.9, 4.2, 9.7])
def test_few_regular_requests_tell_the_rate_exactly_wherever_the_window_ends(
    workers: int, concurrency: int, waves: float
) -> None:
    rate = seen(queue(workers, concurrency, (1 + waves) * concurrency / workers, lambda: 1.0), concurrency)
    assert rate.per_s.mid == pytest.approx(workers)
    assert rate.relative_half_width < 0.25


@pytest.mark.parametrize(("workers", "concurrency"), [(1, 4), (2, 3), (8, 8)])
@pytest.mark.parametrize(("spread", "covered"), [(0.05, 0.9), (0.2, 0.7)])
def test_the_interval_of_few_requests_covers_the_true_rate(
    workers: int, concurrency: int, spread: float, covered: float
) -> None:
    rng = np.random.default_rng(7)
    shape = 1 / spread**2
    rates = [
        seen(queue(workers, concurrency, 5 * concurrency / workers, lambda: rng.gamma(shape, 1 / shape)), concurrency)
        for _ in range(RUNS // 2)
    ]
    assert np.mean([rate.per_s.low <= workers <= rate.per_s.high for rate in rates]) >= covered
    assert np.median([rate.relative_half_width for rate in rates]) <= 0.2


def test_a_request_that_is_never_answered_counts_for_nothing() -> None:
    ends = np.arange(1.0, 41.0)
    starved = statistics.Requests(
        start_s=(ends - 1).tolist(), end_s=ends.tolist(), open_start_s=[0.0, 40.0], open_end_s=[np.inf, 41.0]
    )
    rate = statistics.throughput(starved, 1, 2)
    assert rate is not None
    assert rate.per_s.mid == pytest.approx(1.0)


def test_the_t_quantile_agrees_with_scipy() -> None:
    for degrees in [*range(1, 40), 100, 1000]:
        assert statistics.student_t95(degrees) == pytest.approx(stats.t.ppf(0.95, degrees), rel=3e-3)


def test_the_interval_of_independent_completions_covers_the_true_rate_nine_times_in_ten() -> None:
    rng = np.random.default_rng(1)
    covered = share_covered([rng.exponential(0.01, 200) for _ in range(RUNS)], 100.0)
    # Three binomial standard errors below; gamma-distributed batches cost up to a point more.
    assert 0.84 <= covered <= 0.95


def test_the_interval_of_correlated_completions_still_covers_where_a_naive_one_does_not() -> None:
    rng = np.random.default_rng(2)
    phi, mean = 0.8, 0.01
    series = [
        np.maximum(1e-4, mean + signal.lfilter([1.0], [1.0, -phi], rng.normal(0, 0.001, 2200))[200:])
        for _ in range(RUNS)
    ]
    covered = share_covered(series, 1 / mean)
    naive = np.mean([abs(gaps.mean() - mean) <= 1.645 * gaps.std() / np.sqrt(len(gaps)) for gaps in series])
    assert naive < 0.55
    assert covered >= 0.82


def test_requests_that_return_in_waves_do_not_widen_the_interval() -> None:
    ends = np.repeat(0.1 * np.arange(1, 101), 4)
    requests = statistics.Requests(start_s=(ends - 0.1).tolist(), end_s=ends.tolist())
    rate = statistics.throughput(requests, 3, 4)
    assert rate is not None
    assert rate.per_s.mid == pytest.approx(40)
    assert rate.relative_half_width < 1e-6


@given(gaps=st.lists(st.floats(1e-4, 1.0), min_size=2, max_size=300), factor=st.floats(0.01, 100))
def test_a_slower_clock_scales_the_rate_and_its_interval(gaps: list[float], factor: float) -> None:
    rate = statistics.throughput(one_by_one(np.array(gaps)), 0, 1)
    slower = statistics.throughput(one_by_one(factor * np.array(gaps)), 0, 1)
    assert rate is not None
    assert slower is not None
    assert rate.per_s.mid == pytest.approx(len(gaps) / sum(gaps), rel=1e-6)
    assert slower.per_s.mid == pytest.approx(rate.per_s.mid / factor, rel=1e-6)
    assert rate.per_s.low <= rate.per_s.mid <= rate.per_s.high


def test_two_answers_are_no_rate() -> None:
    assert statistics.throughput(statistics.Requests(start_s=[0.0, 0.0], end_s=[0.0, 1.0]), 0, 1) is None
    assert statistics.throughput(statistics.Requests(start_s=[0.0] * 3, end_s=[1.0] * 3), 0, 3) is None


@pytest.mark.parametrize("concurrency", [1, 4])
def test_a_slow_beginning_is_left_out(concurrency: int) -> None:
    rng = np.random.default_rng(3)
    latencies = np.concatenate([rng.normal(0.05, 0.002, 60), rng.normal(0.01, 0.0005, 300)]) * concurrency
    ends = np.cumsum(latencies / concurrency)
    first = statistics.steady_from((ends - latencies).tolist(), ends.tolist(), concurrency)
    assert 50 <= first <= 80


def test_little_is_left_out_where_nothing_warms_up() -> None:
    rng = np.random.default_rng(4)
    shares = []
    for _ in range(100):
        latencies = rng.gamma(20, 0.0005, 300)
        ends = np.cumsum(latencies)
        shares.append(statistics.steady_from((ends - latencies).tolist(), ends.tolist(), 1) / 300)
    assert max(shares) <= 0.51
    assert np.median(shares) < 0.2


@given(st.integers(0, 60), st.integers(1, 32))
def test_the_window_never_starts_beyond_the_middle_and_a_bit(count: int, concurrency: int) -> None:
    ends = [0.1 * i for i in range(count)]
    first = statistics.steady_from([end - 0.1 for end in ends], ends, concurrency)
    assert 0 <= first <= max(0, (3 * count) // 4)


def test_a_trend_is_noticed_and_its_size_told() -> None:
    rng = np.random.default_rng(5)
    gaps = 0.01 * np.linspace(1.0, 1.3, 400) * rng.normal(1, 0.05, 400)
    change = statistics.drift(ends_of(gaps).tolist(), 1)
    assert change is not None
    assert change == pytest.approx(1 / 1.3 - 1, abs=0.04)


def test_a_steady_series_is_rarely_called_drifting() -> None:
    rng = np.random.default_rng(6)
    called = [statistics.drift(ends_of(rng.gamma(10, 0.001, 300)).tolist(), 1) is not None for _ in range(RUNS)]
    assert np.mean(called) <= 0.03
