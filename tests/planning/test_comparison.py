"""Plans side by side: the difference is explained by factors whose product it is."""

import math
from typing import Any

import pytest

from planner.errors import DocumentError
from planner.performance.model import PerformanceModel
from planner.planning.comparison import compare, cost_factors
from planner.planning.plan import Plan
from planner.planning.recommend import recommend
from planner.records.layout import describe
from tests.performance.synthetic import synthetic_profile

PROFILE = synthetic_profile()
MODEL = PerformanceModel.fit(PROFILE)


def plan(records: int = 20_000_000, **goal: Any) -> Plan:
    goal.setdefault("instance_types", ("ml.m5.*", "ml.c7i.*"))
    return recommend(PROFILE, describe(records, 100, 200), model=MODEL, **goal)


@pytest.fixture(scope="module")
def plans() -> dict[str, Plan]:
    return {
        "free": plan(),
        "hurried": plan(100_000_000, deadline_s=1500.0),
        "saving": plan(savings_plan=0.3, runs_per_month=30),
        "elsewhere": plan(region="eu-west-1", instance_types=("ml.m5.*",)),
    }


def test_the_factors_of_the_cost_multiply_to_its_ratio(plans: dict[str, Plan]) -> None:
    base = plans["free"]
    for other in plans.values():
        ratio = other.estimate.cost_usd.mid / base.estimate.cost_usd.mid
        assert math.prod(cost_factors(other, base).values()) == pytest.approx(ratio)


def test_only_what_was_asked_differently_is_listed(plans: dict[str, Plan]) -> None:
    pair = {name: plans[name] for name in ("free", "saving")}
    asked = {row.what: row.values for row in compare(pair).asked}
    assert asked == {"savings plan": ("0", "0.3"), "runs per month": ("not said", "30")}
    asked = {row.what: row.values for row in compare(plans).asked}
    assert asked["deadline"] == ("none", "25 m 00 s at 95%", "none", "none")
    assert asked["region"] == ("us-east-1", "us-east-1", "us-east-1", "eu-west-1")


def test_each_plan_is_told_against_the_first(plans: dict[str, Plan]) -> None:
    first, hurried, saving, _ = compare(plans).plans
    assert (first.against_first, first.within_noise) == ("", False)
    assert "dearer" in hurried.against_first
    assert "cost: price x 0.7" in saving.against_first
    assert saving.monthly_cost_usd is not None


def test_equal_plans_are_within_noise_of_each_other(plans: dict[str, Plan]) -> None:
    twins = compare({"a": plans["free"], "b": plan()})
    assert twins.plans[1].within_noise
    assert twins.asked == ()


def test_one_plan_is_no_comparison(plans: dict[str, Plan]) -> None:
    with pytest.raises(DocumentError, match="at least two"):
        compare({"free": plans["free"]})
