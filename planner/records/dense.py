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
_ALL_OF_ONE: Final = 2**16
"""As many integers as a container may hold; shifted into the upper half of a description, its lower one is free."""
_UPPER_HALF: Final = np.array(16, np.uint32)


class DenseByteFinder:
    """Lists the places of one byte in contents of one size; keeps its scratch memory from one to the next.

    The header stands before the mask, a byte for each of its bits, so that what `packbits` makes of both is the set as
    it is stored, and is not copied.
    """

    def __init__(self, byte: int, size_bytes: int) -> None:
        """Of contents of `size_bytes` bytes, 2**32 at most."""
        header = _header(containers := -(-size_bytes // _CONTAINER_BITS))
        begin = 8 * len(header)
        self._bits = containers * _CONTAINER_BITS
        self._stored = np.ones(begin + self._bits, np.bool_)  # beyond the content too: the complement lacks that
        self._stored[:begin] = np.unpackbits(header, bitorder="little")
        self._others = self._stored[begin : begin + size_bytes]
        self._counts = np.empty(len(self._stored) // 64, np.uint8)
        self._first_words = np.arange(begin // 64, len(self._counts), _CONTAINER_BITS // 64)
        self._described = slice(_FIXED_HEADER_BYTES // 4, _FIXED_HEADER_BYTES // 4 + containers)
        self._numbers_less_one = np.arange(containers, dtype=np.uint32) - np.array(_ALL_OF_ONE, np.uint32)
        self._byte = np.array(byte, np.uint8)
        self.size_bytes: Final = size_bytes

    def places(self, content: NDArray[np.uint8], offset: int) -> NDArray[np.int64]:
        """Ascending places of the byte in the content, which begins at the offset and has the size that was said."""
        np.not_equal(content, self._byte, self._others)
        stored = np.packbits(self._stored, None, "little")
        np.bitwise_count(stored.view(np.uint64), self._counts)
        others = np.add.reduceat(self._counts, self._first_words, 0, np.uint32)
        if min(others.tolist()) <= _MOST_LISTED:
            return np.flatnonzero(content == self._byte) + offset
        others <<= _UPPER_HALF
        others += self._numbers_less_one  # modulo 2**32: what is one too many above is made good here
        stored.view(_BODY_AT)[self._described] = others
        bitmap = BitMap.deserialize(stored.data)  # type: ignore[arg-type]  # typed bytes, takes any buffer
        bitmap.flip_inplace(0, self._bits)
        return np.add(np.frombuffer(bitmap.to_array(), np.uint32), np.array(offset, np.int64))


def _header(containers: int) -> NDArray[np.uint8]:
    """The head of a stored set of so many bitmaps, their sizes left open: shape (bytes,), a multiple of 8."""
    begin = _FIXED_HEADER_BYTES + containers * _DESCRIPTION.itemsize
    header = np.zeros(begin + containers * _BODY_AT.itemsize, np.uint8)
    header[:_FIXED_HEADER_BYTES].view("<u4")[:] = _NO_RUNS_COOKIE, containers
    header[_FIXED_HEADER_BYTES:begin].view(_DESCRIPTION)["number"] = range(containers)
    bodies = header[begin:].view(_BODY_AT)
    bodies[:] = range(len(header), len(header) + containers * _CONTAINER_BYTES, _CONTAINER_BYTES)
    return header
