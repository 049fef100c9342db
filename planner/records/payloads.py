"""The records and the request bodies of one object, read from a stream in bounded memory."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from planner.records.dataset import BatchStrategy, CompressionType, SplitType
from planner.records.decompress import ByteStream, iter_chunks
from planner.records.pack import (
    ANY_SIZE_MB,
    NO_LIMIT_BYTES,
    Cut,
    GreedyPacker,
    RecordPerPayload,
    payload_limit_bytes,
)
from planner.records.policy import ASSUMED, CuttingPolicy
from planner.records.split import splitter_for, unwrapped


@dataclass(frozen=True, slots=True, kw_only=True)
class Payload:
    """The body of one request."""

    body: bytes
    records: int
    first_record: int
    """Index of its first record in the object, from 0."""
    offset: int
    """Byte at which its first record begins, in the object as decompressed (and rid of blank lines, if these are)."""


def _arrivals(
    stream: ByteStream, split_type: SplitType, compression_type: CompressionType, source: str, policy: CuttingPolicy
) -> Iterator[tuple[memoryview, NDArray[np.int64]]]:
    """What each chunk brings, its bytes and the ends of the records it completes; last, what the object's end does."""
    splitter = splitter_for(split_type, source)
    for chunk in iter_chunks(stream, split_type, compression_type, source, policy):
        yield chunk, splitter.feed(chunk)
    yield memoryview(b""), splitter.finish()


def iter_records(
    stream: ByteStream,
    split_type: SplitType,
    *,
    compression_type: CompressionType = "None",
    source: str = "the input",
    policy: CuttingPolicy = ASSUMED,
) -> Iterator[bytes]:
    """The records of one object one by one, as MultiRecord sends them; memory holds one chunk and one record.

    Raises RecordFormatError, which calls the object by source.
    """
    pending: list[bytes] = []
    offset = 0
    for content, ends in _arrivals(stream, split_type, compression_type, source, policy):
        start = 0
        for end in (ends - offset).tolist():
            yield b"".join([*pending, content[start:end]])
            pending.clear()
            start = end
        pending.append(bytes(content[start:]))
        offset += len(content)


def iter_payloads(
    stream: ByteStream,
    *,
    split_type: SplitType,
    batch_strategy: BatchStrategy,
    max_payload_mb: int,
    compression_type: CompressionType = "None",
    source: str = "the input",
    policy: CuttingPolicy = ASSUMED,
) -> Iterator[Payload]:
    """The request bodies of one object in order; memory holds one payload and two chunks.

    MultiRecord packs greedily; SingleRecord sends each record without its wrapper (rule R4). With SplitType None the
    object is the one record whatever the strategy. Under SingleRecord, too, it is the record with its wrapper that must
    keep the limit: 8 to 16 bytes on the cautious side.

    At max_payload_mb 0 nothing is too large, and MultiRecord puts all records of the object into one payload: what the
    service does then with a SplitType is not documented.

    Raises RecordFormatError and RecordTooLargeError, which call the object by source; how many payloads come before
    the error is not defined (the service keeps no output of such an object either way).
    """
    limit_bytes = NO_LIMIT_BYTES if max_payload_mb == ANY_SIZE_MB else payload_limit_bytes(max_payload_mb, policy)
    single = batch_strategy == "SingleRecord"
    packer = RecordPerPayload(limit_bytes, source) if single else GreedyPacker(limit_bytes, source)
    held = _HeldBytes(limit_bytes)
    start = Cut(0, 0)
    for content, ends in _arrivals(stream, split_type, compression_type, source, policy):
        held.add(content)
        cuts = packer.feed(ends)
        if not content:
            cuts += packer.finish()
        for cut in cuts:
            body = held.take(cut.offset)
            yield Payload(
                body=unwrapped(body, split_type, policy) if single else body,
                records=cut.records - start.records,
                first_record=start.records,
                offset=start.offset,
            )
            start = cut
        held.let_go_beyond_limit(int(ends[-1]) if len(ends) else None)


class _HeldBytes:
    """The bytes of an object that have come and are not yet in a payload.

    A record longer than the limit is an error once its end, and so its size, is known: until then its bytes are let go,
    so that an object that is one endless line cannot fill the memory.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._held = bytearray()
        self._held_from = 0
        self._end = 0
        self._last_record_end = 0

    @property
    def _beyond_limit(self) -> bool:
        return self._end - self._last_record_end > self._limit_bytes

    def add(self, content: memoryview) -> None:
        if not self._beyond_limit:
            self._held += content
        self._end += len(content)

    def take(self, offset: int) -> bytes:
        """The held bytes up to the object's offset, which are held no longer."""
        count = offset - self._held_from
        body = bytes(memoryview(self._held)[:count])
        del self._held[:count]
        self._held_from = offset
        return body

    def let_go_beyond_limit(self, last_record_end: int | None) -> None:
        if last_record_end is not None:
            self._last_record_end = last_record_end
        if self._beyond_limit:
            self._held.clear()
