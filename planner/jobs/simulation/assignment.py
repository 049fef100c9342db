"""Which instance gets which object, in one played-out world.

The service maps objects to instances "by key" and does not document how, so two ways are played:

    dealt       sorted keys, round-robin: what the plan's middle and `planner run` assume
    at random   each object on an instance of its own, as a hash of its key would put it
"""

from dataclasses import dataclass

import numpy as np

from planner.jobs.simulation.requests import ObjectRequests
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
class Dealer:
    """The objects of one job, told apart by how they are shared out: single ones, and long runs in closed form."""

    instances: int
    run: Ints
    """(single objects,) the run of each: all runs of no more objects than instances, unrolled, in key order."""
    position: Ints
    """(single objects,) its place among all objects of the input."""
    long: Ints
    """(long runs,) the other runs."""
    long_first: Ints
    """(long runs,) position of its first object."""
    long_copies: Ints
    """(long runs,) its objects."""

    @classmethod
    def of(cls, requests: ObjectRequests, instances: int) -> "Dealer":
        """Of the objects that have records."""
        short, long = np.flatnonzero(requests.copies <= instances), np.flatnonzero(requests.copies > instances)
        copies = requests.copies[short]
        run = np.repeat(short, copies)
        within = np.arange(len(run)) - np.repeat(np.cumsum(copies) - copies, copies)
        return cls(
            instances=instances,
            run=run,
            position=requests.first[run] + within,
            long=long,
            long_first=requests.first[long],
            long_copies=requests.copies[long],
        )

    def dealt(self) -> Hands:
        """Object o of the input on instance o mod n."""
        everyone = np.arange(self.instances)
        whole, extra = np.divmod(self.long_copies, self.instances)
        after = (everyone[None, :] - self.long_first[:, None]) % self.instances
        return self._sorted(self.position % self.instances, whole[:, None] + (after < extra[:, None]))

    def at_random(self, random: np.random.Generator) -> Hands:
        """Every object on an instance drawn for it alone, all equally likely."""
        chosen = random.integers(0, self.instances, len(self.run))
        counts = random.multinomial(self.long_copies, np.full(self.instances, 1 / self.instances))
        return self._sorted(chosen, counts.reshape(len(self.long), self.instances))

    def _sorted(self, chosen: Ints, counts: Ints) -> Hands:
        """Single objects on their chosen instances and (long runs, n) counts, as rows by instance and key."""
        run, instance, count = self.run, chosen, np.ones(len(self.run), dtype=np.int64)
        if len(self.long):
            run = np.concatenate([run, np.repeat(self.long, self.instances)])
            instance = np.concatenate([instance, np.tile(np.arange(self.instances), len(self.long))])
            count = np.concatenate([count, counts.ravel()])
            by_key = np.argsort(run, kind="stable")
            by_key = by_key[count[by_key] > 0]
            run, instance, count = run[by_key], instance[by_key], count[by_key]
        # A stable sort of small integers is a radix sort: linear in the objects.
        order = np.argsort(instance.astype(np.int16), kind="stable")
        return Hands(instance=instance[order], run=run[order], count=count[order])
