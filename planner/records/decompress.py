"""The bytes of an object in chunks, decompressed on the way, never held whole."""

import re
import zlib
from collections.abc import Iterator
from typing import Final, Protocol

from planner.buffers import page_aligned, second_level_cache_bytes
from planner.errors import RecordFormatError
from planner.records.dataset import CompressionType, SplitType
from planner.records.policy import ASSUMED, BlankLines, CuttingPolicy

CHUNK_BYTES: Final = 5 * 2**16 if second_level_cache_bytes() >= 2**20 else 2**20
"""How much is read at once: large enough to hide some twenty calls and, where that may be, with a mask of the same size
within a core's second-level cache."""
_FIRST_BYTES: Final = 2**16
"""How much is read first where no buffer is given: a small object takes less time than clearing CHUNK_BYTES."""

_GZIP: Final = 16 + zlib.MAX_WBITS
"""zlib: expect a gzip header and check the trailer's CRC32 and length."""

_BLANK_LINES: Final = re.compile(rb"^(?:\r?\n)+", re.MULTILINE)


class ByteStream(Protocol):
    """What an object is read from: an open binary file, `io.BytesIO`, an S3 body behind `io.BufferedReader`."""

    def readinto(self, buffer: memoryview, /) -> int | None:
        """Fill the buffer from the stream; how many bytes came, 0 at the end."""
        ...


def iter_chunks(
    stream: ByteStream,
    split_type: SplitType,
    compression_type: CompressionType,
    source: str,
    policy: CuttingPolicy = ASSUMED,
    *,
    buffer: memoryview | None = None,
) -> Iterator[memoryview]:
    """The bytes that the object's records consist of, in chunks of at most CHUNK_BYTES.

    A chunk is valid until the next is asked for: the buffer behind it is reused. One may be given, of at most
    CHUNK_BYTES, to be reused for object after object. Raises RecordFormatError, with
    object and offset, for a gzip stream that is damaged or cut short.
    """
    stored = _stored_chunks(stream, buffer)
    content = stored if compression_type == "None" else _inflated(stored, source)
    if split_type == "Line" and policy.blank_lines is BlankLines.DROPPED:
        return _without_blank_lines(content)
    return content


def _stored_chunks(stream: ByteStream, buffer: memoryview | None) -> Iterator[memoryview]:
    whole = memoryview(bytearray(_FIRST_BYTES)) if buffer is None else buffer
    shown = whole.toreadonly()
    while count := stream.readinto(whole):
        yield shown if count == len(shown) else shown[:count]
        if buffer is None and count == _FIRST_BYTES:
            whole = buffer = page_aligned(CHUNK_BYTES)
            shown = whole.toreadonly()


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


def _without_blank_lines(content: Iterator[memoryview]) -> Iterator[memoryview]:
    """The content less its lines of only LF or CRLF. A CR that may begin such a line waits for the next chunk."""
    in_line, waiting = False, b""
    for chunk in content:
        arrived = waiting + bytes(chunk)
        rest_of_line = arrived.find(b"\n") + 1 or len(arrived) if in_line else 0
        lines = _BLANK_LINES.sub(b"", arrived[rest_of_line:])
        begun = lines.rfind(b"\n") + 1
        waiting = b"\r" if lines[begun:] == b"\r" else b""
        kept = arrived[:rest_of_line] + lines[: len(lines) - len(waiting)]
        if kept:
            in_line = not kept.endswith(b"\n")
            yield memoryview(kept)
    if waiting:
        yield memoryview(waiting)
