"""A plan's reasons, read from the plan alone: why the choice, why not another type, what would change it."""

import math
from collections.abc import Iterator
from typing import Final

from planner.catalogue import instance_type
from planner.errors import CatalogueError
from planner.interval import Z90
from planner.planning.compare import SD_SAME_TYPE, difference
from planner.planning.plan import Estimate, NewLayout, Plan, Sensitivity, SettingBest, TypeBest
from planner.units import show_rate, show_seconds, show_usd

WITHIN_NOISE: Final = math.expm1(Z90 * SD_SAME_TYPE)
"""How well two settings of one type are known against each other, at 90 %."""

_BECAUSE = {
    "service time": "one request at a time keeps it busy: its speed with one request decides",
    "cpu": "its vCPUs are busy: more or faster ones would help",
    "workers": "its worker processes are busy: more of them would help",
    "concurrency": "too few requests are in flight to keep it busy, and the API allows no more at this payload",
    "serial section": "requests wait for a lock: more vCPUs would not help",
    "waiting": "requests wait for something that is not the CPU",
    "network": "records arrive no faster over its network",
    "start-up": "starting takes longer than the work",
    "largest object": "one object is too large to be shared out: cutting it up would help",
}


def why(plan: Plan) -> Iterator[str]:
    """Why the choice is what it is: its bottleneck, and the next best with the gap."""
    chosen, value, goal = plan.configuration, plan.estimate, plan.goal
    aim = "fastest" if goal.objective == "time" else "cheapest"
    among = f"of {plan.candidates:,} configurations"
    if plan.sampled is not None:
        among = f"that {plan.sampled.trials:,} trials found among {plan.candidates:,} configurations"
    yield (
        f"{chosen.instance_count} x {chosen.instance_type} is the {aim} {among}: "
        f"{show_usd(value.cost_usd.mid)}, {show_seconds(value.finish_s.mid)}."
    )
    if plan.sampled is not None:
        yield "Nothing proves that there is no better one; --strategy exact decides."
    if plan.layout is not None:
        yield f"It needs the input in {plan.layout.objects:,} objects: {layout_gain(plan, plan.layout)}."
    yield f"It is limited by {value.bottleneck}: {_BECAUSE[value.bottleneck]}."
    if plan.exact_optimum is not None:
        yield f"Of its settings, {plan.exact_optimum.reason}."
    if value.bottleneck == "start-up":
        yield start_up_dominates(value)
    close = [t for t in plan.types if t.within_noise and t.configuration.instance_type != chosen.instance_type]
    if close:
        names = ", ".join(t.configuration.instance_type for t in close[:5])
        more = f" and {len(close) - 5} more" if len(close) > 5 else ""
        yield (f"{len(close)} other types are within noise of it: {names}{more}. A short profile there would tell.")


def layout_gain(plan: Plan, layout: NewLayout) -> str:
    """What the layout buys, in words, against the best plan for the input as it is."""
    here = layout.without
    if here is None or layout.saving_usd is None or layout.saving_s is None:
        return f"as it is, in {layout.objects_now:,} objects, nothing meets the constraints"
    by_time = plan.goal.objective == "time"
    gain = f"{show_seconds(layout.saving_s)} sooner" if by_time else f"{show_usd(layout.saving_usd)} less"
    best = "the best" if plan.sampled is None else f"the best that {plan.sampled.trials:,} trials found"
    return (
        f"{gain} than {best} for the input as it is, {here.instance_count} x {here.instance_type} at "
        f"{show_usd(here.cost_usd)} and {show_seconds(here.finish_s)}"
    )


def what_changes_it(plan: Plan) -> Iterator[str]:
    """One sentence per assumption: what would be chosen if it were otherwise, and what keeping to the plan costs."""
    if plan.sampled is not None:
        yield "not known: the plan was sampled, and only the exact search decides again (--strategy exact)."
    for row in plan.sensitivity:
        yield f"{row.assumption}, {row.change}: {_outcome(row)}."


