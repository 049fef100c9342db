"""What an hour of an instance costs, by region, with where and when that was seen."""

from typing import Literal

from planner.documents import Value


class Price(Value, frozen=True, kw_only=True):
    """On-demand price of one instance type in one region."""

    instance_type: str
    region: str
    usd_per_hour: float
    basis: Literal["observed", "derived"]
    """observed: a SageMaker price somebody read; derived: the region's EC2 price times the known ratio."""
    source: str
    date: str
    """ISO date of the source, or "undated"."""
