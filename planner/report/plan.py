"""A plan as people read it: the choice, the arithmetic to check it by hand, what lost and why, what it rests on."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from planner.interval import Interval
from planner.planning.explain import layout_gain
from planner.planning.plan import Alternative, Plan, Rejection
from planner.planning.space import Configuration
from planner.units import show_bytes, show_rate, show_seconds, show_usd

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table


def render(plan: Plan) -> "RenderableType":
    """The choice, its arithmetic, the tables of what lost, the refusals, assumptions and warnings."""
    from rich.console import Group
    from rich.text import Text

    chosen, blank = plan.configuration, Text()
    runners_up = [a for a in plan.alternatives if a.title.startswith(("runner-up", "one instance"))]
    guessed = [a for a in plan.alternatives if a not in runners_up]
    parts: list[RenderableType] = [
        *(Text(line, style="bold yellow") for line in first_step(plan)),
        Text(f"Recommended: {one_line(chosen)}", style="bold"),
        _facts(plan),
        blank,
        Text("Check it by hand", style="bold"),
        *(_indented(line) for line in arithmetic(plan)),
    ]
    for title, rows in (("Runners-up", runners_up), ("Your likely first guesses", guessed)):
        if rows:
            parts += [blank, Text(title, style="bold"), _table(rows)]
    refused = list(refusals(plan.rejections))
    if refused:
        parts += [blank, Text("Refused", style="bold"), *map(_indented, refused)]
    parts += [blank, Text("What this rests on", style="bold"), *map(_indented, plan.assumptions)]
    if plan.warnings:
        parts.append(blank)
    parts += [Text(f"Warning: {line}", style="yellow") for line in plan.warnings]
    return Group(*parts)


def _indented(line: str) -> "RenderableType":
    from rich.padding import Padding
    from rich.text import Text

    return Padding(Text(line), (0, 0, 0, 2))


def one_line(chosen: Configuration) -> str:
    """``2 x ml.c7i.xlarge, MultiRecord, payloads up to 4 MB, 6 in flight per instance``."""
    return (
        f"{chosen.instance_count} x {chosen.instance_type}, {chosen.batch_strategy}, payloads up to "
        f"{chosen.max_payload_mb} MB, {chosen.max_concurrent_transforms} in flight per instance"
    )


def first_step(plan: Plan) -> Iterator[str]:
    """What has to be done before the job: nothing, or the new layout of its input."""
    if plan.layout is not None:
        yield f"First: {plan.layout.command}"


def arithmetic(plan: Plan) -> Iterator[str]:
    """The middle estimates as sums that a reader can repeat."""
    value, n = plan.estimate, plan.configuration.instance_count
    share, rate = value.busiest_instance_share, value.throughput_records_per_s.mid
    steady_s = plan.workload.records * share / rate
    per_request = f"{value.records_per_request:,.1f}".removesuffix(".0")
    yield (
        f"requests  {plan.workload.records:,} records / {value.requests:,} requests = {per_request} records per request"
    )
    where = "" if n == 1 else f" x {share:.4g} on the busiest of {n}"
    tail = value.makespan_s.mid - steady_s
    yield (
        f"work      {plan.workload.records:,} records{where} / {rate:,.1f} records/s"
        f"{f' + {tail:.1f} s for the last requests' if tail > 0.05 else ''} = {value.makespan_s.mid:,.1f} s"
    )
    yield (
        f"time      {value.startup_s.mid:,.1f} s start-up + {value.makespan_s.mid:,.1f} s = {value.finish_s.mid:,.1f} s"
    )
    billed_startup_s = value.billed_s.mid - value.makespan_s.mid
    yield (
        f"billed    {billed_startup_s:,.1f} s of the start-up + {value.makespan_s.mid:,.1f} s = "
        f"{value.billed_s.mid:,.1f} s"
    )
    yield (
        f"cost      {n} x ${value.price.usd_per_hour:.4f}/h x {value.billed_s.mid:,.1f} s / 3600 = "
        f"{show_usd(value.cost_usd.mid)}"
    )


def refusals(rejections: Sequence[Rejection]) -> Iterator[str]:
    """One line per limit: how many types or groups fell to it, which, and why."""
    by_limit: dict[str, list[Rejection]] = {}
    for rejection in rejections:
        by_limit.setdefault(rejection.limit, []).append(rejection)
    for limit, group in by_limit.items():
        names = ", ".join(r.subject for r in group[:4])
        more = f" and {len(group) - 4} more" if len(group) > 4 else ""
        candidates = sum(r.candidates for r in group)
        yield f"{limit}: {names}{more} ({candidates:,} candidates). {group[0].subject} {group[0].reason}."


def _facts(plan: Plan) -> "Table":
    from rich.table import Table
    from rich.text import Text

    value, goal, work = plan.estimate, plan.goal, plan.workload
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 2))
    table.add_row("time", f"{_times(value.finish_s)} from creating the job to its end")
    table.add_row("cost", f"{_dollars(value.cost_usd)}")
    table.add_row("limited by", value.bottleneck)
    table.add_row(
        "speed",
        f"{show_rate(value.throughput_records_per_s.mid, 'records')} per instance; a request takes "
        f"{show_seconds(value.latency_s.mid)}, 1 in 100 more than {show_seconds(value.latency_p99_s.mid)}",
    )
    table.add_row(
        "input",
        Text(f"{work.input}: {work.records:,} records, {show_bytes(work.payload_bytes)} in {work.objects:,} objects"),
    )
    if goal.deadline_s is not None and value.finish_at_confidence_s is not None:
        table.add_row(
            "deadline",
            f"{show_seconds(goal.deadline_s)}: {goal.confidence:.0%} of such jobs end within "
            f"{show_seconds(value.finish_at_confidence_s)}",
        )
    if goal.budget_usd is not None and value.cost_at_confidence_usd is not None:
        table.add_row(
            "budget",
            f"{show_usd(goal.budget_usd)}: {goal.confidence:.0%} of such jobs cost at most "
            f"{show_usd(value.cost_at_confidence_usd)}",
        )
    if plan.configuration.environment:
        variables = ", ".join(f"{name}={text}" for name, text in plan.configuration.environment.items())
        table.add_row("environment", Text(variables))
    if plan.monthly_cost_usd is not None:
        table.add_row("a month", f"{_dollars(plan.monthly_cost_usd)} for {plan.goal.runs_per_month:g} runs")
    if plan.exact_optimum is not None:
        table.add_row("simplified", Text(plan.exact_optimum.reason))
    if plan.layout is not None:
        table.add_row("layout", Text(f"cut into {work.objects:,} objects: {layout_gain(plan, plan.layout)}"))
    table.add_row("searched", searched(plan))
    return table


def searched(plan: Plan) -> str:
    """How large the space was, over how many layouts, and whether it was decided or sampled."""
    text = f"{plan.candidates:,} configurations"
    if len(plan.layouts) > 1:
        text += f" of each of {len(plan.layouts)} layouts that can meet the constraints"
    if plan.sampled is None:
        return text
    return f"{plan.sampled.trials:,} trials by Optuna in {text}; not proved to be the best"


def _table(rows: Sequence[Alternative]) -> "Table":
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name in ("what", "configuration", "time", "cost", "against the choice"):
        table.add_column(name, overflow="fold")
    for row in rows:
        held = row.configuration
        strategy = "" if held.batch_strategy == "MultiRecord" else " SingleRecord"
        settings = f"{held.max_payload_mb} MB x {held.max_concurrent_transforms}{strategy}"
        table.add_row(
            row.title.partition(", ")[0],  # the configuration stands beside it
            f"{held.instance_count} x {held.instance_type}\n{settings}",
            show_seconds(row.estimate.finish_s.mid),
            show_usd(row.estimate.cost_usd.mid),
            Text(row.reason),
        )
    return table


def _times(value: Interval) -> str:
    return f"{show_seconds(value.mid)} ({show_seconds(value.low)} to {show_seconds(value.high)})"


def _dollars(value: Interval) -> str:
    return f"{show_usd(value.mid)} ({show_usd(value.low)} to {show_usd(value.high)})"
