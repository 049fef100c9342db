"""Objects -> the requests of each, as the service cuts them: full ones, and a smaller last one.

    symbol   meaning                                                            unit
    r_j      records of object j, B_j their bytes
    L        payload limit, MaxPayloadInMB x 2**20                              bytes
    k_j      records in a full request of object j
    q_j      requests of object j: ceil(r_j / k_j)

A dataset keeps the sizes of objects, not of every record. With records of one size k_j is floor(L / size), exactly.
Otherwise greedy packing leaves a part of each payload empty; one effective limit L' <= L for the whole input, with
k_j = r_j L' / B_j, is then chosen so that the requests of all objects add up to the number that the scan counted.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from planner.planning.space import Floats, Ints
from planner.records.dataset import BatchStrategy, Dataset
from planner.records.pack import payload_limit_bytes

_BISECTIONS: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectRequests:
    """The requests of every run of equal objects that has records, in key order; arrays of one length (runs,)."""

    first: Ints
    """Position of the run's first object among all objects of the input: what objects are dealt by."""
    copies: Ints
    records: Ints
    """Of one object."""
    full: Ints
    """Full requests of one object."""
    full_records: Floats
    """Records in each of them; a mean, so not always whole."""
    last_records: Floats
    """Records in the smaller last request; 0 where there is none."""

    @property
    def requests_per_object(self) -> Ints:
        """q_j."""
        count: Ints = self.full + (self.last_records > 0)
        return count

    @property
    def requests(self) -> int:
        """Requests of the whole job."""
        return int(self.requests_per_object @ self.copies)

    @property
    def total_records(self) -> int:
        """Records of the whole job."""
        return int(self.records @ self.copies)

    @property
    def objects(self) -> int:
        """Objects that have records."""
        return int(self.copies.sum())

    @property
    def sizes(self) -> Floats:
        """The distinct records per request that occur, ascending."""
        return np.unique(np.concatenate([self.full_records[self.full > 0], self.last_records[self.last_records > 0]]))


def object_requests(dataset: Dataset, strategy: BatchStrategy, max_payload_mb: int) -> ObjectRequests:
    """The requests that each object of the input becomes."""
    copies = np.array([o.copies for o in dataset.objects], dtype=np.int64)
    records = np.array([o.records for o in dataset.objects], dtype=np.int64)
    held = records > 0
    first, copies, records = (np.cumsum(copies) - copies)[held], copies[held], records[held]
    if dataset.split_type == "None":
        per_request = records.astype(np.float64)
    elif strategy == "SingleRecord":
        per_request = np.ones(len(records))
    else:
        payload_bytes = np.array([o.payload_bytes for o in dataset.objects], dtype=np.float64)[held]
        counted = dataset.requests_by_payload_mb
        known = counted[max_payload_mb - 1] if counted is not None else 0
        limit = payload_limit_bytes(max_payload_mb)
        per_request = _records_per_payload(records, payload_bytes / records, copies, limit, known)
    requests = _requests(records, per_request)
    last = records - (requests - 1) * per_request
    even = np.isclose(last, per_request)
    return ObjectRequests(
        first=first,
        copies=copies,
        records=records,
        full=requests - ~even,
        full_records=per_request,
        last_records=np.where(even, 0.0, last),
    )


def _requests(records: Ints, per_request: Floats) -> Ints:
    """ceil(r / k), deaf to the rounding of k."""
    count: Ints = np.maximum(1, np.ceil(records / per_request - 1e-9)).astype(np.int64)
    return count


def _records_per_payload(records: Ints, mean_bytes: Floats, copies: Ints, limit: int, known: int) -> Floats:
    """k_j, such that all requests add up to `known` as nearly as one effective limit can (0: not counted)."""
    whole = np.minimum(records, np.maximum(1.0, np.floor(limit / mean_bytes)))
    if not known or int(_requests(records, whole) @ copies) == known:
        return whole

    def cut(effective: float) -> Floats:
        return np.minimum(records, np.maximum(1.0, effective / mean_bytes))

    low, high = float(mean_bytes.min()), float(limit)
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        if int(_requests(records, cut(middle)) @ copies) > known:
            low = middle
        else:
            high = middle
    return cut(high)
