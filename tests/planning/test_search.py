"""The search finds what trying everything finds, and behaves as a planner must."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from planner.interval import Z90
from planner.planning.evaluate import Problem
from planner.planning.rates import LIMITS, Offer
from planner.planning.search import Candidate, Wish, best, best_of_each, bounded, pareto
from planner.planning.space import Packing, every_packing, undominated
from planner.records.dataset import Dataset
from tests.planning.cases import AnalyticModel, dataset, offer, problem, run

quick = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@st.composite
def inputs(draw: st.DrawFn) -> Dataset:
    runs = draw(
        st.lists(
            st.tuples(st.integers(1, 4000), st.integers(1, 6)).map(lambda pair: run(pair[0], 2000, copies=pair[1])),
            min_size=1,
            max_size=4,
        )
    )
    return dataset(runs)


@st.composite
def markets(draw: st.DrawFn) -> list[Offer]:
    count = draw(st.integers(1, 4))
    return [
        offer(
            f"ml.f{i}.xlarge",
            draw(st.floats(0.05, 5.0)),
            vcpus=draw(st.sampled_from([2, 4, 16])),
            memory_gib=draw(st.sampled_from([2.0, 4.0, 64.0])),
            speed=draw(st.floats(0.5, 2.0)),
        )
        for i in range(count)
    ]


@st.composite
def wishes(draw: st.DrawFn) -> Wish:
    return Wish(
        objective=draw(st.sampled_from(["cost", "time"])),
        deadline_s=draw(st.none() | st.floats(250, 1500)),
        budget_usd=draw(st.none() | st.floats(0.001, 3.0)),
        score=draw(st.sampled_from([0.0, 1.0, Z90, 2.3])),
    )


def few(data: Dataset) -> list[Packing]:
    """Payloads 1, 2, 7, 40 and 100 of both strategies, dominated ones too: brute force must not need the proof."""
    return [p for p in every_packing(data) if p.max_payload_mb in (1, 2, 7, 40, 100)]


def brute_force(case: Problem, wish: Wish) -> list[tuple[Any, ...]]:
    """Every candidate that meets the wish, as its sorting key, by plain loops over plain floats."""
    found = []
    for t, name in enumerate(case.names):
        for n in range(1, case.max_count + 1):
            for k in range(len(case.settings)):
                if case.rates.limit[t, k] or n > case.layout.objects or n > case.quota[t]:
                    continue
                low, high = (slow_outcome(case, t, n, k, z) for z in (0.0, wish.score))
                if wish.deadline_s is not None and high[0] > wish.deadline_s:
                    continue
                if wish.budget_usd is not None and high[1] > wish.budget_usd:
                    continue
                finish, cost = low
                packing = case.settings.packings[int(case.settings.packing[k])]
                by = (cost, finish) if wish.objective == "cost" else (finish, cost)
                concurrency = int(case.settings.concurrency[k])
                found.append((*by, n, concurrency, name, packing.max_payload_mb, packing.strategy, -case.workers[t]))
    return sorted(found)


def slow_outcome(case: Problem, t: int, n: int, k: int, z: float) -> tuple[float, float]:
    """(finish seconds, cost) of one candidate, from the formulas in words."""
    share, columns = case.layout.share, case.settings
    middle = float(share.mid[n - 1])
    requests = max(1, round(middle * int(columns.requests[k])))
    packing = columns.packings[int(columns.packing[k])]
    c = min(int(columns.concurrency[k]), requests)
    reached = columns.index_of(packing.strategy, packing.max_payload_mb, c)
    assert reached is not None
    waves = math.ceil(requests / c)
    gap = waves * c / requests - 1.0
    rate = float(case.rates.throughput.mid[t, reached])
    makespan = case.layout.records * middle / rate * (1.0 + gap / 2)
    slowest = float(case.rates.latency_p99.mid[t, reached] / case.rates.latency.mid[t, reached]) - 1.0
    errors = (
        math.log(rate / float(case.rates.throughput.low[t, reached])),
        math.log(float(share.high[n - 1]) / middle),
        math.log((1.0 + gap + slowest * c / requests) / (1.0 + gap / 2)),
    )
    moved = makespan * math.exp(z / Z90 * math.sqrt(sum(e * e for e in errors)))

    def total(low_mid_high: Any) -> float:
        apart = float(low_mid_high.high[t] - low_mid_high.mid[t]) * z / Z90
        return float(low_mid_high.mid[t]) + makespan + math.hypot(apart, moved - makespan)

    cost = n * (float(case.usd_per_hour[t]) / 3600.0) * total(case.billed_startup)
    return total(case.startup), cost


def cheapest(case: Problem, wish: Wish | None = None) -> Candidate | None:
    found = best(bounded(case), wish or Wish())
    return found[0] if found else None


@quick
@given(data=inputs(), market=markets(), wish=wishes())
def test_the_search_finds_what_trying_every_candidate_finds(data: Dataset, market: list[Offer], wish: Wish) -> None:
    everything = brute_force(problem(data, market, packings=few(data), max_count=4), wish)
    found = cheapest(problem(data, market, packings=undominated(few(data)), max_count=4), wish)
    if not everything:
        assert found is None
        return
    assert found is not None
    assert found.key[:2] == pytest.approx(everything[0][:2], rel=1e-12)
    ties = [row for row in everything if row[0] <= everything[0][0] * (1 + 1e-12)]
    assert found.key[2:] in [row[2:] for row in ties]
    if len(ties) > 1 and ties[0][0] == ties[-1][0]:
        assert found.key[2:] == ties[0][2:]


@quick
@given(data=inputs(), market=markets(), wish=wishes())
def test_the_runners_up_are_the_best_of_each_other_type(data: Dataset, market: list[Offer], wish: Wish) -> None:
    case = problem(data, market, packings=undominated(few(data)), max_count=4)
    found = best(bounded(case), wish, distinct=len(market))
    first_of_each: dict[str, float] = {}
    for row in brute_force(case, wish):
        first_of_each.setdefault(row[4], row[0])
    assert [case.names[c.t] for c in found] == list(first_of_each)
    assert [c.key[0] for c in found] == pytest.approx(list(first_of_each.values()), rel=1e-12)
    assert best_of_each(bounded(case), wish, range(len(market))) == found


@quick
@given(data=inputs(), market=markets(), wish=wishes(), more=st.floats(1.0, 5.0))
def test_raising_the_deadline_never_raises_the_cost(
    data: Dataset, market: list[Offer], wish: Wish, more: float
) -> None:
    case = problem(data, market)
    tight = replace(wish, objective="cost", deadline_s=wish.deadline_s or 600.0)
    assert tight.deadline_s is not None
    before, after = cheapest(case, tight), cheapest(case, replace(tight, deadline_s=tight.deadline_s * more))
    if before is not None:
        assert after is not None
        assert after.cost_usd <= before.cost_usd


@quick
@given(data=inputs(), market=markets(), wish=wishes(), share=st.floats(0.1, 1.0))
def test_asking_for_less_confidence_never_raises_the_objective(
    data: Dataset, market: list[Offer], wish: Wish, share: float
) -> None:
    case = problem(data, market)
    before, after = cheapest(case, wish), cheapest(case, replace(wish, score=wish.score * share))
    if before is not None:
        assert after is not None
        assert after.key[0] <= before.key[0]  # type: ignore[operator]


@quick
@given(data=inputs(), market=markets(), wish=wishes(), quota=st.lists(st.integers(0, 4), min_size=4, max_size=4))
def test_quotas_are_kept_and_the_search_stays_exact_under_them(
    data: Dataset, market: list[Offer], wish: Wish, quota: list[int]
) -> None:
    case = problem(data, market, packings=undominated(few(data)), max_count=4, quota=quota[: len(market)])
    everything, found = brute_force(case, wish), cheapest(case, wish)
    assert (found is None) == (not everything)
    if found is not None:
        assert found.n <= quota[found.t]
        assert found.key[:2] == pytest.approx(everything[0][:2], rel=1e-12)
    assert all(point.n <= quota[point.t] for point in pareto(bounded(case)))


@quick
@given(data=inputs(), market=markets(), wish=wishes())
def test_adding_a_type_never_hurts(data: Dataset, market: list[Offer], wish: Wish) -> None:
    fewer = cheapest(problem(data, market[:-1]), wish) if len(market) > 1 else None
    if fewer is not None:
        more = cheapest(problem(data, market), wish)
        assert more is not None
        assert more.key[0] <= fewer.key[0]  # type: ignore[operator]


@quick
@given(data=inputs(), market=markets(), wish=wishes(), which=st.integers(0, 3))
def test_doubling_a_price_never_makes_that_type_win(data: Dataset, market: list[Offer], wish: Wish, which: int) -> None:
    which %= len(market)
    dearer = [replace(o, price=_priced(o, 2 * o.price.usd_per_hour)) if i == which else o for i, o in enumerate(market)]
    before, after = cheapest(problem(data, market), wish), cheapest(problem(data, dearer), wish)
    if before is not None and before.t != which and after is not None:
        assert after.t != which


def _priced(known: Offer, usd_per_hour: float) -> Any:
    from planner.documents import replace as changed

    return changed(known.price, usd_per_hour=usd_per_hour)


@quick
@given(data=inputs(), market=markets(), wish=wishes(), order=st.randoms())
def test_the_order_of_the_types_changes_nothing(data: Dataset, market: list[Offer], wish: Wish, order: Any) -> None:
    shuffled = list(market)
    order.shuffle(shuffled)
    before, after = cheapest(problem(data, market), wish), cheapest(problem(data, shuffled), wish)
    assert (before is None) == (after is None)
    if before is not None and after is not None:
        assert before.key == after.key


@quick
@given(data=inputs(), market=markets())
def test_the_pareto_front_is_complete_and_mutually_non_dominated(data: Dataset, market: list[Offer]) -> None:
    case = problem(data, market, packings=few(data), max_count=4)
    front = pareto(bounded(case))
    costs, times = [p.cost_usd for p in front], [p.finish_s for p in front]
    assert costs == sorted(set(costs))
    assert times == sorted(set(times), reverse=True)
    for row in brute_force(case, Wish()):
        assert any(c <= row[0] * (1 + 1e-12) and f <= row[1] * (1 + 1e-12) for c, f in zip(costs, times, strict=True))


def test_equals_that_are_dominated_together_stay_off_the_front() -> None:
    # One record each in two objects: of the smaller, dearer type one and two instances take equally long.
    data = dataset([run(1, 2000, copies=2)])
    market = [offer("ml.f0.xlarge", 1.0), offer("ml.f1.xlarge", 1.0, vcpus=2), offer("ml.f2.xlarge", 1.0, vcpus=2)]
    front = pareto(bounded(problem(data, market, max_count=4)))
    assert len({point.finish_s for point in front}) == len(front)


def test_equal_candidates_are_told_apart_by_the_stated_rules() -> None:
    data = dataset([run(100, 1000, copies=2)])
    twins = [offer("ml.b.xlarge", 1.0), offer("ml.a.xlarge", 1.0)]
    found = cheapest(problem(data, twins))
    assert found is not None
    assert found.key[4] == "ml.a.xlarge"


def test_a_confidence_of_one_half_looks_at_the_middle() -> None:
    data = dataset([run(200_000, 1000, copies=8)])
    case = problem(data, [offer("ml.a.xlarge", 1.0)])
    free = cheapest(case)
    assert free is not None
    assert cheapest(case, Wish(deadline_s=free.finish_s * (1 + 1e-9), score=0.0)) is not None
    strict = cheapest(case, Wish(deadline_s=free.finish_s, score=Z90))
    assert strict is None or strict.cost_usd >= free.cost_usd


def test_types_without_room_for_the_container_are_never_chosen() -> None:
    data = dataset([run(1000, 1000, copies=4)])
    market: Sequence[Offer] = [offer("ml.small.xlarge", 0.01, memory_gib=2.0), offer("ml.large.xlarge", 9.0)]
    case = problem(data, market, model=AnalyticModel(memory_bytes_per_worker=1e9))
    assert np.all(case.rates.limit[0] == LIMITS.index("memory"))
    found = cheapest(case)
    assert found is not None
    assert case.names[found.t] == "ml.large.xlarge"
