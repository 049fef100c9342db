"""A comparison of two profiles as people read it: what was set otherwise, one row per common point, the verdict."""

from typing import TYPE_CHECKING

from planner.campaign.compare import ProfileComparison

if TYPE_CHECKING:
    from rich.console import RenderableType


def render(comparison: ProfileComparison) -> "RenderableType":
    """The settings that differ, the points with their ratios, what changed beyond noise, and the warnings."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for heading in _HEADINGS:
        table.add_column(heading, justify="right", no_wrap=True)
    for change in comparison.changes:
        ratio = change.throughput_ratio
        table.add_row(
            f"{change.records_per_request:,}",
            f"{change.concurrency}",
            f"{change.old_records_per_s:,.4g}",
            f"{change.new_records_per_s:,.4g}",
            f"{ratio.mid - 1:+.1%}",
            f"{ratio.low - 1:+.1%} to {ratio.high - 1:+.1%}",
            _percent(change.latency_ratio),
            _percent(change.cpu_s_per_record_ratio),
            _percent(change.memory_peak_ratio),
            "changed" if change.changed else "",
        )
    parts: list[RenderableType] = [
        Text(f"Against the profile of {comparison.old_created_at}:"),
        *(Text(f"  {setting}") for setting in comparison.settings),
        table,
        Text(),
        Text(verdict(comparison)),
    ]
    parts += [Text(f"Warning: {warning}", style="yellow") for warning in comparison.warnings]
    return Group(*parts)


def verdict(comparison: ProfileComparison) -> str:
    """In one sentence: how many points changed beyond noise, and throughput over all of them."""
    changed = sum(change.changed for change in comparison.changes)
    ratio = comparison.throughput_ratio
    over_all = f"over all {len(comparison.changes)} common points throughput is {ratio.mid - 1:+.1%} "
    over_all += f"({ratio.low - 1:+.1%} to {ratio.high - 1:+.1%})"
    if changed:
        return f"{changed} of {len(comparison.changes)} points changed beyond noise; {over_all}."
    beyond = "" if ratio.low <= 1 <= ratio.high else ", which is beyond noise"
    return f"No single point changed beyond noise; {over_all}{beyond}."


def _percent(ratio: float | None) -> str:
    return "-" if ratio is None else f"{ratio - 1:+.0%}"


_HEADINGS = (
    "records/\nrequest",
    "in\nflight",
    "old\nrecords/s",
    "new\nrecords/s",
    "\nchange",
    "90 %\ninterval",
    "\np50",
    "CPU/\nrecord",
    "peak\nmemory",
    "",
)
