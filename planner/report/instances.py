"""Instance types as people read them: size, price, and speed with its spread."""

import math
from typing import TYPE_CHECKING

from planner.interval import Interval
from planner.performance.listing import InstanceListing, ListedInstance

if TYPE_CHECKING:
    from rich.console import RenderableType


def render(listing: InstanceListing, workload_class: str = "unknown") -> "RenderableType":
    """A table, one row per type, with the speeds of one workload class, and what its columns mean."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("type", no_wrap=True)
    for name in ("vCPU", "GiB", "USD/h"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("seen", no_wrap=True)
    for name in ("one thread", "all vCPUs"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("accelerator")
    for row in listing.instances:
        table.add_row(*(Text(cell) for cell in _cells(row, workload_class)))
    notes = (
        f"USD/h: on demand in {listing.region}; * derived from the EC2 price, the others observed in the month shown. "
        f"one thread, all vCPUs: CPU speed relative to {listing.relative_to} for a workload of class {workload_class}; "
        "90 % of workloads lie within ×÷ that factor. --format json has every class, source and day."
    )
    return Group(table, Text(), Text(notes))


def _cells(row: ListedInstance, workload_class: str) -> tuple[str, ...]:
    kind, accelerator = row.instance, row.instance.accelerator
    # "NVIDIA V100-SXM2-16GB", "AWS Trainium": the maker is known, the rest is in the document.
    device = f"{accelerator.count} x {accelerator.name.split()[1].split('-')[0]}" if accelerator else ""
    usd, seen = ("-", "-") if row.price is None else (f"{row.price.usd_per_hour:.4g}", row.price.date[:7])
    if row.price is not None and row.price.basis == "derived":
        seen += "*"
    return (
        kind.name,
        f"{kind.vcpus}",
        f"{kind.memory_gib:g}",
        usd,
        seen,
        _speed(row.thread_speed[workload_class]),
        _speed(row.instance_speed[workload_class]),
        device,
    )


def _speed(interval: Interval) -> str:
    mid = f"{interval.mid:.1f}" if interval.mid >= 10 else f"{interval.mid:.2f}"
    return f"{mid} ×÷{math.sqrt(interval.high / interval.low):.1f}"
