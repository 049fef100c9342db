"""The running account of a scan: what the record ends of each object add to the whole."""

import numpy as np
from numpy.typing import NDArray

from planner.records.counting import RequestCounter, SizeHistogram
from planner.records.dataset import InputObject
from planner.records.pack import record_too_large
from planner.records.policy import CuttingPolicy
from planner.records.sizes import RecordSizeStore
from planner.records.split import record_sizes


class Tally:
    """Counts objects, records and requests as splitters find record ends; one object at a time."""

    def __init__(
        self, *, limit_bytes: int | None, most_oversized: int, policy: CuttingPolicy, sizes: RecordSizeStore | None
    ) -> None:
        self._limit_bytes = limit_bytes
        self._most_oversized = most_oversized
        self._sizes = sizes
        self._begin()
        self.histogram = SizeHistogram()
        self.requests = RequestCounter(policy)
        self.oversized: list[str] = []
        """Records above the limit, each described; at most as many as were asked for."""

    def _begin(self) -> None:
        self._records = 0
        self._last_end = 0
        self._largest = 0

    def add(self, key: str, ends: NDArray[np.int64]) -> None:
        """The next records of the object of this key end at these offsets."""
        if not len(ends):
            return
        sizes = record_sizes(ends, self._last_end)
        largest = int(sizes.max())
        if self._limit_bytes is not None and largest > self._limit_bytes:
            self._add_oversized(key, ends, sizes, self._limit_bytes)
        self._largest = max(self._largest, largest)
        self.histogram.add(sizes)
        self.requests.feed(ends, largest)
        if self._sizes is not None:
            self._sizes.add(sizes)
        self._records += len(ends)
        self._last_end = int(ends[-1])

    def end_object(self, key: str, stored_bytes: int) -> InputObject:
        """The object of this key is over: its row of the data set."""
        row = InputObject(
            key=key,
            stored_bytes=stored_bytes,
            payload_bytes=self._last_end,
            records=self._records,
            largest_record_bytes=self._largest,
        )
        self.requests.end_object()
        if self._sizes is not None:
            self._sizes.end_object(key)
        self._begin()
        return row

    def _add_oversized(self, key: str, ends: NDArray[np.int64], sizes: NDArray[np.int64], limit_bytes: int) -> None:
        for index in np.flatnonzero(sizes > limit_bytes)[: self._most_oversized - len(self.oversized)].tolist():
            size = int(sizes[index])
            offset = int(ends[index]) - size
            self.oversized.append(str(record_too_large(key, self._records + index, offset, size, limit_bytes)))
