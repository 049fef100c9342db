"""Several plans side by side: what was asked, what was chosen, and what makes the difference in cost.

    cost = instances x price per hour / 3600 x billed seconds

The cost of a plan over that of the first is the product of the three ratios.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from planner.catalogue import instance_type
from planner.documents import Document, Value
from planner.errors import DocumentError
from planner.interval import Z90, Interval
from planner.performance.hardware import throughput_ratio
from planner.performance.prediction import Bottleneck
from planner.planning.compare import SD_SAME_TYPE, difference
from planner.planning.plan import Plan
from planner.planning.space import Configuration
from planner.units import show_seconds, show_usd


class ComparedPlan(Value, frozen=True, kw_only=True):
    """One plan's answer, and its difference from the first plan's in words."""

    name: str
    configuration: Configuration
    region: str
    cost_usd: Interval
    finish_s: Interval
    monthly_cost_usd: Interval | None
    bottleneck: Bottleneck
    against_first: str
    """Empty for the first itself."""
    within_noise: bool
    """Whether nothing known tells the cost from the first plan's."""


class Asked(Value, frozen=True, kw_only=True):
    """Something that was asked or known differently."""

    what: str
    values: tuple[str, ...]
    """One per plan, as people read it."""


class Comparison(Document, frozen=True, kw_only=True, tag="comparison"):
    """Plans side by side, in the order in which they were named."""

    plans: tuple[ComparedPlan, ...]
    asked: tuple[Asked, ...]
    """Only what differs."""


def compare(plans: Mapping[str, Plan]) -> Comparison:
    """The plans beside the first of them. Raises DocumentError for fewer than two."""
    if len(plans) < 2:
        raise DocumentError("a comparison needs at least two plans with different names")
    base = next(iter(plans.values()))
    return Comparison(
        plans=tuple(_compared(name, plan, base) for name, plan in plans.items()),
        asked=tuple(
            Asked(what=what, values=values)
            for what, show in _ASKED.items()
            if len(set(values := tuple(show(plan) for plan in plans.values()))) > 1
        ),
    )


def _compared(name: str, plan: Plan, base: Plan) -> ComparedPlan:
    value = plan.estimate
    return ComparedPlan(
        name=name,
        configuration=plan.configuration,
        region=plan.goal.region,
        cost_usd=value.cost_usd,
        finish_s=value.finish_s,
        monthly_cost_usd=plan.monthly_cost_usd,
        bottleneck=value.bottleneck,
        against_first="" if plan is base else "; ".join(_differences(plan, base)),
        within_noise=plan is not base and _within_noise(plan, base),
    )


def _differences(plan: Plan, base: Plan) -> Iterator[str]:
    """The two results against the base's, and the factors of the cost that moved by half a percent or more."""
    value, other = plan.estimate, base.estimate
    yield (
        f"{difference(other.cost_usd.mid, value.cost_usd.mid, ('dearer', 'cheaper', 'equally dear'))}, "
        f"{difference(other.finish_s.mid, value.finish_s.mid, ('slower', 'faster', 'equally fast'))}"
    )
    factors = cost_factors(plan, base)
    moved = [f"{name} x {factor:.3g}" for name, factor in factors.items() if abs(math.log(factor)) >= 0.005]
    if moved:
        yield "cost: " + ", ".join(moved)
    if _within_noise(plan, base):
        yield "within noise"


def cost_factors(plan: Plan, base: Plan) -> dict[str, float]:
    """Ratios, plan over base, whose product is the ratio of the costs."""
    value, other = plan.estimate, base.estimate
    billed = value.billed_s.mid / other.billed_s.mid
    return {
        "instances": plan.configuration.instance_count / base.configuration.instance_count,
        "price": value.price.usd_per_hour / other.price.usd_per_hour,
        "billed time": billed,
    }


def _within_noise(plan: Plan, base: Plan) -> bool:
    """Of one profile: inside the spread of the types' throughput ratio; of two: whether the intervals overlap."""
    value, other = plan.estimate.cost_usd, base.estimate.cost_usd
    if plan.profile_digest != base.profile_digest:
        return value.overlaps(other)
    names = (plan.configuration.instance_type, base.configuration.instance_type)
    if names[0] == names[1]:
        return abs(math.log(value.mid / other.mid)) < Z90 * SD_SAME_TYPE
    ratio = throughput_ratio(instance_type(names[0]), instance_type(names[1]))
    return abs(math.log(value.mid / other.mid)) < math.log(ratio.high / ratio.mid)


def _deadline(plan: Plan) -> str:
    asked = plan.goal.deadline_s
    return "none" if asked is None else f"{show_seconds(asked)} at {plan.goal.confidence:.0%}"


_ASKED: Final[dict[str, Callable[[Plan], str]]] = {
    "objective": lambda plan: plan.goal.objective,
    "deadline": _deadline,
    "budget": lambda plan: "none" if plan.goal.budget_usd is None else show_usd(plan.goal.budget_usd),
    "region": lambda plan: plan.goal.region,
    "instance types": lambda plan: ", ".join(plan.goal.instance_types) or "all",
    "most instances": lambda plan: str(plan.goal.max_instance_count),
    "quotas": lambda plan: ", ".join(f"{name}={n}" for name, n in plan.goal.quotas.items()) or "none",
    "given prices": lambda plan: ", ".join(f"{name}=${usd:g}" for name, usd in plan.goal.prices.items()) or "none",
    "savings plan": lambda plan: f"{plan.goal.savings_plan:.3g}",
    "runs per month": lambda plan: "not said" if plan.goal.runs_per_month is None else f"{plan.goal.runs_per_month:g}",
    "records": lambda plan: f"{plan.workload.records:,}",
    "objects": lambda plan: f"{plan.workload.objects:,}",
    "start-up": lambda plan: show_seconds(plan.estimate.startup_s.mid),
    "profile": lambda plan: plan.profile_digest[:12],
    "planner version": lambda plan: plan.planner_version,
}
