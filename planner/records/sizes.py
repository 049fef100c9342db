"""Record sizes of a whole input, kept exactly and compactly, to be packed under any limit afterwards.

Sizes stand in blocks of up to 2**20 records, each in the narrowest of 8, 16, 32 or 64 unsigned bits that its largest
record needs. 10**8 records of up to 255 bytes take 100 MB, of up to 65,535 bytes 200 MB, of up to 4 GiB 400 MB; the
cumulative sums that packing needs exist for one block at a time (8 MB). Objects add 16 bytes each.
"""

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from planner.records.pack import GreedyPacker

_BLOCK_RECORDS: Final = 2**20


class RecordSizeStore:
    """The sizes of every record of every object, in order."""

    def __init__(self) -> None:
        self._blocks: list[NDArray[np.unsignedinteger]] = []
        self._open: list[NDArray[np.int64]] = []
        self._open_records = 0
        self._records = 0
        self._object_ends: list[int] = []
        self._keys: list[str] = []

    def add(self, sizes: NDArray[np.int64]) -> None:
        """Append records of the object at hand: sizes in bytes, at least 1 each."""
        self._open.append(sizes)
        self._open_records += len(sizes)
        self._records += len(sizes)
        if self._open_records >= _BLOCK_RECORDS:
            self._close_block()

    def end_object(self, key: str) -> None:
        """The records added since the last call are the object of this key."""
        self._object_ends.append(self._records)
        self._keys.append(key)

    @property
    def records(self) -> int:
        """Number of records in the store."""
        return self._records

    @property
    def stored_bytes(self) -> int:
        """Memory that the sizes take, in bytes."""
        return sum(block.nbytes for block in self._blocks) + sum(waiting.nbytes for waiting in self._open)

    def records_per_request(self, limit_bytes: int) -> NDArray[np.int64]:
        """Records in each MultiRecord request under the limit, over the objects in order; its length is the count.

        Raises RecordTooLargeError, naming the object, if a record exceeds the limit.
        """
        counts = []
        for key, pieces in self._objects():
            packer, end, ends = GreedyPacker(limit_bytes, key), 0, []
            for sizes in pieces:
                edges = np.cumsum(sizes, dtype=np.int64) + end
                end = int(edges[-1])
                ends += packer.feed(edges)
            ends += packer.finish()
            counts.append(np.diff([cut.records for cut in ends], prepend=0))
        return np.concatenate(counts).astype(np.int64) if counts else np.empty(0, np.int64)

    def _close_block(self) -> None:
        if not self._open_records:
            return
        sizes = np.concatenate(self._open)
        self._blocks.append(sizes.astype(np.min_scalar_type(int(sizes.max()))))
        self._open.clear()
        self._open_records = 0

    def _objects(self) -> Iterator[tuple[str, list[NDArray[np.unsignedinteger]]]]:
        """Key and pieces of blocks of every object; the pieces are views."""
        self._close_block()
        starts = np.cumsum([0, *(len(block) for block in self._blocks)])
        first = 0
        for key, last in zip(self._keys, self._object_ends, strict=True):
            pieces = []
            block = int(starts.searchsorted(first, side="right")) - 1
            while block < len(self._blocks) and starts[block] < last:
                piece = self._blocks[block][max(first - int(starts[block]), 0) : last - int(starts[block])]
                if len(piece):
                    pieces.append(piece)
                block += 1
            yield key, pieces
            first = last
