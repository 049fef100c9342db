"""What can be bought: instance types and prices."""

from planner.catalogue.instances import Accelerator, InstanceType, instance_type, instance_types, matching
from planner.catalogue.prices import Price, price, prices_in, regions

__all__ = [
    "Accelerator",
    "InstanceType",
    "Price",
    "instance_type",
    "instance_types",
    "matching",
    "price",
    "prices_in",
    "regions",
]
