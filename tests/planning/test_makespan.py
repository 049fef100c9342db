"""Objects on instances: closed forms, scheduling bounds, and chance itself."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.planning.makespan import layout, random_share, round_robin_share
from tests.planning.cases import run

runs = st.lists(st.tuples(st.integers(0, 500), st.integers(1, 40)), min_size=1, max_size=12).filter(
    lambda rows: any(records for records, _ in rows)
)


def dealt(weights: list[int], n: int) -> float:
    return max(sum(weights[i::n]) for i in range(n)) / sum(weights)


@given(rows=runs, n=st.integers(1, 30))
def test_runs_are_dealt_as_their_objects_would_be_one_by_one(rows: list[tuple[int, int]], n: int) -> None:
    shares = round_robin_share(np.array([r for r, _ in rows]), np.array([c for _, c in rows]), n)
    unrolled = [records for records, copies in rows for _ in range(copies)]
    assert shares == pytest.approx([dealt(unrolled, count) for count in range(1, n + 1)])


@given(weights=st.lists(st.integers(0, 500), min_size=1, max_size=60).filter(any), n=st.integers(1, 30))
def test_single_objects_are_dealt_as_runs_of_one_are(weights: list[int], n: int) -> None:
    shares = round_robin_share(np.array(weights), np.ones(len(weights), dtype=np.int64), n)
    assert shares == pytest.approx([dealt(weights, count) for count in range(1, n + 1)])


@given(objects=st.integers(1, 10**8), n=st.integers(1, 100))
def test_equal_objects_follow_the_closed_form_however_many_there_are(objects: int, n: int) -> None:
    share = layout([run(1000, copies=objects)], n).share
    assert share.mid[n - 1] == pytest.approx(-(-objects // n) / objects)
    assert share.low[n - 1] == pytest.approx(max(1 / n, 1 / objects))


@given(rows=runs, n=st.integers(1, 30))
def test_the_share_lies_between_a_perfect_split_and_everything(rows: list[tuple[int, int]], n: int) -> None:
    share = layout([run(records, copies=copies) for records, copies in rows], n).share
    assert np.all(share.low <= share.mid)
    assert np.all(share.mid <= share.high)
    assert np.all(share.low * np.arange(1, n + 1) >= 1 - 1e-12)
    assert np.all(share.high <= 1)
    assert share.low[0] == share.mid[0] == share.high[0] == 1


@given(weights=st.lists(st.integers(1, 500), min_size=1, max_size=40), n=st.integers(1, 10))
def test_the_low_end_is_a_bound_that_even_the_longest_first_rule_keeps(weights: list[int], n: int) -> None:
    low = layout([run(records) for records in weights], n).share.low[n - 1]
    load = [0] * n
    for records in sorted(weights, reverse=True):
        load[load.index(min(load))] += records
    longest_first = max(load) / sum(weights)
    assert low <= longest_first * (1 + 1e-12)
    # Graham 1969: longest processing time first is within 4/3 - 1/(3n) of the optimum, which is at least `low`.
    greedy_bound = (sum(weights) - max(weights)) / sum(weights) / n + max(weights) / sum(weights)
    assert longest_first <= greedy_bound * (1 + 1e-12)


@pytest.mark.parametrize(("objects", "n"), [(10, 10), (100, 100), (1000, 10), (50, 5), (100, 7), (1000, 100)])
def test_the_high_end_is_the_95th_percentile_of_a_random_assignment(objects: int, n: int) -> None:
    rng = np.random.default_rng(objects * n)
    busiest = np.array([np.bincount(rng.integers(0, n, objects)).max() for _ in range(4000)])
    claimed = random_share(np.array([1]), np.array([objects]), n)[-1] * objects
    # The maximum is a whole number: the claim must fall on the step of the distribution at 95 %, or next to it.
    assert np.mean(busiest <= np.ceil(claimed)) >= 0.94
    assert np.mean(busiest <= np.floor(claimed) - 1) <= 0.95


def test_the_high_end_holds_for_unequal_objects_too() -> None:
    rng = np.random.default_rng(7)
    weights = rng.lognormal(3, 0.7, 400).astype(np.int64) + 1
    busiest = [np.bincount(rng.integers(0, 8, 400), weights).max() / weights.sum() for _ in range(4000)]
    claimed = random_share(weights, np.ones(400, dtype=np.int64), 8)[-1]
    assert claimed == pytest.approx(np.quantile(busiest, 0.95), rel=0.03)


def test_an_input_of_large_records_in_few_objects_is_cautious_about_bytes() -> None:
    small, large = run(1000, record_bytes=100), run(100, record_bytes=100_000, key="b")
    share = layout([small, large], 2).share
    assert share.mid[1] == pytest.approx(1000 / 1100)
    assert share.high[1] >= 10_000_000 / 10_100_000


def test_objects_without_records_cannot_be_shared() -> None:
    with pytest.raises(ValueError, match="no records"):
        layout([run(0)], 2)
