"""Which instance gets which object, in one played-out world.

The service maps objects to instances "by key" and does not document how, so two ways are played:

    dealt       sorted keys, round-robin: what the plan's middle and `planner run` assume
    at random   each object on an instance of its own, as a hash of its key would put it
"""

from dataclasses import dataclass

import numpy as np

from planner.jobs.simulation_requests import ObjectRequests
from planner.planning.space import Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class Hands:
    """What every instance was given: rows (instance, run, count), by instance and then in key order."""

    instance: Ints
    run: Ints
    """Index into the runs of ObjectRequests."""
    count: Ints
    """Objects of the run."""

    def of(self, instance: int) -> tuple[Ints, Ints]:
        """Runs and counts of one instance, in key order."""
        first, last = self.instance.searchsorted([instance, instance + 1])
        return self.run[first:last], self.count[first:last]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Grains:
    """Runs told apart by how they are shared out: object by object, or in closed form."""

    run: Ints
    """(objects of short runs,) the run of each single object."""
    position: Ints
    """(objects of short runs,) its place among all objects."""
    long: Ints
    """Runs of more objects than instances."""


def _grains(requests: ObjectRequests, instances: int) -> _Grains:
    short = np.flatnonzero(requests.copies <= instances)
    copies = requests.copies[short]
    run = np.repeat(short, copies)
    within = np.arange(len(run)) - np.repeat(np.cumsum(copies) - copies, copies)
    return _Grains(run=run, position=requests.first[run] + within, long=np.flatnonzero(requests.copies > instances))


def dealt(requests: ObjectRequests, instances: int) -> Hands:
    """Object o of the input on instance o mod n."""
    grains = _grains(requests, instances)
    long, everyone = grains.long, np.arange(instances)
    whole, extra = np.divmod(requests.copies[long], instances)
    after = (everyone[None, :] - requests.first[long][:, None]) % instances
    counts = whole[:, None] + (after < extra[:, None])
    return _sorted(grains, grains.position % instances, counts, instances)


def at_random(requests: ObjectRequests, instances: int, random: np.random.Generator) -> Hands:
    """Every object on an instance drawn for it alone, all equally likely."""
    grains = _grains(requests, instances)
    chosen = random.integers(0, instances, len(grains.run))
    counts = random.multinomial(requests.copies[grains.long], np.full(instances, 1 / instances))
    return _sorted(grains, chosen, counts.reshape(len(grains.long), instances), instances)


def _sorted(grains: _Grains, chosen: Ints, counts: Ints, instances: int) -> Hands:
    """Single objects on their chosen instances and (long runs, n) counts, as rows by instance and key."""
    instance = np.concatenate([chosen, np.tile(np.arange(instances), len(grains.long))])
    run = np.concatenate([grains.run, np.repeat(grains.long, instances)])
    count = np.concatenate([np.ones(len(grains.run), dtype=np.int64), counts.ravel()])
    order = np.lexsort((run, instance))
    order = order[count[order] > 0]
    return Hands(instance=instance[order], run=run[order], count=count[order])
