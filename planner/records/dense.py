"""Places of a byte that is frequent, listed by the library for compressed bitmaps, CRoaring.

In the Roaring format a set of integers is cut at the multiples of 2**16, and each part, called a container, is stored
as the list of its integers or, if it holds more than 4096, as a bitmap. A mask that is packed to bits is the body of
such a set already, where it is dense. Line feeds are rarely that dense, but all other bytes are: so these are handed
over, and the library takes the complement, in a few passes of vector instructions where numpy would need ten.

Source: https://github.com/RoaringBitmap/RoaringFormatSpec
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from pyroaring import BitMap

_CONTAINER_BITS: Final = 2**16
_CONTAINER_BYTES: Final = _CONTAINER_BITS // 8
_MOST_LISTED: Final = 4096
"""A container of more integers than this is a bitmap."""
_NO_RUNS_COOKIE: Final = 12346
"""How a set without run-length encoded containers begins."""
_FIXED_HEADER_BYTES: Final = 8
_DESCRIPTION: Final = np.dtype([("number", "<u2"), ("less_one", "<u2")])
"""Of each container: its place among those of the set, and how many integers it has, less one."""
_BODY_AT: Final = np.dtype("<u4")
"""Of each container: where its body begins."""
_BLOCK_BYTES: Final = 3 * 2**17
"""So much is compared before it is packed: content and mask then stay in a core's second-level cache."""
_ONE: Final = np.array(1, np.uint32)


class DenseByteFinder:
    """Lists the places of one byte in contents of one size; keeps its scratch memory from one to the next."""

    def __init__(self, byte: int, size_bytes: int) -> None:
        """Of contents of `size_bytes` bytes, 2**32 at most."""
        count = -(-size_bytes // _CONTAINER_BITS)
        header = _FIXED_HEADER_BYTES + count * (_DESCRIPTION.itemsize + _BODY_AT.itemsize)
        self._stored = np.full(header + count * _CONTAINER_BYTES, 0xFF, np.uint8)
        fixed, described, body_at, self._others = np.split(
            self._stored, [_FIXED_HEADER_BYTES, _FIXED_HEADER_BYTES + count * _DESCRIPTION.itemsize, header]
        )
        fixed.view("<u4")[:] = _NO_RUNS_COOKIE, count
        described.view(_DESCRIPTION)["number"] = range(count)
        body_at.view(_BODY_AT)[:] = range(header, len(self._stored), _CONTAINER_BYTES)
        self._less_one = described.view(_DESCRIPTION)["less_one"]
        self._words = self._others.view(np.uint64).reshape(count, -1)
        self._counts = np.empty(self._words.shape, np.uint8)
        self._bits = count * _CONTAINER_BITS
        self._byte = np.array(byte, np.uint8)
        self._mask = np.empty(min(_BLOCK_BYTES, self._bits), np.bool_)
        self.size_bytes: Final = size_bytes

    def places(self, content: NDArray[np.uint8], offset: int) -> NDArray[np.int64]:
        """Ascending places of the byte in the content, which begins at the offset and has the size that was said."""
        self._mark_others(content)
        np.bitwise_count(self._words, self._counts)
        others = np.add.reduce(self._counts, 1, np.uint32)
        if min(others.tolist()) <= _MOST_LISTED:
            return np.flatnonzero(content == self._byte) + offset
        self._less_one[:] = others - _ONE
        bitmap = BitMap.deserialize(self._stored.data)  # type: ignore[arg-type]  # typed bytes, takes any buffer
        bitmap.flip_inplace(0, self._bits)
        return np.add(np.frombuffer(bitmap.to_array(), np.uint32), np.array(offset, np.int64))

    def _mark_others(self, content: NDArray[np.uint8]) -> None:
        """Set the bits of all other bytes. Bits beyond the content are set too, so that the complement lacks them."""
        for begin in range(0, len(content), _BLOCK_BYTES):
            block = content[begin : begin + _BLOCK_BYTES]
            filled = -(-len(block) // 8) * 8
            self._mask[len(block) : filled] = True
            np.not_equal(block, self._byte, self._mask[: len(block)])
            self._others[begin // 8 : (begin + filled) // 8] = np.packbits(self._mask[:filled], None, "little")
