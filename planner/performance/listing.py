"""Instance types with price and speed as a document: what `planner instances` shows and writes."""

from collections.abc import Mapping, Sequence

from planner.catalogue.instances import InstanceType, instance_type, matching
from planner.catalogue.prices import Price, price
from planner.documents import Document, Value
from planner.interval import Interval
from planner.performance.benchmark_scores import WORKLOAD_CLASSES
from planner.performance.hardware import latency_ratio, throughput_ratio


class ListedInstance(Value, frozen=True, kw_only=True):
    """One type: what it has, costs and computes."""

    instance: InstanceType
    price: Price | None
    """None: not known in the region, which mostly means that it is not offered there."""
    thread_speed: Mapping[str, Interval]
    """By workload class: speed of one busy thread over one on the reference type."""
    instance_speed: Mapping[str, Interval]
    """By workload class: throughput with all vCPUs busy over that of the reference type. CPUs only."""


class InstanceListing(Document, frozen=True, kw_only=True, tag="instances"):
    """Instance types of one region, their speeds relative to one of them."""

    region: str
    relative_to: str
    instances: tuple[ListedInstance, ...]


def instance_listing(region: str, globs: Sequence[str] = (), relative_to: str = "ml.m5.xlarge") -> InstanceListing:
    """The types that the globs name (none: all) with their price in the region. Raises CatalogueError."""
    reference = instance_type(relative_to)
    return InstanceListing(
        region=region,
        relative_to=reference.name,
        instances=tuple(
            ListedInstance(
                instance=kind,
                price=price(kind.name, region),
                thread_speed={name: latency_ratio(reference, kind, name) for name in WORKLOAD_CLASSES},
                instance_speed={name: throughput_ratio(reference, kind, name) for name in WORKLOAD_CLASSES},
            )
            for kind in matching(globs)
        ),
    )
