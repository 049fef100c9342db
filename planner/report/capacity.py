"""A capacity plan as people read it: the jobs in order of their start, the peaks beside the quotas, use over time."""

from typing import TYPE_CHECKING

from planner.planning.capacity_plan import CapacityPlan
from planner.units import show_seconds, show_usd

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table


def render(plan: CapacityPlan) -> "RenderableType":
    """The total, the schedule, the peaks, the assumptions."""
    from rich.console import Group
    from rich.text import Text

    cost = plan.cost_usd
    parts: list[RenderableType] = [
        Text(
            f"{len(plan.jobs)} jobs for {show_usd(cost.mid)} ({show_usd(cost.low)} to {show_usd(cost.high)}), each in "
            f"time with {plan.confidence:.0%} probability",
            style="bold",
        ),
        _jobs(plan),
        Text("Most instances at once", style="bold"),
        _peaks(plan),
        Text("What this rests on", style="bold"),
        *(Text(f"  {line}") for line in plan.assumptions),
    ]
    named: dict[str, list[str]] = {}
    for job in plan.jobs:
        for line in job.warnings:
            named.setdefault(line, []).append(job.name)
    for line, jobs in named.items():
        whose = "every job" if len(jobs) == len(plan.jobs) else ", ".join(jobs)
        parts.append(Text(f"Warning ({whose}): {line}", style="yellow"))
    if plan.gap > 1e-6:
        parts.append(
            Text(f"Warning: the search was stopped; up to {plan.gap:.1%} cheaper may be possible", style="yellow")
        )
    return Group(*parts)


def _jobs(plan: CapacityPlan) -> "Table":
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for heading in ("job", "start at", "ends by", "deadline", "configuration", "cost"):
        table.add_column(heading, overflow="fold")
    for job in sorted(plan.jobs, key=lambda each: (each.start_s, each.name)):
        held = job.configuration
        strategy = "" if held.batch_strategy == "MultiRecord" else " SingleRecord"
        table.add_row(
            Text(job.name),
            _clock(job.start_s),
            _clock(job.end_s),
            _clock(job.deadline_s),
            f"{held.instance_count} x {held.instance_type}, {held.max_payload_mb} MB x "
            f"{held.max_concurrent_transforms}{strategy}",
            show_usd(job.estimate.cost_usd.mid),
        )
    return table


def _peaks(plan: CapacityPlan) -> "Table":
    from rich.table import Table

    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 2))
    for peak in plan.peaks:
        name = "all types" if peak.instance_type == "*" else peak.instance_type
        of = "no quota given" if peak.quota is None else f"of {peak.quota}"
        table.add_row(name, str(peak.instances), of, f"from {_clock(peak.from_s)}")
    return table


def _clock(seconds: float) -> str:
    return "0" if seconds == 0 else show_seconds(seconds)
