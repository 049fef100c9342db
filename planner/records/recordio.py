"""The RecordIO framing that SageMaker and MXNet share.

    bytes   field
    4       magic 0xced7230a, little-endian
    4       lower 29 bits: length of the part in bytes; upper 3 bits (cflag): 0 whole record, 1 first part,
            2 middle part, 3 last part
    length  the part
    0-3     zeros up to a multiple of 4

A record that holds the magic on a 4-byte boundary is written as parts around it; a reader puts the magic back between
them. Source: dmlc-core recordio.h and recordio.cc (`RecordIOWriter::WriteRecord`, `RecordIOReader::NextRecord`).
"""

import struct
from typing import Final

import numpy as np
from numpy.typing import NDArray

from planner.errors import RecordFormatError

MAGIC: Final = 0xCED7230A
_MAGIC_BYTES: Final = struct.pack("<I", MAGIC)
_HEADER: Final = struct.Struct("<II")
_LENGTH_MASK: Final = 2**29 - 1
_WHOLE, _FIRST, _MIDDLE, _LAST = range(4)


class RecordIOSplitter:
    """SplitType RecordIO: a record reaches from its first magic to the end of its (last) part's alignment bytes."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._offset = 0
        self._next_frame = 0
        self._record_start = 0
        self._records = 0
        self._inside = False
        self._kept = b""

    def feed(self, chunk: bytes | memoryview, /) -> NDArray[np.int64]:
        """End offsets of the records whose last byte is in the chunk; raises RecordFormatError."""
        ends = []
        end_offset = self._offset + len(chunk)
        while True:
            if not self._inside and self._next_frame > self._record_start and self._next_frame <= end_offset:
                ends.append(self._next_frame)
                self._records += 1
                self._record_start = self._next_frame
            if self._next_frame + _HEADER.size > end_offset:
                break
            self._read_header(chunk)
        kept_from = max(self._next_frame - self._offset, 0)
        self._kept = (self._kept if self._next_frame < self._offset else b"") + bytes(chunk[kept_from:])
        self._offset = end_offset
        return np.array(ends, np.int64)

    def finish(self) -> NDArray[np.int64]:
        """Nothing: every frame says where it ends. Raises RecordFormatError if the object ends inside one."""
        if self._offset != self._record_start:
            raise self._fault(
                self._record_start,
                f"is cut short: the object ends after {self._offset - self._record_start:,} bytes of it",
            )
        return np.empty(0, np.int64)

    def _read_header(self, chunk: bytes | memoryview) -> None:
        at = self._next_frame - self._offset
        header = bytes(chunk[at : at + 8]) if at >= 0 else self._kept + bytes(chunk[: 8 - len(self._kept)])
        magic, word = _HEADER.unpack(header)
        if magic != MAGIC:
            raise self._fault(self._next_frame, f"starts with {magic:#010x} and not the RecordIO magic {MAGIC:#010x}")
        flag = word >> 29
        expected = (_MIDDLE, _LAST) if self._inside else (_WHOLE, _FIRST)
        if flag not in expected:
            raise self._fault(self._next_frame, f"has part flag {flag} where {expected[0]} or {expected[1]} is due")
        self._inside = flag in (_FIRST, _MIDDLE)
        self._next_frame += _HEADER.size + (((word & _LENGTH_MASK) + 3) & ~3)

    def _fault(self, offset: int, problem: str) -> RecordFormatError:
        return RecordFormatError(
            f"{self._source}: RecordIO record {self._records + 1:,} at byte {offset:,} {problem}. "
            "Check the file, or --split-type and --compression-type."
        )


def recordio_without_alignment(record: bytes) -> bytes:
    """A whole RecordIO record without the zeros that align what follows it; headers and magic stay."""
    at = 0
    while True:
        length = _HEADER.unpack_from(record, at)[1] & _LENGTH_MASK
        end = at + _HEADER.size + ((length + 3) & ~3)
        if end == len(record):
            return record[: at + _HEADER.size + length]
        at = end


def recordio_payload(record: bytes) -> bytes:
    """The bytes that a whole RecordIO record wraps: parts joined by the magic, header and alignment bytes gone."""
    parts, at = [], 0
    while at < len(record):
        length = _HEADER.unpack_from(record, at)[1] & _LENGTH_MASK
        at += _HEADER.size
        parts.append(record[at : at + length])
        at += (length + 3) & ~3
    return _MAGIC_BYTES.join(parts)
