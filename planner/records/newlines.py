"""Positions of line feeds in a buffer, near the speed at which memory is read.

numpy lists the set elements of a mask slowly while these are sparse: one branch missed per line. So the mask is packed
to a bit per byte first; a 64-bit word then stands for 64 bytes, most words hold a line feed, and the bit inside a word
comes from arithmetic without branches. Where lines are so short that words hold several, the packed bytes are looked up
instead.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

LINE_FEED: Final = 10

_WORD_BITS: Final = 64
_BYTE_BITS: Final = 8
_DENSE: Final = 0.75
"""Share of words with a line feed above which lines average less than about 46 bytes; measured crossover."""

_LOWEST_BIT: Final = np.array([0] + [(value & -value).bit_length() - 1 for value in range(1, 256)], np.int64)
"""Index of the lowest set bit of a byte."""


class LineFeedFinder:
    """Finds line feeds; keeps its scratch memory (1.2 times the largest chunk) from chunk to chunk."""

    def __init__(self) -> None:
        self._mask = np.empty(0, np.bool_)

    def positions(self, chunk: bytes | memoryview) -> NDArray[np.int64]:
        """Ascending positions of every LF byte in the chunk (int64, bytes from its beginning)."""
        content = np.frombuffer(chunk, np.uint8)
        padded = -(-len(content) // _WORD_BITS) * _WORD_BITS
        if len(self._mask) < padded:
            self._mask = np.empty(padded, np.bool_)
        mask = self._mask[:padded]
        mask[len(content) :] = False
        np.equal(content, LINE_FEED, out=mask[: len(content)])
        packed = np.packbits(mask, bitorder="little")
        words = packed.view("<u8")
        hit = np.flatnonzero(words != 0)
        if len(hit) > _DENSE * len(words):
            return _bits_of_bytes(packed)
        return _bits_of_words(words[hit], hit * _WORD_BITS)


def _bits_of_words(words: NDArray[np.uint64], starts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Positions of the set bits of words that stand at these bit positions.

    w - 1 flips the lowest set bit and all below it, so ``popcount(~w & (w - 1))`` is that bit's index and
    ``w & (w - 1)`` is w without it. Each round takes one bit of every word that has one left.
    """
    found = []
    while len(words):
        below = words - np.uint64(1)
        found.append(starts + np.bitwise_count(~words & below))
        words = words & below
        left = np.flatnonzero(words)
        words, starts = words[left], starts[left]
    return _merged(found)


def _bits_of_bytes(packed: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Positions of the set bits of bytes, as `_bits_of_words` but by table."""
    hit = np.flatnonzero(packed != 0)
    values, starts = packed[hit], hit * _BYTE_BITS
    found = []
    while len(values):
        found.append(starts + _LOWEST_BIT[values])
        values = values & (values - np.uint8(1))
        left = np.flatnonzero(values)
        values, starts = values[left], starts[left]
    return _merged(found)


def _merged(ascending: list[NDArray[np.int64]]) -> NDArray[np.int64]:
    """All positions of several ascending arrays, ascending; a stable sort merges runs that are in order."""
    if len(ascending) == 1:
        return ascending[0]
    if not ascending:
        return np.empty(0, np.int64)
    positions = np.concatenate(ascending)
    positions.sort(kind="stable")
    return positions
