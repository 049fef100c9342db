"""Lists the set bits of a bitmap, by the library for compressed bitmaps, CRoaring.

In the Roaring format a set of integers is cut at the multiples of 2**16, and each part, called a container, is stored
as the list of its integers or, if it holds more than 4096, as a bitmap. A mask that is packed to bits is the body of
such a set already, where it is dense. Marks are rarely that dense, but what is not marked is: so the unmarked are
handed over, and the library takes the complement, in two passes of vector instructions where numpy would need ten.

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


class SetBits:
    """Lists the set bits of bitmaps of one size; keeps the memory in which they are handed over."""

    def __init__(self, size_bytes: int) -> None:
        count = -(-size_bytes // _CONTAINER_BYTES)
        header = _FIXED_HEADER_BYTES + count * (_DESCRIPTION.itemsize + _BODY_AT.itemsize)
        self._stored = np.full(header + count * _CONTAINER_BYTES, 0xFF, np.uint8)
        fixed, described, body_at, body = np.split(
            self._stored, [_FIXED_HEADER_BYTES, _FIXED_HEADER_BYTES + count * _DESCRIPTION.itemsize, header]
        )
        fixed.view("<u4")[:] = _NO_RUNS_COOKIE, count
        described.view(_DESCRIPTION)["number"] = range(count)
        body_at.view(_BODY_AT)[:] = range(header, len(self._stored), _CONTAINER_BYTES)
        self._less_one = described.view(_DESCRIPTION)["less_one"]
        self._unmarked = body[:size_bytes]
        self._words = body.view(np.uint64).reshape(count, -1)
        self._bits = count * _CONTAINER_BITS

    def places(self, packed: NDArray[np.uint8]) -> NDArray[np.int64]:
        """Ascending numbers of the bits that are set; the lowest bit of the first byte is number 0.

        The bitmap has size_bytes bytes.
        """
        np.invert(packed, self._unmarked)
        unmarked = np.bitwise_count(self._words).sum(1, np.uint32)
        if unmarked.min() <= _MOST_LISTED:
            return np.unpackbits(packed, None, None, "little").nonzero()[0]
        np.subtract(unmarked, 1, self._less_one, casting="unsafe")
        bitmap = BitMap.deserialize(self._stored.data)  # type: ignore[arg-type]  # typed bytes, takes any buffer
        bitmap.flip_inplace(0, self._bits)
        return np.frombuffer(bitmap.to_array(), np.uint32).astype(np.int64)
