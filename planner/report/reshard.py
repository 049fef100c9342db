"""A resharding as people read it: how many objects became how many, and how even they are."""

from typing import TYPE_CHECKING

from planner.records.reshard import Resharding
from planner.units import show_bytes

if TYPE_CHECKING:
    from rich.console import RenderableType


def render(document: Resharding) -> "RenderableType":
    """What was written, and what to watch."""
    from rich.console import Group
    from rich.text import Text

    sizes = [part.payload_bytes for part in document.objects]
    before = len({origin.key for part in document.objects for origin in part.origins})
    lines = [
        Text(
            f"{document.records:,} records of {before:,} objects are now in {len(sizes):,}: {document.output}",
            style="bold",
        ),
        Text(f"  payload   {show_bytes(min(sizes))} to {show_bytes(max(sizes))} each, {show_bytes(sum(sizes))} in all"),
        Text(f"  stored    {show_bytes(sum(part.stored_bytes for part in document.objects))}"),
    ]
    if document.line_feeds_added:
        lines.append(
            Text(f"  line feeds added at old ends that had none and are followed now: {document.line_feeds_added:,}")
        )
    lines += [Text(f"Warning: {warning}", style="yellow") for warning in document.warnings]
    return Group(*lines)
