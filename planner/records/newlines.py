"""Ends of lines in a buffer, near the speed at which memory is read.

numpy lists the set elements of a mask slowly while these are sparse: one branch missed per line. So the mask is packed
to a bit per byte first, and the bits are read in words so narrow that few hold two line feeds. Which words are set is
then listed without branches, and the bit inside a word is arithmetic:

    symbol          meaning
    w               a word whose lowest set bit is bit i
    w ^ (w - 1)     bits 0 to i, so that its number of set bits is i + 1: the line's end, seen from the word's beginning
    w & (w - 1)     w without bit i
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

LINE_FEED: Final = 10

_SMALL_BYTES: Final = 2**14
"""Chunks up to this size are searched plainly: the calls below cost more than the branches that they save."""
_BYTE_BITS: Final = 8
_WIDEST_WORD_BITS: Final = 32
_SPARSE: Final = 0.25
"""Share of 16-bit words with a line feed below which 32-bit words are faster: lines of more than about 60 bytes."""
_DENSE: Final = 0.55
"""The same above which 8-bit words are faster: lines of less than about 30 bytes."""
_DENSEST: Final = 0.85
"""Share of 8-bit words with a line feed above which the mask is listed faster than its bits: less than 9 bytes."""


class LineFeedFinder:
    """Finds line feeds; keeps its scratch memory (the size of the largest chunk) from chunk to chunk."""

    def __init__(self) -> None:
        self._mask = np.empty(0, np.bool_)

    def line_ends(self, chunk: bytes | memoryview, offset: int = 0) -> NDArray[np.int64]:
        """Ascending offsets just past every LF byte of a chunk that begins at the offset (int64, bytes)."""
        content = np.frombuffer(chunk, np.uint8)
        if len(content) <= _SMALL_BYTES:
            return np.flatnonzero(content == LINE_FEED) + (offset + 1)
        padded = -(-len(content) // _WIDEST_WORD_BITS) * _WIDEST_WORD_BITS
        if len(self._mask) < padded:
            self._mask = np.empty(padded, np.bool_)
        mask = self._mask[:padded]
        mask[len(content) :] = False
        np.equal(content, LINE_FEED, out=mask[: len(content)])
        packed = np.packbits(mask, bitorder="little")
        words = packed.view("<u2")
        is_set = words != 0
        set_words = np.count_nonzero(is_set)
        if set_words <= _SPARSE * len(words):
            words = packed.view("<u4")
            return _ends_in_words(words, words != 0, offset)
        if set_words <= _DENSE * len(words):
            return _ends_in_words(words, is_set, offset)
        is_set = packed != 0
        if np.count_nonzero(is_set) <= _DENSEST * len(packed):
            return _ends_in_words(packed, is_set, offset)
        return np.flatnonzero(mask) + (offset + 1)


def _ends_in_words(all_words: NDArray[np.unsignedinteger], is_set: NDArray[np.bool_], offset: int) -> NDArray[np.int64]:
    """Ascending offsets just past every set bit of the words, the first of which begins at the offset.

    Each round takes the lowest bit of every word that has one left: one round, unless lines are shorter than a word.
    """
    at = is_set.nonzero()[0]
    words = all_words.take(at, mode="wrap")  # every index is valid; not checking them is faster
    if words.itemsize > 1:
        words = words.astype(np.uint32, copy=False)  # numpy counts the bits of 16 more slowly than those of 8 or 32
    one = words.dtype.type(1)
    at *= _BYTE_BITS * all_words.itemsize
    at += offset
    found = []
    while True:
        below = words - one
        rest = words & below
        np.bitwise_xor(words, below, out=below)
        found.append(at + np.bitwise_count(below))
        if not np.count_nonzero(rest):
            break
        left = (rest != 0).nonzero()[0]
        words, at = rest.take(left), at.take(left)
    if len(found) == 1:
        return found[0]
    ends = np.concatenate(found)
    ends.sort(kind="stable")
    return ends
