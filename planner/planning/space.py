"""The space of decisions: what CreateTransformJob lets one choose, and the API's own limits on it.

    symbol   meaning                                                       range
    t        instance type                                                 the catalogue
    n        instance_count                                                1 .. 100, never above the objects
    p        max_payload_mb (2**20 bytes each)                             1 .. 100, never 0 (chunked)
    c        max_concurrent_transforms                                     1 .. floor(100 / p)
    k        setting: one (batch strategy, p, c)                           482 pairs per strategy

`Packing` is a (batch strategy, p) with what follows from it alone: how many requests the input makes. `Settings` holds
all settings as columns, in the order in which ties are broken: less concurrency, smaller payload, MultiRecord first.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from planner.documents import Value
from planner.records.dataset import BatchStrategy, Dataset, InputObject
from planner.units import MIB

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]

MAX_PAYLOAD_MB: Final = 100
"""Largest MaxPayloadInMB, and largest MaxPayloadInMB x MaxConcurrentTransforms. Source: CreateTransformJob docs."""
MAX_INSTANCE_COUNT: Final = 100
"""Largest InstanceCount. Source: TransformResources docs; an account's quota is usually lower."""
PAYLOAD_HEADROOM: Final = 1.01
"""The largest record must fit this many times over: whether the service counts the newline, and whether its test is
``<`` or ``<=``, is not documented."""


class Configuration(Value, frozen=True, kw_only=True):
    """One point of the space: everything the user would otherwise guess."""

    instance_type: str
    instance_count: int
    batch_strategy: BatchStrategy
    max_payload_mb: int
    max_concurrent_transforms: int
    environment: Mapping[str, str]
    """Set in the container: worker and thread counts, time-outs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Packing:
    """One (batch strategy, max_payload_mb) and the requests that it makes of the input."""

    strategy: BatchStrategy
    max_payload_mb: int
    requests: int
    """Over the whole input; at least 1."""
    records_per_request: float
    """Mean: records / requests. The model is asked at this mean, for the last request of each object is smaller."""
    records_per_full_request: int
    """Records of mean size in a request that is filled up to the limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Every (batch strategy, payload, concurrency) as columns of one length K, in tie-breaking order."""

    packings: tuple[Packing, ...]
    packing: Ints
    """(K,) index into `packings`."""
    concurrency: Ints
    """(K,) max_concurrent_transforms."""
    requests: Ints
    """(K,) requests of the whole job."""
    records_per_request: Floats
    """(K,) mean records of a request."""
    at_concurrency: Ints
    """(packings, 101): the setting of a packing at a concurrency, -1 outside the space."""

    def __len__(self) -> int:
        return len(self.packing)

    def index_of(self, strategy: BatchStrategy, max_payload_mb: int, concurrency: int) -> int | None:
        """The column index of a setting; None when it is not in the space, or dominated and left out."""
        for number, packing in enumerate(self.packings):
            if packing.strategy == strategy and packing.max_payload_mb == max_payload_mb:
                found = int(self.at_concurrency[number, concurrency]) if concurrency <= MAX_PAYLOAD_MB else -1
                return None if found < 0 else found
        return None


def smallest_payload_mb(dataset: Dataset) -> int:
    """The smallest MaxPayloadInMB that holds the largest single unit of the input with 1 % to spare.

    The unit is a record, or a whole object where SplitType is None; above 100 nothing fits.
    """
    unit = max((_largest_unit(o, dataset.split_type) for o in dataset.objects), default=0)
    return max(1, math.ceil(unit * PAYLOAD_HEADROOM / MIB))


def _largest_unit(item: InputObject, split_type: str) -> int:
    return item.payload_bytes if split_type == "None" else item.largest_record_bytes


def every_packing(dataset: Dataset) -> tuple[Packing, ...]:
    """Every (batch strategy, payload) that the API accepts and every record fits in; none when one is too large.

    BatchStrategy means nothing without a SplitType: then a request is a whole object, and SingleRecord is sent.
    """
    payloads = range(smallest_payload_mb(dataset), MAX_PAYLOAD_MB + 1)
    if not dataset.records:
        return ()
    if dataset.split_type == "None":
        return tuple(_packing(dataset, "SingleRecord", p, dataset.object_count) for p in payloads)
    single = [_packing(dataset, "SingleRecord", p, dataset.records) for p in payloads]
    multi = [_packing(dataset, "MultiRecord", p, _multi_record_requests(dataset, p)) for p in payloads]
    return tuple(multi + single)


def undominated(packings: Iterable[Packing]) -> tuple[Packing, ...]:
    """The packings without those that cannot beat a smaller payload of the same strategy.

    Proof: a packing enters every estimate and every limit through its number of requests alone. Of two with equally
    many, the smaller payload allows every concurrency that the larger one allows (c <= 100 / p), with equal outcomes,
    and wins the tie. For SingleRecord all payloads make one request per record, so only the smallest remains.
    """
    kept: dict[tuple[BatchStrategy, int], Packing] = {}
    for packing in packings:
        held = kept.get((packing.strategy, packing.requests))
        if held is None or packing.max_payload_mb < held.max_payload_mb:
            kept[packing.strategy, packing.requests] = packing
    return tuple(kept.values())


def settings(packings: tuple[Packing, ...]) -> Settings:
    """All concurrencies of every packing with payload x concurrency <= 100, as columns in tie-breaking order."""
    rows = sorted(
        (concurrency, packing.max_payload_mb, packing.strategy, number)
        for number, packing in enumerate(packings)
        for concurrency in range(1, MAX_PAYLOAD_MB // packing.max_payload_mb + 1)
    )
    packing = np.array([row[3] for row in rows], dtype=np.int64)
    concurrency = np.array([row[0] for row in rows], dtype=np.int64)
    at_concurrency = np.full((len(packings), MAX_PAYLOAD_MB + 1), -1, dtype=np.int64)
    at_concurrency[packing, concurrency] = np.arange(len(rows))
    return Settings(
        packings=packings,
        packing=packing,
        concurrency=concurrency,
        requests=np.array([p.requests for p in packings], dtype=np.int64)[packing],
        records_per_request=np.array([p.records_per_request for p in packings], dtype=np.float64)[packing],
        at_concurrency=at_concurrency,
    )


def _packing(dataset: Dataset, strategy: BatchStrategy, max_payload_mb: int, requests: int) -> Packing:
    full = 1
    if strategy == "MultiRecord":
        full = max(1, int(max_payload_mb * MIB / max(dataset.record_sizes.mean, 1e-9)))
    return Packing(
        strategy=strategy,
        max_payload_mb=max_payload_mb,
        requests=requests,
        records_per_request=dataset.records / requests,
        records_per_full_request=min(full, max(o.records for o in dataset.objects)),
    )


def _multi_record_requests(dataset: Dataset, max_payload_mb: int) -> int:
    """Requests of greedy packing, one object at a time: as counted by the scan, else from each object's mean record."""
    if dataset.requests_by_payload_mb is not None and dataset.requests_by_payload_mb[max_payload_mb - 1] > 0:
        return dataset.requests_by_payload_mb[max_payload_mb - 1]
    limit = max_payload_mb * MIB
    total = 0
    for item in dataset.objects:
        if item.records:
            mean_bytes = item.payload_bytes / item.records
            total += item.copies * math.ceil(item.records / max(1, int(limit / max(mean_bytes, 1e-9))))
    return max(1, total)
