"""Prices as people read them: each with the day and place it was seen."""

from typing import TYPE_CHECKING

from planner.catalogue.listing import PriceListing

if TYPE_CHECKING:
    from rich.console import RenderableType


def render(listing: PriceListing) -> "RenderableType":
    """A table, one row per price, the sources written out once below it, and what has no price."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    sources = {source: number for number, source in enumerate(dict.fromkeys(p.source for p in listing.prices), start=1)}
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("region", "type"):
        table.add_column(name, no_wrap=True)
    table.add_column("USD/h", justify="right", no_wrap=True)
    for name in ("basis", "date", "source"):
        table.add_column(name, no_wrap=True)
    for each in listing.prices:
        cells = (each.region, each.instance_type, f"{each.usd_per_hour:.4f}", each.basis, each.date)
        table.add_row(*(Text(cell) for cell in (*cells, f"[{sources[each.source]}]")))
    notes = [Text(f"[{number}] {source}") for source, number in sources.items()]
    if listing.not_priced:
        notes.append(Text(f"No price known: {', '.join(listing.not_priced)}"))
    return Group(table, Text(), *notes)
