"""Reasons are read from the plan and agree with the search that made it."""

import re

import pytest

from planner.errors import CatalogueError
from planner.planning.explain import what_changes_it, why, why_not
from planner.planning.parsimony import NEGLIGIBLE
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
    assert optimum_usd(plan) - optimum_usd(free) == pytest.approx(later.saving_usd)


def optimum_usd(plan: Plan) -> float:
    return plan.exact_optimum.cost_usd if plan.exact_optimum else plan.estimate.cost_usd.mid


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


def test_the_choice_is_the_best_of_every_value_of_every_setting(plan: Plan) -> None:
    rows = {(row.setting, row.value): row for row in plan.settings}
    chosen, most = plan.configuration, optimum_usd(plan) * (1 + NEGLIGIBLE)
    own = rows["MaxConcurrentTransforms", str(chosen.max_concurrent_transforms)]
    assert not own.breaks
    assert own.cost_usd <= most
    assert all(row.cost_usd >= optimum_usd(plan) * (1 - 1e-12) for row in plan.settings if not row.breaks)
    assert {setting for setting, _ in rows} == {
        "BatchStrategy",
        "MaxPayloadInMB",
        "MaxConcurrentTransforms",
        "InstanceCount",
    }
    assert all(row.max_payload_mb * row.max_concurrent_transforms <= 100 for row in plan.settings)


def test_the_best_under_a_count_is_what_a_search_of_that_count_alone_finds(plan: Plan) -> None:
    row = next(r for r in plan.settings if (r.setting, r.value) == ("InstanceCount", "1"))
    chosen = (plan.configuration.instance_type,)
    single = recommend(synthetic_profile(), describe(50_000_000, 100, 200), instance_types=chosen, max_instance_count=1)
    assert row.cost_usd == pytest.approx(optimum_usd(single))
    assert bool(row.breaks) == (single.estimate.finish_s.high > 2000.0)


@pytest.mark.parametrize(
    ("subject", "said"),
    [
        ("SingleRecord", r"BatchStrategy=SingleRecord, the best on ml\.\S+ is \d+ x, SingleRecord"),
        ("max_payload_mb=40", r"MaxPayloadInMB=40, the best .* 40 MB x [12]:"),
        ("MaxConcurrentTransforms=1", "MaxConcurrentTransforms=1, the best .* MB x 1: .* dearer"),
        (
            "InstanceCount=1",
            "InstanceCount=1, the best .*It is not allowed: misses the deadline|InstanceCount=1 is the",
        ),
    ],
)
def test_a_setting_is_answered_with_the_best_under_it(plan: Plan, subject: str, said: str) -> None:
    assert re.search(said, " ".join(why_not(plan, subject)))


def test_the_chosen_value_of_a_setting_is_the_choice(plan: Plan) -> None:
    subject = f"MaxPayloadInMB={plan.configuration.max_payload_mb}"
    assert list(why_not(plan, subject)) == [f"{subject} is the choice."]


@pytest.mark.parametrize(
    ("subject", "said"), [("MaxPayloadInMB=101", "1 to 100"), ("Colour=red", "these are: BatchStrategy, MaxPayload")]
)
def test_a_value_or_setting_that_there_is_not_is_an_error(plan: Plan, subject: str, said: str) -> None:
    with pytest.raises(CatalogueError, match=said):
        list(why_not(plan, subject))


def test_a_small_job_is_given_an_alternative_to_a_job() -> None:
    small = recommend(synthetic_profile(), describe(1000, 100, 1), instance_types=("ml.m5.large",))
    assert "endpoint" in " ".join(why(small))


def test_a_lower_price_is_told_by_what_it_saves(plan: Plan) -> None:
    cheaper = next(s for s in plan.sensitivity if "10% cheaper" in s.change)
    assert cheaper.saving_usd == pytest.approx(0.1 * optimum_usd(plan), rel=0.05)
    assert any("10% cheaper" in line and "saves $" in line for line in what_changes_it(plan))