def _outcome(row: Sensitivity) -> str:
    if row.configuration is None:
        return "nothing would meet the constraints"
    other = f"{row.configuration.instance_count} x {row.configuration.instance_type}"
    if row.assumption == "deadline" or "cheaper" in row.change:
        moved = row.assumption == "price" or not row.same_choice
        saves = row.saving_usd is not None and row.saving_usd > 0 and moved
        return f"saves {show_usd(row.saving_usd or 0)}, with {other}" if saves else "saves nothing"
    if not row.choice_holds:
        return f"the choice would miss the constraints; {other} would meet them"
    if row.same_choice:
        return "the same type and count"
    if row.regret is None or row.regret < 0.005:
        return f"{other}, no better than the choice"
    return f"{other}; keeping to the choice would cost {row.regret:.0%} more"


def start_up_dominates(value: Estimate) -> str:
    """What to do instead of a job whose start-up takes longer than its work."""
    return (
        f"Start-up ({show_seconds(value.startup_s.mid)}) is longer than the work "
        f"({show_seconds(value.makespan_s.mid)}): put the inputs of several jobs under one prefix (of "
        f"{value.startup_s.mid / value.makespan_s.mid:,.0f} times the records, work and start-up would be even), or, "
        "where results are wanted within minutes, use a serverless or asynchronous endpoint, which does not start "
        "machines for each job."
    )


_SETTINGS: Final = ("BatchStrategy", "MaxPayloadInMB", "MaxConcurrentTransforms", "InstanceCount")


def why_not(plan: Plan, subject: str) -> Iterator[str]:
    """Why an instance type, or a value of a setting (``MaxPayloadInMB=1``, ``SingleRecord``), was not chosen.

    Of a type also what would have to be true for it to win. Raises CatalogueError where the subject is no type that
    the plan considered and no setting, or a value that the API does not allow for this input.
    """
    name, equals, value = subject.partition("=")
    if subject.lower() in {"singlerecord", "multirecord"}:
        name, equals, value = "BatchStrategy", "=", subject
    if not equals:
        return _why_not_type(plan, subject)
    known = {"maxpayloadmb": "MaxPayloadInMB"} | {setting.lower(): setting for setting in _SETTINGS}
    setting = known.get(name.strip().lower().replace("_", "").replace("-", ""))
    if setting is None:
        raise CatalogueError(f"{name!r} is not a setting that a plan decides; these are: {', '.join(_SETTINGS)}")
    return _why_not_setting(plan, setting, value.strip())


def _why_not_setting(plan: Plan, setting: str, value: str) -> Iterator[str]:
    if plan.sampled is not None:
        raise CatalogueError("settings are compared by the exact search; this plan was sampled (--strategy optuna)")
    rows = {row.value.lower(): row for row in plan.settings if row.setting == setting}
    found = rows.get(value.lower())
    if found is None:
        among = list(rows.values())
        listed = f"{among[0].value} to {among[-1].value}" if len(among) > 2 else " or ".join(r.value for r in among)
        raise CatalogueError(
            f"{setting}={value} is not possible for this input and goal; the plan decided among {listed or 'none'}. "
            "The largest record must fit MaxPayloadInMB with 1 % to spare, and the product of MaxPayloadInMB and "
            "MaxConcurrentTransforms may not exceed 100."
        )
    chosen = plan.configuration
    own = {
        "BatchStrategy": chosen.batch_strategy,
        "MaxPayloadInMB": str(chosen.max_payload_mb),
        "MaxConcurrentTransforms": str(chosen.max_concurrent_transforms),
        "InstanceCount": str(chosen.instance_count),
    }[setting]
    if found.value == own:
        yield f"{setting}={own} is the choice."
        return
    yield from _against_setting(plan, found)


