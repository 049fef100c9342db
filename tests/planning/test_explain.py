"""Reasons are read from the plan and agree with the search that made it."""

import re

import pytest

from planner.errors import CatalogueError
from planner.planning.explain import what_changes_it, why, why_not
from planner.planning.plan import Plan
from planner.planning.recommend import recommend
from planner.records.layout import describe
from tests.performance.synthetic import synthetic_profile

TYPES = ("ml.m5.*", "ml.c7i.*", "ml.g5.xlarge")


@pytest.fixture(scope="module")
def plan() -> Plan:
    return recommend(synthetic_profile(), describe(50_000_000, 100, 200), instance_types=TYPES, deadline_s=2000.0)


def test_every_type_that_was_searched_is_there_once_the_choice_first(plan: Plan) -> None:
    names = [t.configuration.instance_type for t in plan.types]
    assert names[0] == plan.configuration.instance_type
    assert len(set(names)) == len(names)
    assert {n.split(".")[1] for n in names} == {"m5", "c7i"}
    costs = [t.cost_usd.mid for t in plan.types if t.meets_constraints]
    assert costs == sorted(costs)


def test_a_changed_assumption_never_finds_worse_than_a_choice_that_still_holds(plan: Plan) -> None:
    assert {s.assumption for s in plan.sensitivity} >= {"start-up", "speed", "price", "deadline"}
    for changed in plan.sensitivity:
        if changed.choice_holds:
            assert changed.regret is not None
            assert changed.regret >= -1e-9


def test_a_faster_chosen_type_gains_little_from_another_count() -> None:
    # One factor on every setting of the type: the work shrinks alike, so only start-up can move the count.
    data = describe(2_000_000_000, 100, 200)
    plan = recommend(synthetic_profile(), data, instance_types=("ml.m5.xlarge",), deadline_s=9000.0)
    faster = next(s for s in plan.sensitivity if s.assumption == "speed" and "upper" in s.change)
    assert faster.choice_holds
    assert faster.regret is not None
    startup_share = 1 - plan.estimate.makespan_s.mid / plan.estimate.billed_s.mid
    assert 0 <= faster.regret < 3 * startup_share


def test_one_more_hour_never_costs_more(plan: Plan) -> None:
    later = next(s for s in plan.sensitivity if s.assumption == "deadline")
    assert later.saving_usd is not None
    assert later.saving_usd >= 0
    free = recommend(
        synthetic_profile(), describe(50_000_000, 100, 200), instance_types=TYPES, deadline_s=2000.0 + 3600
    )
    assert plan.estimate.cost_usd.mid - free.estimate.cost_usd.mid == pytest.approx(later.saving_usd)


def test_the_price_that_would_make_a_type_win_is_where_the_costs_meet(plan: Plan) -> None:
    other = next(t for t in plan.types if t.configuration.instance_type == "ml.m5.xlarge")
    text = " ".join(why_not(plan, "m5.xlarge"))
    found = re.search(r"fall below \$([\d.]+) per hour", text)
    assert found is not None
    assert other.cost_usd.mid * float(found[1]) / other.usd_per_hour == pytest.approx(
        plan.estimate.cost_usd.mid, rel=1e-3
    )


def test_the_speed_that_would_make_a_type_win_is_where_the_costs_meet(plan: Plan) -> None:
    other = next(t for t in plan.types if t.configuration.instance_type == "ml.m5.xlarge")
    text = " ".join(why_not(plan, "ml.m5.xlarge"))
    found = re.search(r"would have to do ([\d,]+) records/s", text)
    assert found is not None
    faster = float(found[1].replace(",", "")) / other.throughput_records_per_s.mid
    billed_s = other.billed_s - other.makespan_s + other.makespan_s / faster
    assert other.cost_usd.mid * billed_s / other.billed_s == pytest.approx(plan.estimate.cost_usd.mid, rel=0.01)


def test_a_gpu_type_is_explained_by_its_refusal(plan: Plan) -> None:
    assert "no measurement on such a device" in " ".join(why_not(plan, "ml.g5.xlarge"))


def test_the_choice_explains_itself(plan: Plan) -> None:
    assert list(why_not(plan, plan.configuration.instance_type)) == [
        f"{plan.configuration.instance_type} is the choice."
    ]
    text = " ".join(why(plan))
    assert f"is the cheapest of {plan.candidates:,} configurations" in text
    assert f"limited by {plan.estimate.bottleneck}" in text
    assert len(list(what_changes_it(plan))) == len(plan.sensitivity)


def test_a_type_that_was_not_asked_for_is_an_error_that_says_how_to_ask(plan: Plan) -> None:
    with pytest.raises(CatalogueError, match="--instance-type"):
        list(why_not(plan, "ml.r7i.xlarge"))


def test_a_type_that_cannot_meet_the_deadline_is_explained_by_its_nearest_miss() -> None:
    plan = recommend(
        synthetic_profile(),
        describe(500_000_000, 100, 8),
        instance_types=("ml.m5.large", "ml.c7i.16xlarge"),
        deadline_s=1500.0,
    )
    text = " ".join(why_not(plan, "ml.m5.large"))
    assert "deadline: its fastest" in text
    assert "Its nearest miss" in text
