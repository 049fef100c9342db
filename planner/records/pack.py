"""How records become requests: BatchStrategy and MaxPayloadInMB, one object at a time, greedily, in MiB.

The rule, as derived from public job logs (25,000 rows of 10,001 bytes at 6 -> 39 requests of 629 rows and one of 469):
records are added to the current payload until the next would not fit (`policy.TieRule`); a record that does not fit
into an empty payload is an error in the service, not a split. A request never spans two objects.

Record ends are cumulative sizes already, so the packer jumps from request to request by binary search: with requests
starting at byte s, the next one starts at the last record end <= s + limit.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from planner.errors import RecordTooLargeError
from planner.records.policy import ASSUMED, CuttingPolicy, TieRule
from planner.units import MIB

MAX_PAYLOAD_MB: Final = 100
"""Largest MaxPayloadInMB. Source: CreateTransformJob."""
ANY_SIZE_MB: Final = 0
"""MaxPayloadInMB of requests of any size, which are sent in HTTP chunks. Source: CreateTransformJob."""
NO_LIMIT_BYTES: Final = 2**62

_FEW_RECORDS: Final = 64
"""Below this many records per request, following precomputed jumps is faster than a search per request."""
_COMPOSITIONS: Final = 3
_WINDOW_RECORDS: Final = 2**14


def payload_limit_bytes(max_payload_mb: int, policy: CuttingPolicy = ASSUMED) -> int:
    """The most bytes a payload may have at MaxPayloadInMB 1..100. Raises ValueError outside of that."""
    if not 1 <= max_payload_mb <= MAX_PAYLOAD_MB:
        raise ValueError(f"MaxPayloadInMB is {max_payload_mb}; records are packed at 1 to {MAX_PAYLOAD_MB} only")
    return max_payload_mb * MIB - (policy.tie_rule is TieRule.LIMIT_IS_TOO_LARGE)


def record_too_large(source: str, index: int, offset: int, size: int, limit_bytes: int) -> RecordTooLargeError:
    """The error for a record (index from 0) that no payload of the limit can hold."""
    needed = -(-size // MIB)
    advice = (
        f"Use MaxPayloadInMB {needed} or more, or make the record smaller."
        if needed <= MAX_PAYLOAD_MB
        else f"No request may exceed {MAX_PAYLOAD_MB} MiB: make the record smaller, or check --split-type."
    )
    return RecordTooLargeError(
        f"{source}: record {index + 1:,} at byte {offset:,} has {size:,} bytes and the payload limit is "
        f"{limit_bytes:,} bytes; the service fails the whole object. {advice}"
    )


class Cut(NamedTuple):
    """Where a payload ends in its object: after so many bytes and so many records."""

    offset: int
    records: int


class GreedyPacker:
    """Cuts one object's records into payloads, fed with record ends as a splitter finds them."""

    def __init__(self, limit_bytes: int, source: str = "the input") -> None:
        self._limit_bytes = limit_bytes
        self._source = source
        self._last = Cut(0, 0)
        """The end of the last record seen."""
        self._payload_start = 0

    def feed(self, ends: NDArray[np.int64]) -> list[Cut]:
        """The ends of the payloads that are full now that these records (ascending end offsets) are known.

        Raises RecordTooLargeError at the first record that fits no payload.
        """
        if not len(ends):
            return []
        full: list[Cut] = []
        last_end = int(ends[-1])
        while last_end - self._payload_start > self._limit_bytes:
            fitting = int(ends.searchsorted(self._payload_start + self._limit_bytes, side="right"))
            cut = Cut(int(ends[fitting - 1]), self._last.records + fitting) if fitting else self._last
            if cut.offset <= self._payload_start:
                size = int(ends[fitting]) - cut.offset
                raise record_too_large(self._source, cut.records, cut.offset, size, self._limit_bytes)
            full.append(cut)
            self._payload_start = cut.offset
        self._last = Cut(last_end, self._last.records + len(ends))
        return full

    def finish(self) -> list[Cut]:
        """The end of the object's last payload; nothing for an object without records."""
        return [self._last] if self._last.offset > self._payload_start else []


class RecordPerPayload:
    """BatchStrategy SingleRecord: every record is a payload; the packer's interface."""

    def __init__(self, limit_bytes: int, source: str = "the input") -> None:
        self._limit_bytes = limit_bytes
        self._source = source
        self._last = Cut(0, 0)

    def feed(self, ends: NDArray[np.int64]) -> list[Cut]:
        """Every record's end. Raises RecordTooLargeError."""
        cuts = []
        for end in ends.tolist():
            if end - self._last.offset > self._limit_bytes:
                size = end - self._last.offset
                raise record_too_large(self._source, self._last.records, self._last.offset, size, self._limit_bytes)
            self._last = Cut(end, self._last.records + 1)
            cuts.append(self._last)
        return cuts

    def finish(self) -> list[Cut]:
        """Nothing: no payload waits for more records."""
        return []


def pack(sizes: NDArray[np.integer], limit_bytes: int, source: str = "the input") -> NDArray[np.int64]:
    """Where each request ends, as a count of records from the object's beginning, for one object's record sizes.

    Request i holds records ``ends[i-1]`` to ``ends[i] - 1``; ``np.diff(ends, prepend=0)`` is records per request.
    Raises RecordTooLargeError. Sizes are bytes, at least 1 each.
    """
    count = len(sizes)
    if not count:
        return np.empty(0, np.int64)
    edges = np.zeros(count + 1, np.int64)
    np.cumsum(sizes, out=edges[1:])
    largest = int(sizes.max())
    if largest > limit_bytes:
        index = int(np.argmax(sizes > limit_bytes))
        raise record_too_large(source, index, int(edges[index]), int(sizes[index]), limit_bytes)
    if limit_bytes * count < _FEW_RECORDS * int(edges[-1]):
        return _follow_jumps(edges, limit_bytes)
    ends, at = [], 0
    while at < count:
        at = int(edges.searchsorted(edges[at] + limit_bytes, side="right")) - 1
        ends.append(at)
    return np.array(ends, np.int64)


def _follow_jumps(edges: NDArray[np.int64], limit_bytes: int) -> NDArray[np.int64]:
    """As `pack`, by where a request that starts at each record would end, then following those from the first.

    Goes window by window, so that all of it happens in the core's caches.
    """
    count, at, ends = len(edges) - 1, 0, []
    for first in range(0, count, _WINDOW_RECORDS):
        last = min(first + _WINDOW_RECORDS, count)
        if at >= last:
            continue
        reach = int(edges.searchsorted(edges[last - 1] + limit_bytes, side="right"))
        jumps = edges[first:reach].searchsorted(edges[first:last] + limit_bytes, side="right") - 1
        ends.append(jumps[_chain(jumps, at - first)] + first)
        at = int(ends[-1][-1])
    return np.concatenate(ends)


def _chain(jumps: NDArray[np.int64], start: int) -> NDArray[np.int64]:
    """The indices that are reached from start by jump after jump until one leads out of the array, start included.

    Following is one Python step per jump; so jumps are composed with themselves first, each time halving the steps,
    and the indices that were leapt over are filled in afterwards.
    """
    out = len(jumps)
    composed = [np.append(np.minimum(jumps, out), out)]
    for _ in range(_COMPOSITIONS):
        composed.append(composed[-1][composed[-1]])
    leaps = composed[-1].data
    leapt, at = [], start
    while at < out:
        leapt.append(at)
        at = leaps[at]
    reached = np.array(leapt, np.int64)
    for jump in composed[-2::-1]:
        reached = np.stack((reached, jump[reached]), axis=1).ravel()
    return reached[reached < out]