def _against_setting(plan: Plan, row: SettingBest) -> Iterator[str]:
    """The best under the setting beside the choice, in both objectives; what it breaks."""
    cost, finish = plan.estimate.cost_usd.mid, plan.estimate.finish_s.mid
    words = (
        f"{difference(cost, row.cost_usd, ('dearer', 'cheaper', 'equally dear'))}, "
        f"{difference(finish, row.finish_s, ('slower', 'faster', 'equally fast'))}"
    )
    yield (
        f"With {row.setting}={row.value}, the best on {plan.configuration.instance_type} is {row.instance_count} x, "
        f"{row.batch_strategy}, {row.max_payload_mb} MB x {row.max_concurrent_transforms}: {show_usd(row.cost_usd)}, "
        f"{show_seconds(row.finish_s)}; {words} than the choice."
    )
    if row.breaks:
        yield f"It is not allowed: {row.breaks}."
        return
    by_time = plan.goal.objective == "time"
    gap = row.finish_s / finish - 1 if by_time else row.cost_usd / cost - 1
    if abs(gap) < WITHIN_NOISE:
        yield (
            f"That is within noise (±{WITHIN_NOISE:.0%} between settings of one type): the choice has the fewest "
            "requests in flight and the smallest payload of such equals."
        )


def _why_not_type(plan: Plan, name: str) -> Iterator[str]:
    asked = instance_type(name).name
    if asked == plan.configuration.instance_type:
        yield f"{asked} is the choice."
        return
    refused = [r for r in plan.rejections if r.subject == asked]
    for rejection in refused:
        yield f"{asked}: {rejection.limit}: {rejection.reason} ({rejection.candidates:,} candidates)."
    for row in plan.types:
        if row.configuration.instance_type == asked:
            yield from _against(plan, row)
            return
    if not refused and plan.sampled is not None:
        raise CatalogueError(
            f"none of the {plan.sampled.trials:,} trials that the plan rests on met the constraints with {asked}, if "
            "it was among the types asked for; the exact search says what it can do (without --strategy optuna)"
        )
    if not refused:
        raise CatalogueError(
            f"{asked} was not among the types that the plan considered"
            f"{': ' if plan.goal.instance_types else ''}{', '.join(plan.goal.instance_types)}. "
            "Run `planner recommend` with it in --instance-type."
        )


def _against(plan: Plan, row: TypeBest) -> Iterator[str]:
    held, chosen = row.configuration, plan.estimate
    yield (
        f"{'Its best' if row.meets_constraints else 'Its nearest miss'}: {held.instance_count} x {held.instance_type}, "
        f"{held.batch_strategy}, {held.max_payload_mb} MB x {held.max_concurrent_transforms}: "
        f"{show_usd(row.cost_usd.mid)}, {show_seconds(row.finish_s.mid)}, limited by {row.bottleneck}; {row.reason}."
    )
    yield (
        f"One of its instances does {show_rate(row.throughput_records_per_s.mid, 'records')} at "
        f"${row.usd_per_hour:.4f} per hour; one of the choice does "
        f"{show_rate(chosen.throughput_records_per_s.mid, 'records')} at ${chosen.price.usd_per_hour:.4f}."
    )
    if row.meets_constraints and plan.goal.objective == "cost":
        yield from _to_win(plan, row)


def _to_win(plan: Plan, row: TypeBest) -> Iterator[str]:
    """The price and the speed at which this configuration would cost what the choice costs."""
    price = row.usd_per_hour * plan.estimate.cost_usd.mid / row.cost_usd.mid
    yield f"To win, its price would have to fall below ${price:.4f} per hour ({price / row.usd_per_hour - 1:+.0%})."
    hourly = row.configuration.instance_count * row.usd_per_hour / 3600
    makespan_s = plan.estimate.cost_usd.mid / hourly - (row.billed_s - row.makespan_s)
    rate = row.throughput_records_per_s
    if makespan_s <= 0:
        yield "No speed would make it win: its billed start-up alone costs more than the choice."
        return
    needed = row.makespan_s / makespan_s
    inside = needed * rate.mid <= rate.high
    yield (
        f"Or an instance would have to do {show_rate(rate.mid * needed, 'records')} ({needed - 1:+.0%}): "
        f"{'inside' if inside else 'outside'} the interval of its speed (up to {show_rate(rate.high, 'records')})"
        f"{', so that a short profile on it could change the choice' if inside else ''}."
    )
