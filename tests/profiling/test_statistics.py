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


def share_covered(make_gaps: list[NDArray[np.float64]], concurrency: int, true_rate: float) -> float:
    rates = [statistics.throughput(ends_of(gaps).tolist(), concurrency) for gaps in make_gaps]
    return float(np.mean([r is not None and r.per_s.low <= true_rate <= r.per_s.high for r in rates]))


def test_the_t_quantile_agrees_with_scipy() -> None:
    for degrees in [*range(1, 40), 100, 1000]:
        assert statistics.student_t95(degrees) == pytest.approx(stats.t.ppf(0.95, degrees), rel=3e-3)


def test_the_interval_of_independent_completions_covers_the_true_rate_nine_times_in_ten() -> None:
    rng = np.random.default_rng(1)
    covered = share_covered([rng.exponential(0.01, 200) for _ in range(RUNS)], 1, 100.0)
    # Three binomial standard errors below; gamma-distributed batches cost up to a point more.
    assert 0.84 <= covered <= 0.95


def test_the_interval_of_correlated_completions_still_covers_where_a_naive_one_does_not() -> None:
    rng = np.random.default_rng(2)
    phi, mean = 0.8, 0.01
    series = [
        np.maximum(1e-4, mean + signal.lfilter([1.0], [1.0, -phi], rng.normal(0, 0.001, 2200))[200:])
        for _ in range(RUNS)
    ]
    covered = share_covered(series, 1, 1 / mean)
    naive = np.mean([abs(gaps.mean() - mean) <= 1.645 * gaps.std() / np.sqrt(len(gaps)) for gaps in series])
    assert naive < 0.55
    assert covered >= 0.82


def test_requests_that_return_in_waves_do_not_widen_the_interval() -> None:
    gaps = np.tile([0.0, 0.0, 0.0, 0.1], 100)
    rate = statistics.throughput(ends_of(gaps).tolist(), 4)
    assert rate is not None
    assert rate.per_s.mid == pytest.approx(40)
    assert rate.relative_half_width < 1e-6


@given(
    gaps=st.lists(st.floats(1e-4, 1.0), min_size=2, max_size=300),
    concurrency=st.integers(1, 16),
    factor=st.floats(0.01, 100),
)
def test_a_slower_clock_scales_the_rate_and_its_interval(gaps: list[float], concurrency: int, factor: float) -> None:
    ends = ends_of(np.array(gaps))
    rate = statistics.throughput(ends.tolist(), concurrency)
    slower = statistics.throughput((ends * factor).tolist(), concurrency)
    assert rate is not None
    assert slower is not None
    assert rate.per_s.mid == pytest.approx(len(gaps) / ends[-1])
    assert slower.per_s.mid == pytest.approx(rate.per_s.mid / factor)
    assert rate.per_s.low <= rate.per_s.mid <= rate.per_s.high


def test_two_completions_are_no_rate() -> None:
    assert statistics.throughput([0.0, 1.0], 1) is None
    assert statistics.throughput([1.0, 1.0, 1.0], 1) is None


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
