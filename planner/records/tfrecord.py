"""The TFRecord framing.

    bytes   field
    8       length of the data, little-endian
    4       masked CRC32C of those 8 bytes
    length  the data
    4       masked CRC32C of the data

masked(c) = ((c >> 15) | (c << 17)) + 0xa282ead8 mod 2**32. Source: TensorFlow, lib/io/record_writer.h and
lib/hash/crc32c.h. Both checksums are checked: a flipped length would otherwise send the reader anywhere.
"""

import struct
from typing import Final

import google_crc32c
import numpy as np
from numpy.typing import NDArray

from planner.errors import RecordFormatError

_HEADER: Final = struct.Struct("<QI")
_LENGTH_BYTES: Final = 8
_CHECKSUM: Final = struct.Struct("<I")
_MASK_DELTA: Final = 0xA282EAD8


def _masked(checksum: int) -> int:
    return (((checksum >> 15) | (checksum << 17)) + _MASK_DELTA) & 0xFFFFFFFF


class TFRecordSplitter:
    """SplitType TFRecord: a record reaches from its length to the checksum of its data."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._offset = 0
        self._record_start = 0
        self._records = 0
        self._field = b""
        """The part of a header or trailing checksum that is here already."""
        self._data_left: int | None = None
        """Bytes of data still to come; None while the header is read."""
        self._checksum = 0

    def feed(self, chunk: bytes | memoryview, /) -> NDArray[np.int64]:
        """End offsets of the records whose last byte is in the chunk; raises RecordFormatError."""
        ends, at = [], 0
        while at < len(chunk):
            if self._data_left is None:
                at += self._read_field(chunk, at, _HEADER.size)
                if len(self._field) == _HEADER.size:
                    self._start_data()
            elif self._data_left:
                part = bytes(chunk[at : at + self._data_left])
                self._checksum = google_crc32c.extend(self._checksum, part)
                self._data_left -= len(part)
                at += len(part)
            else:
                at += self._read_field(chunk, at, _CHECKSUM.size)
                if len(self._field) == _CHECKSUM.size:
                    self._end_record(self._offset + at)
                    ends.append(self._record_start)
        self._offset += len(chunk)
        return np.array(ends, np.int64)

    def finish(self) -> NDArray[np.int64]:
        """Nothing: every record says where it ends. Raises RecordFormatError if the object ends inside one."""
        if self._offset != self._record_start:
            raise self._fault(f"is cut short: the object ends after {self._offset - self._record_start:,} bytes of it")
        return np.empty(0, np.int64)

    def _read_field(self, chunk: bytes | memoryview, at: int, size: int) -> int:
        """Take what the chunk holds of a field of so many bytes; how many it took."""
        part = bytes(chunk[at : at + size - len(self._field)])
        self._field += part
        return len(part)

    def _start_data(self) -> None:
        length, checksum = _HEADER.unpack(self._field)
        if _masked(google_crc32c.value(self._field[:_LENGTH_BYTES])) != checksum:
            raise self._fault(f"has a length ({length:,}) that does not match its CRC32C: no TFRecord, or damaged")
        self._data_left, self._checksum, self._field = length, 0, b""

    def _end_record(self, end: int) -> None:
        if _masked(self._checksum) != _CHECKSUM.unpack(self._field)[0]:
            raise self._fault("has data that do not match their CRC32C: the file is damaged")
        self._data_left, self._field = None, b""
        self._record_start = end
        self._records += 1

    def _fault(self, problem: str) -> RecordFormatError:
        return RecordFormatError(
            f"{self._source}: TFRecord {self._records + 1:,} at byte {self._record_start:,} {problem}. "
            "Check the file, or --split-type and --compression-type."
        )


def tfrecord_payload(record: bytes) -> bytes:
    """The data that a whole TFRecord wraps: length and both checksums gone."""
    return record[_HEADER.size : -_CHECKSUM.size]
