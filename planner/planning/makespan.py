"""Objects -> instances -> the part of the work that the busiest instance has.

    symbol   meaning                                                   shape
    K        objects, in key order
    w_j      records of object j; W their sum
    n        instances, 1 .. N                                         (N,)
    share    max over instances of its records, divided by W           (N,)

An object is never divided between instances (AWS developer guide, batch-transform: "Batch Transform partitions the
Amazon S3 objects in the input by key and maps Amazon S3 objects to instances"). Which object goes where is not
documented, so the share is an interval:

    low    max(1/n, max_j w_j / W)        no assignment does better
    mid    sorted keys dealt round-robin  exact, whatever the sizes
    high   each object put on an instance at random, as a hash of its key would: 95th percentile of the busiest
           instance. Its load is about w * B, w = sum w_j^2 / W and B binomial(W / w, 1/n); the maximum over n nearly
           independent instances has that percentile where one instance has 0.95^(1/n); the quantile is the normal
           one with its skewness term (Cornish and Fisher 1938): q = mean + z sd + (z^2 - 1) / 6 * (1 - 2/n).

A run of equal objects enters in closed form, so time does not depend on how many objects a described input has.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from planner.performance.prediction import Bounds
from planner.planning.space import Floats, Ints
from planner.records.dataset import InputObject


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How the input's objects fall on 1, 2, ..., N instances."""

    objects: int
    records: int
    payload_bytes: int
    largest_share: float
    """Share of all records in the largest single object."""
    share: Bounds
    """(N,) share of all records on the busiest of n instances; column n - 1."""

    @property
    def max_count(self) -> int:
        """N: the largest instance count that was laid out."""
        return len(self.share.mid)


def layout(objects: Sequence[InputObject], max_count: int) -> Layout:
    """The shares of the busiest instance for every instance count up to max_count.

    Raises ValueError when the objects hold no records: there is nothing to share.
    """
    copies = np.array([o.copies for o in objects], dtype=np.int64)
    records = np.array([o.records for o in objects], dtype=np.int64)
    payload_bytes = np.array([o.payload_bytes for o in objects], dtype=np.int64)
    total_records, total_bytes = int(records @ copies), int(payload_bytes @ copies)
    if not total_records:
        raise ValueError("the objects hold no records")
    counts = np.arange(1, max_count + 1)
    largest = float(records.max() / total_records)
    mid = round_robin_share(records, copies, max_count)
    by_bytes = round_robin_share(payload_bytes, copies, max_count) if total_bytes else mid
    low = np.minimum(mid, np.maximum(1.0 / counts, largest))
    high = np.maximum(np.maximum(mid, by_bytes), random_share(records, copies, max_count))
    return Layout(
        objects=int(copies.sum()),
        records=total_records,
        payload_bytes=total_bytes,
        largest_share=largest,
        share=Bounds(low=low, mid=mid, high=high),
    )


def round_robin_share(weights: Ints, copies: Ints, max_count: int) -> Floats:
    """The largest instance's share of the total weight when objects are dealt in order to n = 1 .. max_count.

    Runs of equal objects: a run of m at position o gives every instance floor(m / n) objects, and one more to the
    m mod n instances from o mod n on, which a difference array of length 2n adds up for all runs at once.
    """
    total = float(weights @ copies)
    if copies.max() == 1:
        return np.array([_dealt(weights, n).max() / total for n in range(1, max_count + 1)])
    starts = np.cumsum(copies) - copies
    shares = np.empty(max_count)
    for n in range(1, max_count + 1):
        everywhere = int(weights @ (copies // n))
        first, extra = starts % n, copies % n
        steps = np.bincount(first, weights, minlength=2 * n) - np.bincount(first + extra, weights, minlength=2 * n)
        load = np.cumsum(steps)
        shares[n - 1] = (everywhere + (load[:n] + load[n : 2 * n]).max()) / total
    return shares


def _dealt(weights: Ints, n: int) -> Ints:
    """(n,) total weight of every n-th single object: the same as the runs' way, twenty times as fast."""
    whole = len(weights) // n * n
    loads: Ints = weights[:whole].reshape(-1, n).sum(axis=0)
    loads[: len(weights) - whole] += weights[whole:]
    return loads


def random_share(weights: Ints, copies: Ints, max_count: int) -> Floats:
    """95th percentile of the busiest instance's share when each object falls on a random one of n instances."""
    total = float(weights @ copies)
    grain = float((weights.astype(np.float64) ** 2) @ copies) / total / total
    shares = np.empty(max_count)
    for n in range(1, max_count + 1):
        z = NormalDist().inv_cdf(0.95 ** (1 / n))
        mean = 1 / n / grain
        spread = z * math.sqrt(mean * (1 - 1 / n)) + (z * z - 1) / 6 * (1 - 2 / n) if n > 1 else 0.0
        shares[n - 1] = min(1.0, max(1 / n, (mean + spread) * grain))
    return shares
