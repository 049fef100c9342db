"""Record boundaries by SplitType, from a stream of chunks of any size, in constant memory.

A record here is what MultiRecord sends: its bytes with the delimiter or frame around them, so that the records of an
object follow each other without gaps and their sizes add up to the object's. `unwrapped` gives what SingleRecord sends.
"""

from typing import Protocol, assert_never

import numpy as np
from numpy.typing import NDArray

from planner.records.dataset import SplitType
from planner.records.newlines import LineFeedFinder
from planner.records.policy import ASSUMED, CuttingPolicy, Wrapper
from planner.records.recordio import RecordIOSplitter, recordio_payload, recordio_without_alignment
from planner.records.tfrecord import TFRecordSplitter, tfrecord_payload


class Splitter(Protocol):
    """Finds where the records of one object end. Chunking never changes what it finds."""

    def feed(self, chunk: bytes | memoryview, /) -> NDArray[np.int64]:
        """Ascending end offsets, from the object's beginning, of the records that this chunk completes.

        Raises RecordFormatError, with object and offset, where the bytes are not of the format.
        """
        ...

    def finish(self) -> NDArray[np.int64]:
        """End offset of the record that the end of the object completes, if there is one.

        Raises RecordFormatError if the object ends inside a record.
        """
        ...


class LineSplitter:
    """SplitType Line: a line feed ends a record and belongs to it, as a CR before it does.

    A last line without line feed is a record. So is a blank line; where the policy is to drop these, they are gone
    before (`decompress.iter_chunks`). Bytes are never decoded.
    """

    def __init__(self) -> None:
        self._line_feeds = LineFeedFinder()
        self._offset = 0
        self._last_end = 0

    def feed(self, chunk: bytes | memoryview, /) -> NDArray[np.int64]:
        """End offsets of the lines whose line feed is in the chunk."""
        ends = self._line_feeds.line_ends(chunk, self._offset)
        self._offset += len(chunk)
        if len(ends):
            self._last_end = int(ends[-1])
        return ends

    def finish(self) -> NDArray[np.int64]:
        """The end of a last line that has no line feed."""
        return np.array([self._offset] if self._offset > self._last_end else [], np.int64)


class WholeSplitter:
    """SplitType None: the object is one record; an empty object holds none."""

    def __init__(self) -> None:
        self._offset = 0

    def feed(self, chunk: bytes | memoryview, /) -> NDArray[np.int64]:
        """Nothing: only the end of the object ends the record."""
        self._offset += len(chunk)
        return np.empty(0, np.int64)

    def finish(self) -> NDArray[np.int64]:
        """The end of the object."""
        return np.array([self._offset] if self._offset else [], np.int64)


def splitter_for(split_type: SplitType, source: str) -> Splitter:
    """A fresh splitter of the type for one object; source is what errors call the object."""
    match split_type:
        case "None":
            return WholeSplitter()
        case "Line":
            return LineSplitter()
        case "RecordIO":
            return RecordIOSplitter(source)
        case "TFRecord":
            return TFRecordSplitter(source)
        case _:
            assert_never(split_type)


def unwrapped(record: bytes, split_type: SplitType, policy: CuttingPolicy = ASSUMED) -> bytes:
    """What SingleRecord sends for the record: RecordIO and TFRecord without their padding (`policy.Wrapper`)."""
    whole = policy.wrapper is Wrapper.WHOLE_FRAME
    match split_type:
        case "None" | "Line":
            return record
        case "RecordIO":
            return recordio_payload(record) if whole else recordio_without_alignment(record)
        case "TFRecord":
            return tfrecord_payload(record) if whole else record
        case _:
            assert_never(split_type)


def record_sizes(ends: NDArray[np.int64], start: int = 0) -> NDArray[np.int64]:
    """Size in bytes of each record from ascending ends, the first record beginning at start.

    As ``np.diff(ends, prepend=start)``, which takes ten times as long for a few records.
    """
    sizes = np.empty_like(ends)
    sizes[:1] = ends[:1] - start
    np.subtract(ends[1:], ends[:-1], out=sizes[1:])
    return sizes


def record_ends(content: bytes | memoryview, split_type: SplitType, source: str = "the input") -> NDArray[np.int64]:
    """End offset of every record of an object that is in memory. Raises RecordFormatError."""
    splitter = splitter_for(split_type, source)
    return np.concatenate([splitter.feed(content), splitter.finish()])


def split_records(content: bytes, split_type: SplitType, source: str = "the input") -> list[bytes]:
    """The records of an object that is in memory, as MultiRecord sends them; joined they are the object.

    Raises RecordFormatError.
    """
    ends = record_ends(content, split_type, source).tolist()
    return [content[start:end] for start, end in zip([0, *ends], ends, strict=False)]
