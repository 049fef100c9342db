"""The bytes of an object in chunks, decompressed on the way, never held whole."""

import zlib
from collections.abc import Iterator
from typing import Final, Protocol

from planner.errors import RecordFormatError
from planner.records.dataset import CompressionType

CHUNK_BYTES: Final = 2**18
"""How much is read at once: small enough for a core's second-level cache, large enough to hide the calls."""

_GZIP: Final = 16 + zlib.MAX_WBITS
"""zlib: expect a gzip header and check the trailer's CRC32 and length."""


class ByteStream(Protocol):
    """What an object is read from: an open binary file, `io.BytesIO`, an S3 body behind `io.BufferedReader`."""

    def readinto(self, buffer: memoryview, /) -> int | None:
        """Fill the buffer from the stream; how many bytes came, 0 at the end."""
        ...


def iter_chunks(stream: ByteStream, compression_type: CompressionType, source: str) -> Iterator[memoryview]:
    """The object's bytes as the container gets them, in chunks of at most CHUNK_BYTES.

    A chunk is valid until the next is asked for: the buffer behind it is reused. Raises RecordFormatError, with
    object and offset, for a gzip stream that is damaged or cut short.
    """
    stored = _stored_chunks(stream)
    return stored if compression_type == "None" else _inflated(stored, source)


def _stored_chunks(stream: ByteStream) -> Iterator[memoryview]:
    buffer = memoryview(bytearray(CHUNK_BYTES))
    while count := stream.readinto(buffer):
        yield buffer[:count].toreadonly()


def _inflated(stored: Iterator[memoryview], source: str) -> Iterator[memoryview]:
    """Members one after the other (RFC 1952 allows many) and, after the last, zero bytes, which gzip ignores too."""
    member, offset, inside, members = zlib.decompressobj(_GZIP), 0, False, 0
    for chunk in stored:
        offset += len(chunk)
        waiting = bytes(chunk)
        while True:
            if not inside:
                waiting = waiting.lstrip(b"\0") if members else waiting
                if not waiting:
                    break
                member, inside, members = zlib.decompressobj(_GZIP), True, members + 1
            try:
                inflated = member.decompress(waiting, CHUNK_BYTES)
            except zlib.error as error:
                raise RecordFormatError(
                    f"{source}: not gzip, or damaged, near stored byte {offset - len(waiting):,} ({error}). "
                    "Check the file, or use --compression-type None."
                ) from error
            if inflated:
                yield memoryview(inflated)
            inside = not member.eof
            waiting = member.unconsumed_tail if inside else member.unused_data
            if inside and not waiting and len(inflated) < CHUNK_BYTES:
                break
    if inside or not members:
        raise RecordFormatError(
            f"{source}: the gzip stream is cut short: it goes on after its last stored byte, {offset:,}. "
            "Store the object again."
        )
