"""The input's layout as an axis of the space: never worse than without it, and the best of all that are tried."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.documents import replace
from planner.errors import InfeasibleError
from planner.performance.model import PerformanceModel
from planner.planning.layouts import cuts
from planner.planning.parsimony import NEGLIGIBLE
from planner.planning.plan import Plan
from planner.planning.recommend import recommend
from planner.planning.reshard import COUNTS, equal_objects
from planner.records.dataset import Dataset
from planner.records.layout import describe, repeated
from tests.performance.synthetic import synthetic_profile
from tests.planning.cases import dataset, run

PROFILE = synthetic_profile()
MODEL = PerformanceModel.fit(PROFILE)
FEW = describe(50_000_000, 100, 3)
"""5 GB in three objects: at most three instances."""


def plan_for(data: Dataset, **goal: Any) -> Plan:
    return recommend(PROFILE, data, model=MODEL, instance_types=("ml.m5.large", "ml.c7i.*"), **goal)


def cost(plan: Plan) -> float:
    return plan.estimate.finish_s.mid if plan.goal.objective == "time" else plan.estimate.cost_usd.mid


@pytest.fixture(scope="module")
def cut() -> Plan:
    return plan_for(FEW, objective="time", layouts=True)


@settings(max_examples=12, deadline=None)
@given(
    objects=st.lists(st.tuples(st.integers(1, 3_000_000), st.integers(1, 6)), min_size=1, max_size=4),
    objective=st.sampled_from(["cost", "time"]),
    deadline_s=st.sampled_from([None, 900.0, 3000.0]),
    max_count=st.sampled_from([1, 4, 12]),
)
def test_the_best_layout_is_the_best_of_the_plans_for_each_and_never_worse_than_none(
    objects: list[tuple[int, int]], objective: str, deadline_s: float | None, max_count: int
) -> None:
    data = dataset([run(records, 100, copies, key=f"k{i}") for i, (records, copies) in enumerate(objects)])
    asked: dict[str, Any] = {"objective": objective, "deadline_s": deadline_s, "max_instance_count": max_count}
    tried = {}
    sizes = [count for count in COUNTS if data.payload_bytes >= count * 2**20]
    for count, layout in [(0, data), *((count, equal_objects(data, count)) for count in sizes)]:
        try:
            tried[count] = cost(plan_for(layout, **asked))
        except InfeasibleError:
            continue
    if not tried:
        with pytest.raises(InfeasibleError):
            plan_for(data, layouts=True, **asked)
        return
    plan = plan_for(data, layouts=True, **asked)
    assert cost(plan) <= tried.get(0, float("inf"))
    assert min(tried.values()) <= cost(plan) <= min(tried.values()) * (1 + NEGLIGIBLE)
    assert cost(plan) == tried[0 if plan.layout is None else plan.layout.objects]


def test_the_plan_of_a_new_layout_is_that_for_an_input_which_has_it(cut: Plan) -> None:
    assert cut.layout is not None
    there = plan_for(equal_objects(FEW, cut.layout.objects), objective="time")
    assert cut.workload == there.workload
    assert (cut.configuration, cut.estimate) == (there.configuration, there.estimate)
    assert cut.configuration.instance_count > FEW.object_count


def test_the_plan_says_how_to_make_the_layout_and_what_it_saves(cut: Plan) -> None:
    without = plan_for(FEW, objective="time")
    layout = cut.layout
    assert layout is not None
    assert layout.command == f"planner reshard INPUT --objects {layout.objects} --output DIR"
    assert cut.assumptions[0].startswith("Layout: the input is first cut from 3 objects into ")
    assert layout.command in cut.assumptions[0]
    assert layout.saving_s == pytest.approx(without.estimate.finish_s.mid - cut.estimate.finish_s.mid)
    assert layout.saving_s is not None
    assert layout.saving_s > 0
    assert layout.without is not None
    assert (layout.without.instance_type, layout.without.instance_count) == (
        without.configuration.instance_type,
        without.configuration.instance_count,
    )
    assert cut.reshard is None
    assert [row.as_it_is for row in cut.layouts] == [True, *[False] * (len(cut.layouts) - 1)]


def test_a_deadline_that_only_a_new_layout_meets_is_met() -> None:
    quick: dict[str, Any] = {"deadline_s": 900.0, "instance_types": ("ml.m5.large",)}
    with pytest.raises(InfeasibleError, match="cut the input into more than 3 objects"):
        recommend(PROFILE, FEW, model=MODEL, **quick)
    plan = recommend(PROFILE, FEW, model=MODEL, layouts=True, **quick)
    assert plan.layout is not None
    assert (plan.layout.without, plan.layout.saving_usd, plan.layout.saving_s) == (None, None, None)
    assert plan.estimate.finish_at_confidence_s is not None
    assert plan.estimate.finish_at_confidence_s <= 900.0


def test_where_no_layout_gains_the_plan_is_the_plain_one_with_what_was_tried() -> None:
    data = describe(20_000_000, 100, 200)
    plain, plan = plan_for(data), plan_for(data, layouts=True)
    assert plan.layout is None
    assert {row.objects for row in plan.layouts} == {200, 10, 30, 100, 300, 1000}
    assert replace(plan, layouts=(), created_at=plain.created_at) == plain


def test_records_that_are_whole_objects_cannot_be_cut_and_the_plan_says_so() -> None:
    whole = dataset([run(1, 200_000, copies=5000)], split_type="None")
    assert list(cuts(whole)) == []
    plan = plan_for(whole, layouts=True)
    assert len(plan.layouts) == 1
    assert plan.warnings[0].startswith("No other layout was tried")


def test_an_input_taken_several_times_over_keeps_no_twins_once_it_is_cut() -> None:
    plan = plan_for(repeated(describe(10_000_000, 100, 1), 2), objective="time", layouts=True, repeat=2)
    assert plan.layout is not None
    assert plan.workload.repeat == 2
    assert "taken 2 times over" in plan.assumptions[0]
    assert not any("twins" in line for line in plan.assumptions)
