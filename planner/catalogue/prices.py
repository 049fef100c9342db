"""What an hour of an instance costs, by region, with where and when that was seen.

Most observed prices are those of another SageMaker component (Studio-Notebook, Hosting, Training): wherever a
BatchTransform price was seen beside one of them the two were the same number. A derived price is the region's EC2
on-demand price times the SageMaker/EC2 ratio of the type: against 482 observed prices of 24 commercial regions its
error was 0.01 % in the median, 0.28 % at the 95th percentile and 38 % at the worst; GovCloud comes out about 5 % high.
It is an estimate, never a quote.
"""

import difflib
import functools
from collections.abc import Mapping
from typing import Literal

from planner.catalogue.instances import instance_type as find_instance_type
from planner.catalogue.tables import rows
from planner.documents import Value
from planner.errors import CatalogueError


class Price(Value, frozen=True, kw_only=True):
    """On-demand price of one instance type in one region."""

    instance_type: str
    region: str
    usd_per_hour: float
    basis: Literal["observed", "derived", "given"]
    """observed: a SageMaker price somebody read; derived: the region's EC2 price times the known ratio; given: by the
    user, in place of the catalogue's."""
    source: str
    date: str
    """ISO date of the source, or "undated"."""


def price(instance_type: str, region: str) -> Price | None:
    """The price of the type in the region; None where none is known, which mostly means that it is not offered there.

    Raises CatalogueError for a name or region that the catalogue does not have.
    """
    return _in_region(region).get(find_instance_type(instance_type).name)


def prices_in(region: str) -> tuple[Price, ...]:
    """Every known price of the region. Raises CatalogueError for an unknown region."""
    return tuple(_in_region(region).values())


def regions() -> tuple[str, ...]:
    """The regions that the catalogue has prices for, in alphabetical order."""
    return tuple(sorted(_by_region()))


def _in_region(region: str) -> Mapping[str, Price]:
    found = _by_region().get(region.strip().lower())
    if found is None:
        close = difflib.get_close_matches(region.strip().lower(), regions(), n=3, cutoff=0.4)
        raise CatalogueError(
            f"no prices are known for the region {region!r}; "
            f"nearest: {', '.join(close) or 'none'}. Known: {', '.join(regions())}"
        )
    return found


@functools.cache
def _by_region() -> Mapping[str, Mapping[str, Price]]:
    """Both tables merged; of two prices for one type and region the observed one stands."""
    sources = {row["source"]: row["text"] for row in rows("price_sources.csv")}
    merged: dict[str, dict[str, Price]] = {}
    for row in (*rows("prices_us_east_1.csv"), *rows("prices_other_regions.csv")):
        seen = Price(
            instance_type=row["instance_type"],
            region=row["region"],
            usd_per_hour=float(row["usd_per_hour"]),
            basis="observed" if row["basis"] == "observed" else "derived",
            source=sources[row["source"]],
            date=row["date"],
        )
        held = merged.setdefault(seen.region, {}).get(seen.instance_type)
        if held is None or (held.basis == "derived" and seen.basis == "observed"):
            merged[seen.region][seen.instance_type] = seen
    return merged
