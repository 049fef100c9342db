"""One instance: c requests in flight, taken in key order, until none is left.

    symbol   meaning                                                                           shape
    s_i      seconds that request i takes while c requests are in flight                       (requests,)
    c        slots: the most requests in flight
    phi(j)   what a request takes with j in flight, in units of what it takes with c;
             phi(c) = 1                                                                        (c,)
    v        instants at which the slots run dry, ascending, on the clock of a full station    (c,)

The agent starts the next request the moment one is answered: list scheduling of s_1, s_2, ... on c slots. While the
station is full both clocks agree. Once the list is used up j falls from c to 0 and the others speed up, each request
in flight by the same phi(j):

    end = v_1 + sum over i < c of phi(c - i) (v_{i+1} - v_i)

phi = 1 leaves a tail as if requests did not share anything, phi(j) = j / c none at all (end = sum s / c): the two ends
between which the plan's own tail lies. Columns are stations, one for each instance of each world.

Long lists. Of a list of more than `window` requests the first h are played as their sum: it is drawn as a normal
number with their exact mean and variance (central limit theorem; h is thousands), divided by c, and the slots are set
apart as h / c rounds of random service times leave them. Both the exact end and this one lie between
sum s / c and sum s / c + (1 - 1/c) max s with phi = 1 (Graham, "Bounds on Multiprocessing Timing Anomalies", 1969), so
they differ by less than one request.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from planner.jobs.simulation.assignment import Hands
from planner.jobs.simulation.requests import ObjectRequests
from planner.planning.space import Floats, Ints

_BATCH_STATIONS: Final = 1024
"""Stations played side by side: their slots stay in the processor's cache."""
_BLOCK_CELLS: Final = 2**18
"""Service times drawn at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkList:
    """What one instance has to do: a sum that comes first, and single requests at its end."""

    head_requests: int
    head_s: float
    """Sum of the mean service times of the head."""
    head_square_s2: float
    """Sum of their squares."""
    tail_s: Floats
    """(requests,) mean service times of the requests that are played one by one."""

    @property
    def requests(self) -> int:
        """All requests of the instance."""
        return self.head_requests + len(self.tail_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ends:
    """How stations ended; arrays (stations,), in seconds."""

    end_s: Floats
    """From the first request to the last answer."""
    in_flight_s: Floats
    """Requests in flight, integrated over that time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectWork:
    """The mean service times of one object of every run; arrays (runs,)."""

    requests: Ints
    full: Ints
    """Full requests among them; the last one is smaller where it is not one of these."""
    full_s: Floats
    last_s: Floats
    sum_s: Floats
    """Of all its requests."""
    square_s2: Floats
    """Of their squares."""

    @classmethod
    def of(cls, requests: ObjectRequests, full_s: Floats, last_s: Floats) -> "ObjectWork":
        """From the service times of full and of last requests; last_s is 0 where there is none."""
        return cls(
            requests=requests.requests_per_object,
            full=requests.full,
            full_s=full_s,
            last_s=last_s,
            sum_s=requests.full * full_s + last_s,
            square_s2=requests.full * full_s**2 + last_s**2,
        )

    def listed(self, run: Ints, count: Ints, most: int) -> Floats:
        """The service times of so many objects of these runs in order, at most `most` full requests of each."""
        objects = np.repeat(run, count)
        full = self.full[objects]
        times = np.stack([self.full_s[objects], self.last_s[objects]], axis=1).ravel()
        return np.repeat(times, np.stack([np.minimum(full, most), self.requests[objects] - full], axis=1).ravel())


def work_list(work: ObjectWork, hands: Hands, instance: int, *, concurrency: int, window: int) -> WorkList:
    """The list of one instance: its last `window` requests or a few more, and the sum of those before.

    The head is a whole number of rounds of all slots, so that without noise it ends as its requests would.
    """
    run, count = hands.of(instance)
    each = work.requests[run] * count
    total = int(each.sum())
    if total <= window + concurrency:
        return WorkList(head_requests=0, head_s=0.0, head_square_s2=0.0, tail_s=work.listed(run, count, total))
    kept = window + (total - window) % concurrency
    after = np.cumsum(each[::-1])
    back = int(after.searchsorted(kept))
    start = len(run) - 1 - back
    few = count[start:].copy()
    few[0] -= (int(after[back]) - kept) // int(work.requests[run[start]])
    tail, copies = work.listed(run[start:], few, kept)[-kept:], count.astype(np.float64)
    return WorkList(
        head_requests=total - kept,
        head_s=max(0.0, float(work.sum_s[run] @ copies) - float(tail.sum())),
        head_square_s2=max(0.0, float(work.square_s2[run] @ copies) - float(tail @ tail)),
        tail_s=tail,
    )


