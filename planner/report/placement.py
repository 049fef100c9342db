"""Where a host stands, as people read it: by what it was placed, and its speeds."""

from typing import TYPE_CHECKING

from planner.performance.placing import HostPlacement

if TYPE_CHECKING:
    from rich.console import RenderableType


def render(placement: HostPlacement) -> "RenderableType":
    """The words, the benchmark's rates where it was run, and a table of speeds by workload class."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    host, found = placement.host, placement.host.benchmark
    parts: list[RenderableType] = [Text(f"{host.cpu_model}, {host.logical_cpus} CPUs: {placement.placed_by}.")]
    if found is not None:
        one, every = found.one_thread_per_s, found.all_cpus_per_s
        parts.append(
            Text(
                f"{found.tool} div16: one thread {one.mid:,.0f} operations/s ({one.low:,.0f} to {one.high:,.0f}), all "
                f"{host.logical_cpus} CPUs {every.mid:,.0f} ({every.low:,.0f} to {every.high:,.0f}); other programs "
                f"took {found.disturbed_share:.0%} of the machine."
            )
        )
    table = Table(box=None, pad_edge=False)
    for name in ("workload class", "one thread", "all CPUs"):
        table.add_column(name, justify="left" if name == "workload class" else "right", no_wrap=True)
    for name, thread in placement.thread_speed.items():
        whole = placement.host_speed[name]
        table.add_row(name, *(f"{each.mid:.2f} ({each.low:.2f} to {each.high:.2f})" for each in (thread, whole)))
    note = f"Speeds over {placement.relative_to}; 90 % of workloads lie within the bounds."
    return Group(*parts, Text(), table, Text(), Text(note))
