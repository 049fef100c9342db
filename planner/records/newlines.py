"""Positions of line feeds in a buffer, at memory speed.

numpy finds the nonzero elements of a mask quickly where they are dense (above one in ten it runs without branches)
and slowly where they are sparse. Lines are sparse in bytes, so the mask is looked at in 8-byte words first: the
words that hold a line feed are few and dense enough, and the byte inside a word comes from bit arithmetic.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

LINE_FEED: Final = 10

_ONE: Final = np.uint64(1)


def line_feed_positions(chunk: bytes | memoryview) -> NDArray[np.int64]:
    """Ascending positions of every LF byte in the chunk (int64, bytes from its beginning)."""
    content = np.frombuffer(chunk, np.uint8)
    word_count = (len(content) + 7) // 8
    mask = np.empty(word_count * 8, np.bool_)
    mask[len(content) :] = False
    np.equal(content, LINE_FEED, out=mask[: len(content)])
    words = mask.view("<u8")
    hit = np.flatnonzero(words != 0)
    return _byte_positions(words[hit], hit * 8)


def _byte_positions(words: NDArray[np.uint64], first_bytes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Positions of the 0x01 bytes of little-endian words that stand at first_bytes.

    The lowest set bit of w is w & -w; the bits below it, 8 per byte, number 8 x the byte's index. Each round takes
    one byte of every word that still has one; all but short lines need a single round.
    """
    found = []
    while len(words):
        lowest = words & (~words + _ONE)
        found.append(first_bytes + (np.bitwise_count(lowest - _ONE) >> 3))
        words = words ^ lowest
        left = words != 0
        if not left.any():
            break
        words, first_bytes = words[left], first_bytes[left]
    if not found:
        return np.empty(0, np.int64)
    if len(found) == 1:
        return found[0]
    positions = np.concatenate(found)
    positions.sort(kind="stable")
    return positions
