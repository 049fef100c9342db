"""Files written one after the other, plain or as gzip, with the account of which records each got from where."""

import re
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self

from planner.records.dataset import CompressionType

PART_NAME: Final = re.compile(r"part-\d{5,}(\.\w+)?(\.gz)?", re.ASCII)
"""What `part_name` gives; the parts of other programs (Spark appends to the number) are none."""
_GZIP: Final = 16 + zlib.MAX_WBITS
"""zlib: write a gzip header (without a time, so that equal content gives equal files) and trailer."""
_LEVEL: Final = 6


def part_name(number: int, count: int, suffix: str, compression_type: CompressionType) -> str:
    """``part-00007.jsonl.gz``: the key of a part, such that keys sort as numbers do."""
    digits = max(5, len(str(count - 1)))
    return f"part-{number:0{digits}d}{suffix}{'.gz' if compression_type == 'Gzip' else ''}"


@dataclass(slots=True, kw_only=True)
class Part:
    """What one file got so far."""

    name: str
    records: int = 0
    payload_bytes: int = 0
    origins: list[tuple[str, int, int]] = field(default_factory=list)
    """(key of the old object, number of the first record in it, records) of each run."""


class PartWriter:
    """Writes parts in order: `write` into the current one, `next_part` to go on to the next."""

    def __init__(self, folder: Path, names: list[str], compression_type: CompressionType) -> None:
        self.parts = [Part(name=name) for name in names]
        self.line_feeds_added = 0
        self._folder = folder
        self._packs = compression_type == "Gzip"
        self._number = 0
        self._line_feed_due = False
        self._open()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        self._close(whole=kind is None)

    @property
    def part(self) -> Part:
        """The current part."""
        return self.parts[self._number]

    def write(self, content: memoryview) -> None:
        """Append to the current part."""
        if not content:
            return
        if self._line_feed_due:
            self._line_feed_due = False
            self.line_feeds_added += 1
            self._put(memoryview(b"\n"))
        self._put(content)

    def count(self, key: str, first_record: int, records: int) -> None:
        """Note that so many records of the current part are those of the old object from first_record on."""
        part = self.part
        part.records += records
        if part.origins and part.origins[-1][0] == key:
            _, first, before = part.origins.pop()
            part.origins.append((key, first, before + records))
        elif records:
            part.origins.append((key, first_record, records))

    def next_part(self) -> None:
        """Finish the current part and go on to the next."""
        self._close(whole=True)
        self._line_feed_due = False
        self._number += 1
        self._open()

    def line_feed_due(self) -> None:
        """Whatever follows in the current part, if anything does, must be preceded by a line feed."""
        self._line_feed_due = self.part.payload_bytes > 0

    def _put(self, content: memoryview) -> None:
        self.part.payload_bytes += len(content)
        self._stream.write(self._packer.compress(content) if self._packs else content)

    def _open(self) -> None:
        self._stream: IO[bytes] = (self._folder / self.part.name).open("xb")
        self._packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)

    def _close(self, *, whole: bool) -> None:
        with self._stream:
            if whole and self._packs:
                self._stream.write(self._packer.flush())
