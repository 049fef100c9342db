"""Prices as a document: what `planner prices` shows and writes."""

from collections.abc import Sequence

from planner.catalogue.instances import matching
from planner.catalogue.prices import Price, price
from planner.documents import Document


class PriceListing(Document, frozen=True, kw_only=True, tag="prices"):
    """On-demand prices, each with where and when it was seen; the cheapest of a region first."""

    prices: tuple[Price, ...]
    not_priced: tuple[str, ...]
    """``type in region`` for which no price is known: mostly not offered there."""


def price_listing(regions: Sequence[str], globs: Sequence[str] = ()) -> PriceListing:
    """The prices of the types that the globs name (none: all) in the regions. Raises CatalogueError."""
    kinds = matching(globs)
    found: list[Price] = []
    missing: list[str] = []
    for region in dict.fromkeys(regions):
        known = {kind.name: price(kind.name, region) for kind in kinds}
        found += sorted((each for each in known.values() if each is not None), key=lambda each: each.usd_per_hour)
        missing += [f"{name} in {region}" for name, each in known.items() if each is None]
    return PriceListing(prices=tuple(found), not_priced=tuple(missing))
