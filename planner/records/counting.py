"""What one pass over an object's record ends tells: requests at every payload limit, and the spread of sizes.

    symbol   meaning                                                                       unit
    e_j      end offset of record j, ascending (the cumulative record size)                bytes
    L_m      payload limit at MaxPayloadInMB = m, for m = 1..100                           bytes
    s_m      where the payload that is being filled at limit m starts                      bytes

At limit m the next payload starts at the last e_j <= s_m + L_m. Over an object of n MiB all limits together take about
n (1 + 1/2 + ... + 1/100) = 5.2 n such jumps, each a binary search in the chunk at hand: less work than reading it.
An object within L_1 is one request at every limit, and only counted.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from planner.records.dataset import RecordSizes
from planner.records.pack import MAX_PAYLOAD_MB, payload_limit_bytes
from planner.records.policy import ASSUMED, CuttingPolicy

PROBABILITIES: Final = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)

_EXACT_BITS: Final = 12
"""Sizes below 2**12 have a bin of their own, of their own number; each octave above has 2**11 bins."""
_EXACT_BINS: Final = 2**_EXACT_BITS
_BINS_PER_OCTAVE: Final = 2 ** (_EXACT_BITS - 1)
_LARGEST_BITS: Final = 50
_BIN_COUNT: Final = _EXACT_BINS + (_LARGEST_BITS - _EXACT_BITS) * _BINS_PER_OCTAVE
_FLUSH_RECORDS: Final = 2**15
"""So many sizes are counted at once: enough to spread what a count costs, too few to make the heap grow and shrink."""


class RequestCounter:
    """Exact number of MultiRecord requests at MaxPayloadInMB 1..100, all in one pass and constant memory."""

    def __init__(self, policy: CuttingPolicy = ASSUMED) -> None:
        limits = [payload_limit_bytes(m, policy) for m in range(1, MAX_PAYLOAD_MB + 1)]
        self._limits = np.array(limits, np.int64)
        self._smallest_limit = min(limits)
        self._requests = np.zeros(MAX_PAYLOAD_MB, np.int64)
        self._starts = np.zeros(MAX_PAYLOAD_MB, np.int64)
        self._objects = 0
        self._last_end = 0
        self._largest = 0

    def feed(self, ends: NDArray[np.int64], largest: int) -> None:
        """Go on within the object: the end offsets of its next records, and the largest size among them, in bytes."""
        if not len(ends):
            return
        self._largest = max(self._largest, largest)
        last = int(ends[-1])
        if last > self._smallest_limit:
            self._cut(ends, last)
        self._last_end = last

    def _cut(self, ends: NDArray[np.int64], last: int) -> None:
        """Move the payloads' starts past the records that no longer fit, at every limit."""
        over = np.flatnonzero((last - self._starts > self._limits) & (self._largest <= self._limits))
        while len(over):
            fitting = ends.searchsorted(self._starts[over] + self._limits[over], side="right")
            self._starts[over] = np.where(fitting > 0, ends[fitting - 1], self._last_end)
            self._requests[over] += 1
            over = over[last - self._starts[over] > self._limits[over]]

    def end_object(self) -> None:
        """The object is over: whatever its open payloads hold is sent."""
        if self._last_end:
            self._objects += 1
        if self._last_end > self._smallest_limit:
            self._starts[:] = 0
        self._last_end = 0

    def requests_by_payload_mb(self) -> tuple[int, ...]:
        """Requests over all objects ended so far at 1, 2, ..., 100; 0 at a limit that some record exceeds."""
        return tuple(np.where(self._largest <= self._limits, self._requests + self._objects, 0).tolist())


class SizeHistogram:
    """Distribution of record sizes in bounded memory (1.3 MB whatever the input).

    Sizes below 4096 bytes have a bin each; above, bins are 1/4096 to 1/2048 (0.05 %) of their sizes wide. A bin keeps
    its count, and above also its sum; a quantile is the mean size of its bin: exact below 4096 bytes and wherever a bin
    holds one distinct size, within 0.05 % elsewhere. Count, total, smallest and largest are exact.
    """

    def __init__(self) -> None:
        self._counts = np.zeros(_BIN_COUNT, np.int64)
        self._sums = np.zeros(_BIN_COUNT, np.float64)
        self._waiting: list[NDArray[np.int64]] = []
        self._waiting_records = 0
        self._smallest: int | None = None
        self._largest = 0
        self._total_bytes = 0

    def add(self, sizes: NDArray[np.int64]) -> None:
        """Count records of these sizes, in bytes, each at least 1 and below 2**50. The array is kept for a while."""
        if not len(sizes):
            return
        self._waiting.append(sizes)
        self._waiting_records += len(sizes)
        if self._waiting_records >= _FLUSH_RECORDS:
            self._flush()

    def record_sizes(self) -> RecordSizes:
        """The distribution of everything added."""
        self._flush()
        cumulative = np.cumsum(self._counts)
        count = int(cumulative[-1])
        quantiles = []
        for probability in PROBABILITIES:
            rank = max(int(np.ceil(probability * count)), 1)
            place = int(cumulative.searchsorted(rank)) if count else 0
            size = place if place < _EXACT_BINS else round(self._sums[place] / self._counts[place])
            quantiles.append((probability, size))
        return RecordSizes(
            count=count,
            total_bytes=self._total_bytes,
            smallest=self._smallest or 0,
            largest=self._largest,
            quantiles=tuple(quantiles),
        )

    def _flush(self) -> None:
        if not self._waiting:
            return
        sizes = np.concatenate(self._waiting)
        self._waiting.clear()
        self._waiting_records = 0
        smallest, largest = int(sizes.min()), int(sizes.max())
        self._smallest = smallest if self._smallest is None else min(smallest, self._smallest)
        self._largest = max(self._largest, largest)
        self._total_bytes += int(sizes.sum())
        if largest >= _EXACT_BINS:
            is_large = sizes >= _EXACT_BINS
            large = sizes[is_large]
            bins = _bins(large)
            _add(self._counts, np.bincount(bins))
            _add(self._sums, np.bincount(bins, weights=large))
            sizes = sizes[~is_large]
        _add(self._counts, np.bincount(sizes))


def _add(totals: NDArray[Any], counted: NDArray[Any]) -> None:
    """Add to the first bins what was counted in them."""
    totals[: len(counted)] += counted


def _bins(sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Index of the bin of each size from 2**12 on: its octave and its next 11 bits."""
    octave = np.frexp(sizes.astype(np.float64))[1].astype(np.int64) - 1
    within = (sizes >> (octave - (_EXACT_BITS - 1))) - _BINS_PER_OCTAVE
    return _EXACT_BINS + (octave - _EXACT_BITS) * _BINS_PER_OCTAVE + within