def play(lists: list[WorkList], drain: Floats, shape: Floats, random: np.random.Generator) -> Ends:
    """How the stations of these lists end; `shape` holds the values that a service time is multiplied by, mean 1.

    `drain` is phi, (c,). Stations are played in an order of their own, but their ends come back in that of the lists.
    """
    end_s, in_flight_s = np.zeros(len(lists)), np.zeros(len(lists))
    order = sorted(range(len(lists)), key=lambda i: len(lists[i].tail_s))
    for first in range(0, len(order), _BATCH_STATIONS):
        batch = order[first : first + _BATCH_STATIONS]
        slots = started([lists[i] for i in batch], len(drain), shape, random)
        longest = len(lists[batch[-1]].tail_s)
        rows = [_padded(lists[i].tail_s, longest) for i in batch]
        for block in range(0, longest, step := max(1, _BLOCK_CELLS // len(batch))):
            mean_s = np.array([row[block : block + step] for row in rows]).T
            noise = shape[random.integers(0, len(shape), mean_s.shape, dtype=np.uint16)]
            serve(slots, mean_s * noise)
        end_s[batch], in_flight_s[batch] = drained(slots, drain)
    return Ends(end_s=end_s, in_flight_s=in_flight_s)


def _padded(tail_s: Floats, length: int) -> Floats:
    """Requests that take no time in front: they change nothing, and let every list end at the same step."""
    return tail_s if len(tail_s) == length else np.concatenate([np.zeros(length - len(tail_s)), tail_s])


def started(lists: list[WorkList], slots: int, shape: Floats, random: np.random.Generator) -> Floats:
    """(c, stations) when each slot has worked off its part of the head, ascending; 0 without a head.

    A head of h requests: its work is normal with variance cv^2 sum s^2; after h / c rounds a slot is ahead of or
    behind the others by a normal number with the variance of so many requests, on a circle of one request: no slot is
    ever ahead of another by more.
    """
    heads = np.array([work.head_requests for work in lists], dtype=np.float64)
    begun = np.zeros((slots, len(lists)))
    if not heads.any():
        return begun
    cut = np.flatnonzero(heads)
    count, mean_sum, square_sum = (
        np.array([getattr(lists[i], name) for i in cut]) for name in ("head_requests", "head_s", "head_square_s2")
    )
    mean_s, square = mean_sum / count, square_sum / count
    noise = float(shape.var())
    work = mean_sum + np.sqrt(noise * square_sum) * random.standard_normal(len(cut))
    apart = np.sqrt(np.maximum(square * (1 + noise) - mean_s**2, 0.0) * count / slots)
    half = mean_s / 2
    phase = (apart * random.standard_normal((slots, len(cut))) + half) % mean_s - half
    begun[:, cut] = np.sort(np.maximum((work - phase.sum(axis=0)) / slots + phase, 0.0), axis=0)
    return begun


def serve(slots: Floats, service_s: Floats) -> None:
    """Give each request, (requests, stations), to the slot that is free first; slots (c, stations) stay ascending.

    The served slot leaves the front, its new end x is merged in: v_k = min(max(v_k, x), v_{k+1}), all k at once.
    """
    if len(slots) == 1:
        slots += service_s.sum(axis=0)
        return
    end, larger = np.empty(slots.shape[1]), np.empty((len(slots) - 1, slots.shape[1]))
    for seconds in service_s:
        np.add(slots[0], seconds, out=end)
        np.minimum(slots[1], end, out=slots[0])
        np.maximum(slots[1:], end, out=larger)
        np.minimum(larger[:-1], slots[2:], out=slots[1:-1])
        slots[-1] = larger[-1]


def drained(slots: Floats, drain: Floats) -> tuple[Floats, Floats]:
    """(stations,) the end, and requests in flight integrated up to it, of slots (c, stations) that run dry."""
    in_flight = np.arange(len(slots) - 1, 0, -1)
    stretches = drain[in_flight - 1][:, None] * np.diff(slots, axis=0)
    return slots[0] + stretches.sum(axis=0), len(slots) * slots[0] + in_flight @ stretches
