"""Plans side by side as people read them."""

from typing import TYPE_CHECKING

from planner.planning.comparison import Comparison
from planner.units import show_seconds, show_usd

if TYPE_CHECKING:
    from rich.console import RenderableType


def render(document: Comparison) -> "RenderableType":
    """The answers in one table, what was asked differently in another."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    answers = Table(box=SIMPLE_HEAD, pad_edge=False)
    for heading in ("plan", "configuration", "time", "cost", "against the first"):
        answers.add_column(heading, overflow="fold")
    for row in document.plans:
        held, monthly = row.configuration, row.monthly_cost_usd
        strategy = "" if held.batch_strategy == "MultiRecord" else " SingleRecord"
        settings = f"{held.max_payload_mb} MB x {held.max_concurrent_transforms}{strategy}"
        answers.add_row(
            Text(row.name),
            f"{held.instance_count} x {held.instance_type}\n{settings}",
            f"{show_seconds(row.finish_s.mid)}\nto {show_seconds(row.finish_s.high)}",
            f"{show_usd(row.cost_usd.mid)}\nto {show_usd(row.cost_usd.high)}"
            + (f"\n{show_usd(monthly.mid)}/month" if monthly is not None else ""),
            Text(row.against_first),
        )
    if not document.asked:
        return Group(answers, Text("The same was asked of all of them."))
    asked = Table(box=SIMPLE_HEAD, pad_edge=False)
    asked.add_column("asked or known differently", overflow="fold")
    for row in document.plans:
        asked.add_column(Text(row.name), overflow="fold")
    for difference in document.asked:
        asked.add_row(difference.what, *(Text(value) for value in difference.values))
    return Group(answers, asked)
