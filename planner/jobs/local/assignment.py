"""Which object goes to which instance, and which CPUs an instance has."""

from collections.abc import Sequence
from typing import TypeVar

from planner.container.cpus import available_cpus
from planner.errors import ContainerLimitError

T = TypeVar("T")


def deal(objects: Sequence[T], instance_count: int) -> list[list[T]]:
    """The objects of each instance: dealt in key order, round and round, as `planning.makespan` takes for its middle.

    The service maps objects to instances "by key" and does not document how. Instances without an object are left out:
    there they idle, and are billed; here they are not started.
    """
    hands = [list(objects[first::instance_count]) for first in range(instance_count)]
    return [hand for hand in hands if hand]


def cpu_sets(instance_count: int, cpus_each: float | None) -> tuple[list[tuple[int, ...] | None], str | None]:
    """The CPUs that each instance is pinned to (None: not pinned), and what is to be said about it.

    Without a wish, one instance has the whole machine and several have equal shares of whole CPUs. Where there are too
    few, sets overlap, round and round. Raises ContainerLimitError for a share that no instance can have.
    """
    available = available_cpus()
    if cpus_each is None:
        if instance_count == 1:
            return [None], None
        share = max(1, len(available) // instance_count)
    elif cpus_each != int(cpus_each) or not 1 <= cpus_each <= len(available):
        raise ContainerLimitError(
            f"{cpus_each:g} CPUs for each instance: containers are pinned to whole CPUs, 1 to {len(available)} here."
        )
    else:
        share = int(cpus_each)
    sets: list[tuple[int, ...] | None] = []
    for number in range(instance_count):
        first = number * share
        sets.append(tuple(sorted(available[-1 - (first + i) % len(available)] for i in range(share))))
    if instance_count * share <= len(available):
        return sets, None
    return sets, (
        f"{instance_count} instances of {share} {'CPU' if share == 1 else 'CPUs'} share the {len(available)} of this "
        "machine: they slow each other down, which instances of a real job do not. Makespan and utilisation are not "
        "those of separate machines."
    )
