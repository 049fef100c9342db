"""Optuna as the second strategy: the same space, the exact optimum of a small one, and honest about what it is."""

from typing import Any

import pytest

from planner.errors import CatalogueError, InfeasibleError
from planner.performance.model import PerformanceModel
from planner.planning.explain import what_changes_it, why, why_not
from planner.planning.plan import Plan
from planner.planning.recommend import recommend
from planner.records.layout import describe
from tests.performance.synthetic import synthetic_profile

PROFILE = synthetic_profile()
MODEL = PerformanceModel.fit(PROFILE)
SAMPLED = {"strategy": "optuna", "trials": 120}


def plan_for(**goal: Any) -> Plan:
    small = {"instance_types": ("ml.m5.large", "ml.c7i.large"), "max_instance_count": 2, **goal}
    return recommend(PROFILE, describe(20_000_000, 100, 40), model=MODEL, **small)


@pytest.fixture(scope="module")
def plan() -> Plan:
    return plan_for(**SAMPLED)


@pytest.mark.parametrize("wish", [{}, {"objective": "time"}, {"deadline_s": 1800.0}], ids=["cost", "time", "deadline"])
@pytest.mark.parametrize("seed", [0, 1])
def test_on_a_small_space_enough_trials_find_the_exact_optimum(wish: dict[str, Any], seed: int) -> None:
    exact, sampled = plan_for(**wish), plan_for(**SAMPLED, seed=seed, **wish)
    optimum = exact.exact_optimum or exact
    assert sampled.configuration == optimum.configuration
    assert sampled.exact_optimum is None
    assert sampled.sampled is not None
    assert (sampled.sampled.trials, sampled.sampled.seed) == (120, seed)
    assert 1 <= sampled.sampled.found_at <= 120


def test_the_same_seed_chooses_the_same_and_the_seed_matters(plan: Plan) -> None:
    again = plan_for(**SAMPLED)
    assert (again.configuration, again.sampled, again.alternatives) == (
        plan.configuration,
        plan.sampled,
        plan.alternatives,
    )
    few = [plan_for(strategy="optuna", trials=5, seed=seed).configuration for seed in range(4)]
    assert any(configuration != few[0] for configuration in few)


def test_what_nothing_meets_fails_with_the_exact_search_s_words() -> None:
    messages = []
    for strategy in ({}, SAMPLED):
        with pytest.raises(InfeasibleError) as failed:
            plan_for(deadline_s=60.0, **strategy)
        messages.append(str(failed.value))
    assert messages[0] == messages[1]


def test_too_few_trials_to_meet_a_deadline_are_told_from_one_that_nothing_meets() -> None:
    free = plan_for(objective="time")
    tight = {"deadline_s": 1.0001 * (free.estimate.finish_at_confidence_s or free.estimate.finish_s.high)}
    assert plan_for(**tight).sampled is None
    with pytest.raises(InfeasibleError, match=r"none of Optuna's 1 trials .* though the exact search finds one"):
        plan_for(strategy="optuna", trials=1, seed=0, **tight)


def test_a_sampled_plan_lists_what_the_trials_found_and_nothing_that_needs_the_exact_search(plan: Plan) -> None:
    assert (plan.settings, plan.sensitivity, plan.pareto, plan.reshard) == ((), (), (), None)
    assert {row.configuration.instance_type for row in plan.types} == {"ml.m5.large", "ml.c7i.large"}
    assert plan.types[0].reason == "the choice"
    runners_up = [row for row in plan.alternatives if row.title.startswith("runner-up")]
    assert [row.configuration.instance_type for row in runners_up] == [plan.types[1].configuration.instance_type]
    assert runners_up[0].estimate.cost_usd.mid >= plan.estimate.cost_usd.mid
    assert "not proved optimal" in plan.assumptions[0]


def test_a_sampled_plan_explains_itself_as_far_as_it_goes(plan: Plan) -> None:
    assert "the cheapest that 120 trials found among" in next(why(plan))
    assert [line.startswith("not known") for line in what_changes_it(plan)] == [True]
    assert "Its best" in next(why_not(plan, plan.types[1].configuration.instance_type))
    with pytest.raises(CatalogueError, match="compared by the exact search"):
        list(why_not(plan, "SingleRecord"))
    with pytest.raises(CatalogueError, match="none of the 120 trials"):
        list(why_not(plan, "ml.c5.xlarge"))


def test_layouts_are_sampled_too() -> None:
    few = describe(50_000_000, 100, 1)
    goal: dict[str, Any] = {"model": MODEL, "instance_types": ("ml.m5.large",), "objective": "time", "layouts": True}
    exact, sampled = recommend(PROFILE, few, **goal), recommend(PROFILE, few, **goal, strategy="optuna", trials=60)
    assert exact.layout is not None
    assert sampled.layout is not None
    assert sampled.estimate.finish_s.mid >= exact.estimate.finish_s.mid * (1 - 0.005)
    assert "the best that 60 trials found" in "\n".join(why(sampled))


@pytest.mark.parametrize("wrong", [{"strategy": "guess"}, {"strategy": "optuna", "trials": 0}])
def test_a_strategy_that_is_none_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"exact or optuna|at least one trial"):
        plan_for(**wrong)
