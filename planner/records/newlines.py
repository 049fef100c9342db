"""Ends of lines in a buffer, near the speed at which memory is read.

numpy lists the set elements of a mask slowly while these are sparse: one branch missed per line. So the mask is packed
to a bit per byte first. Where lines are short, a library for bitmaps lists these bits (`planner.records.dense`). Where
they are longer, the bits are read in words so narrow that few hold two line feeds; which words are set is then listed
without branches, and the bit inside a word is arithmetic:

    symbol          meaning
    w               a word of which bit i is the lowest that is set
    w & (w - 1)     w without bit i: nothing, where the word holds one line feed
    i               the exponent of w as a float, if w is bit i alone: the line feed's place in the word

Which is fastest depends on how long the lines are. The chunk before tells; a wrong guess costs time, never truth.
numpy preparing its calls was a sixth of the time at 50 bytes a line, so these are few, and constants are arrays of no
dimension: a number would be converted in every call, for half as long as the call takes.
"""

from bisect import bisect
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from planner.records.dense import DenseByteFinder

LINE_FEED: Final = 10

_LINE_FEED: Final = np.array(LINE_FEED, np.uint8)
_SMALL_BYTES: Final = 2**14
"""Chunks up to this size are searched plainly: the calls below cost more than the branches that they save."""
_BYTE_BITS: Final = 8
_WIDEST_WORD_BITS: Final = 64
_EXPONENT_SHIFT: Final = np.array(52)
"""By so much shifted to the right, a positive float64's bits are its exponent and _EXPONENT_BIAS."""
_EXPONENT_BIAS: Final = 1023


class _Word:
    """A width of words and its constants."""

    def __init__(self, name: str) -> None:
        self.type: np.dtype[Any] = np.dtype(name)
        self.zero = np.array(0, self.type)
        self.one = np.array(1, self.type)
        self.shift = np.array((_BYTE_BITS * self.type.itemsize).bit_length() - 1)
        """By so much shifted to the left, a word's index is the place of its first byte in the chunk."""


_LINE_BYTES: Final = (90, 180)
"""Mean lengths of lines, in bytes, from which the next of the words is faster, by measurement."""
_WORDS: Final = (None, _Word("<u4"), _Word("<u8"))
"""None: a library lists the bits."""
_FIRST_LINE_BYTES: Final = 100
"""The mean length that is assumed of the first chunk."""


class LineFeedFinder:
    """Finds line feeds; keeps its scratch memory (the size of the largest chunk) from chunk to chunk."""

    def __init__(self) -> None:
        self._scratch = self._mask = self._line_feeds = np.empty(0, np.bool_)
        self._word = _WORDS[bisect(_LINE_BYTES, _FIRST_LINE_BYTES)]
        self._dense: DenseByteFinder | None = None

    def line_ends(self, chunk: bytes | memoryview, offset: int = 0) -> NDArray[np.int64]:
        """Ascending offsets just past every LF byte of a chunk that begins at the offset (int64, bytes)."""
        content = np.frombuffer(chunk, np.uint8)
        size = len(content)
        if size <= _SMALL_BYTES:
            return np.flatnonzero(content == _LINE_FEED) + (offset + 1)
        if self._word is None:
            ends = self._short_lines(content, offset)
        else:
            ends = _ends_in_words(self._packed(content), self._word, offset)
        self._word = _WORDS[bisect(_LINE_BYTES, size / max(len(ends), 1))]
        return ends

    def _short_lines(self, content: NDArray[np.uint8], offset: int) -> NDArray[np.int64]:
        if self._dense is None or self._dense.size_bytes != len(content):
            self._dense = DenseByteFinder(LINE_FEED, len(content))
        return self._dense.places(content, offset + 1)

    def _packed(self, content: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """A bit for every byte, set for line feeds, and zeros up to whole words."""
        size = len(content)
        if size != len(self._line_feeds):
            padded = -(-size // _WIDEST_WORD_BITS) * _WIDEST_WORD_BITS
            if len(self._scratch) < padded:
                self._scratch = np.empty(padded, np.bool_)
            self._mask = self._scratch[:padded]
            self._line_feeds = self._mask[:size]
            self._mask[size:] = False
        np.equal(content, _LINE_FEED, self._line_feeds)
        return np.packbits(self._mask, None, "little")


def _ends_in_words(packed: NDArray[np.uint8], word: _Word, offset: int) -> NDArray[np.int64]:
    """Ascending offsets just past every set bit of whole words, the first of which begins at the offset.

    Each round takes the lowest bit of every word that has one left: one round, unless lines are shorter than a word.
    """
    all_words = packed.view(word.type)
    at: NDArray[np.int64] = np.not_equal(all_words, word.zero).nonzero()[0]
    words = all_words.take(at, mode="clip")  # every index is valid; not checking them is faster
    at <<= word.shift
    at += offset + 1 - _EXPONENT_BIAS
    found = []
    while True:
        rest = words & (words - word.one)
        if not np.count_nonzero(rest):
            break
        found.append(at + _biased_exponents(words ^ rest))
        left = (rest != word.zero).nonzero()[0]
        words, at = rest.take(left, mode="clip"), at.take(left, mode="clip")
    at += _biased_exponents(words)
    if not found:
        return at
    ends = np.concatenate([*found, at])
    ends.sort(kind="stable")
    return ends


def _biased_exponents(powers: NDArray[np.unsignedinteger[Any]]) -> NDArray[np.int64]:
    """The exponent of each power of two, and _EXPONENT_BIAS."""
    exponents = powers.astype(np.float64).view(np.int64)
    exponents >>= _EXPONENT_SHIFT
    return exponents
