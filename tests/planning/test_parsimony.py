"""Of settings that nothing can tell apart the simplest is chosen, and the search itself stays exact."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from planner.planning.compare import SD_SAME_TYPE
from planner.planning.evaluate import Problem, outcome
from planner.planning.parsimony import NEGLIGIBLE, settled
from planner.planning.plan import Plan
from planner.planning.recommend import recommend
from planner.planning.search import Candidate, Wish, best, bounded
from planner.records.dataset import Dataset
from planner.records.layout import describe
from tests.performance.synthetic import synthetic_profile
from tests.planning.cases import dataset, offer, problem, run
from tests.planning.test_search import inputs, wishes


def numbers(case: Problem, k: int) -> tuple[int, int]:
    """(in flight, payload) of a setting."""
    return int(case.settings.concurrency[k]), case.settings.packings[int(case.settings.packing[k])].max_payload_mb


def objective(candidate: Candidate, wish: Wish) -> float:
    return candidate.cost_usd if wish.objective == "cost" else candidate.finish_s


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=inputs(), wish=wishes())
def test_the_choice_is_the_first_of_the_equals_in_every_way(data: Dataset, wish: Wish) -> None:
    case = problem(data, [offer("ml.a.xlarge", 1.0), offer("ml.b.xlarge", 1.3, vcpus=16)], max_count=3)
    found = best(bounded(case), wish)
    if not found:
        return
    exact, choice = found[0], settled(case, wish, found[0]).choice
    assert (choice.t, choice.n) == (exact.t, exact.n)
    assert objective(choice, wish) <= objective(exact, wish) * (1 + NEGLIGIBLE) * (1 + 1e-12)
    assert np.all(np.array(numbers(case, choice.k)) <= numbers(case, exact.k))
    asked = outcome(case, np.array(choice.t), np.array(choice.n), np.array(choice.k), wish.score)
    assert wish.deadline_s is None or asked.finish_s <= wish.deadline_s
    assert wish.budget_usd is None or asked.cost_usd <= wish.budget_usd
    # A second look changes nothing unless the first gave something up.
    if choice == exact:
        assert settled(case, wish, choice).choice == choice


def test_fewer_in_flight_are_chosen_where_the_gain_is_inside_the_noise() -> None:
    # A server whose throughput still creeps up after its workers are busy: by 0.1 % for each request more.
    case = problem(dataset([run(2_000_000, 1000)]), [offer("ml.a.xlarge", 1.0)], max_count=1)
    creep = 1 + 1e-3 * np.log(case.settings.concurrency)[None, :]
    rates = replace(case.rates, throughput=replace(case.rates.throughput, mid=case.rates.throughput.mid * creep))
    case = replace(case, rates=rates)
    wish = Wish()
    exact = best(bounded(case), wish)[0]
    choice = settled(case, wish, exact).choice
    assert numbers(case, exact.k)[0] > numbers(case, choice.k)[0]
    assert exact.cost_usd < choice.cost_usd <= exact.cost_usd * (1 + NEGLIGIBLE)


def test_an_extrapolated_optimum_gives_way_to_what_was_measured_if_that_comes_near() -> None:
    case = problem(dataset([run(2_000_000, 1000)]), [offer("ml.a.xlarge", 1.0)], max_count=1)
    exact = best(bounded(case), Wish())[0]
    beyond = case.settings.concurrency >= case.settings.concurrency[exact.k]
    for gain, given_up in ((0.01, True), (3 * SD_SAME_TYPE, False)):
        mid = case.rates.throughput.mid * np.where(beyond, 1 + gain, 1.0)
        rates = replace(
            case.rates,
            extrapolated=np.broadcast_to(beyond, mid.shape),
            throughput=replace(case.rates.throughput, mid=mid),
        )
        changed = replace(case, rates=rates)
        found = settled(changed, Wish(), best(bounded(changed), Wish())[0])
        chosen_beyond = bool(beyond[found.choice.k])
        # With equal rates one request less in flight is a tenth slower: only a small loss is accepted.
        loss = found.choice.cost_usd / found.exact.cost_usd - 1
        assert loss <= SD_SAME_TYPE + NEGLIGIBLE + 1e-9
        assert found.measured_instead == (not chosen_beyond)
        assert given_up or chosen_beyond


@pytest.fixture(scope="module")
def plan() -> Plan:
    return recommend(synthetic_profile(), describe(20_000_000, 100, 200), instance_types=("ml.c7i.4xlarge",))


def test_the_plan_says_what_was_given_up(plan: Plan) -> None:
    exact, chosen = plan.exact_optimum, plan.configuration
    if exact is None:
        pytest.fail("the synthetic profile's optimum has more in flight than it needs; another input would not")
    held = exact.configuration
    assert held.max_concurrent_transforms >= chosen.max_concurrent_transforms
    assert held.max_payload_mb >= chosen.max_payload_mb
    assert exact.cost_usd <= plan.estimate.cost_usd.mid <= exact.cost_usd * (1 + SD_SAME_TYPE)
    assert f"{held.max_payload_mb} MB x {held.max_concurrent_transforms}" in exact.reason
