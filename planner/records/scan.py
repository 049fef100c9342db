"""One pass over an input: what it is made of, counted exactly, and whether it is what it is said to be."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from planner.buffers import page_aligned
from planner.errors import InputMissingError, RecordFormatError, RecordTooLargeError
from planner.records.checks import LineChecks, LineFindings
from planner.records.dataset import CompressionType, Dataset, InputObject, SplitType
from planner.records.decompress import CHUNK_BYTES, ByteStream, iter_chunks
from planner.records.listing import Listing, StoredObject, list_objects
from planner.records.pack import payload_limit_bytes
from planner.records.policy import ASSUMED, CuttingPolicy
from planner.records.sizes import RecordSizeStore
from planner.records.split import splitter_for
from planner.records.tally import Tally
from planner.records.warn import compression_of, content_type_of, line_warnings, unsendable_warnings

Progress: TypeAlias = Callable[[int, int], None]
"""Called now and then with the stored bytes read so far, and in all."""

_MOST_FAULTS: Final = 5
"""So many faults are collected before the scan stops and reports them together."""


def inspect(
    source: str | Path,
    *,
    split_type: SplitType = "Line",
    compression_type: CompressionType | None = None,
    content_type: str | None = None,
    max_payload_mb: int | None = None,
    validate: bool = True,
    policy: CuttingPolicy = ASSUMED,
    sizes: RecordSizeStore | None = None,
    progress: Progress | None = None,
) -> Dataset:
    """What the input is made of: a local folder, a single file, or an S3 manifest whose prefix is a local folder.

    Reads every object once, in constant memory: objects in key order, record sizes, exact MultiRecord request counts at
    every MaxPayloadInMB. Lines of CSV and JSON Lines are checked unless validate is False. Where None,
    compression_type is Gzip if every object ends in .gz (a warning says so), and content_type follows from the objects'
    suffixes. With max_payload_mb, records are checked against that limit. Sizes, if given, is filled with the size of
    every record, for distributions under any other limit.

    Raises InputMissingError (nothing there), RecordFormatError (lines or frames that are not of their type, up to five
    in one message) and RecordTooLargeError.
    """
    limit_bytes = None if max_payload_mb is None else payload_limit_bytes(max_payload_mb, policy)
    listing = list_objects(source)
    compression, compression_warnings = compression_of(listing, compression_type)
    content_type, content_warnings = content_type_of(listing, content_type)
    reader = _Reader(
        split_type=split_type,
        compression_type=compression,
        content_type=content_type,
        checks_lines=validate and split_type == "Line",
        policy=policy,
        tally=Tally(limit_bytes=limit_bytes, most_oversized=_MOST_FAULTS, policy=policy, sizes=sizes),
        findings={},
        faults=[],
        buffer=page_aligned(CHUNK_BYTES),
    )
    objects = reader.read_all(listing, progress)
    return Dataset(
        input=listing.source,
        split_type=split_type,
        compression_type=compression,
        content_type=content_type,
        objects=objects,
        record_sizes=reader.tally.histogram.record_sizes(),
        requests_by_payload_mb=reader.tally.requests.requests_by_payload_mb(),
        warnings=(
            *listing.warnings,
            *compression_warnings,
            *content_warnings,
            *line_warnings(reader.findings),
            *unsendable_warnings(objects),
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reader:
    """How objects are read, and what has been found in those read so far."""

    split_type: SplitType
    compression_type: CompressionType
    content_type: str | None
    checks_lines: bool
    policy: CuttingPolicy
    tally: Tally
    findings: dict[str, LineFindings]
    """By key, of objects whose lines were checked and gave cause for a remark."""
    faults: list[str]
    buffer: memoryview
    """What every object is read into."""

    def read_all(self, listing: Listing, progress: Progress | None) -> tuple[InputObject, ...]:
        """The objects in order. Raises InputMissingError, RecordFormatError, RecordTooLargeError."""
        objects, done, total = [], 0, listing.stored_bytes
        for stored in listing.objects:
            try:
                with stored.path.open("rb", buffering=0) as stream:
                    objects.append(self._read(stored, _Metered(stream, done, total, progress)))
            except RecordFormatError as error:
                self.faults.append(str(error))
            except OSError as error:
                raise InputMissingError(f"{stored.path}: cannot be read: {error.strerror}") from error
            done += stored.stored_bytes
            if len(self.faults) >= _MOST_FAULTS:
                break
        if self.faults:
            raise RecordFormatError(_together(listing.source, self.faults))
        if self.tally.oversized:
            raise RecordTooLargeError(_together(listing.source, self.tally.oversized))
        return tuple(objects)

    def _read(self, stored: StoredObject, stream: ByteStream) -> InputObject:
        splitter = splitter_for(self.split_type, stored.key)
        checks = LineChecks(self.content_type, _MOST_FAULTS - len(self.faults)) if self.checks_lines else None
        chunks = iter_chunks(
            stream, self.split_type, self.compression_type, stored.key, self.policy, buffer=self.buffer
        )
        for chunk in chunks:
            ends = splitter.feed(chunk)
            self.tally.add(stored.key, ends)
            if checks is not None:
                checks.feed(chunk, ends)
        ends = splitter.finish()
        self.tally.add(stored.key, ends)
        if checks is not None:
            checks.feed(memoryview(b""), ends)
            self.faults.extend(f"{stored.key}: {fault}" for fault in checks.findings.faults)
            if checks.findings != LineFindings(faults=[]):
                self.findings[stored.key] = checks.findings
        return self.tally.end_object(stored.key, stored.stored_bytes)


def _together(source: str, faults: list[str]) -> str:
    if len(faults) == 1:
        return faults[0]
    more = " (the first; there may be more)" if len(faults) == _MOST_FAULTS else ""
    return f"{source}: {len(faults)} faults{more}:\n" + "\n".join(f"  {fault}" for fault in faults)


class _Metered:
    """A stream that reports how much of the whole input has been read."""

    def __init__(self, stream: ByteStream, before: int, total: int, progress: Progress | None) -> None:
        self._stream = stream
        self._done = before
        self._total = total
        self._progress = progress

    def readinto(self, buffer: memoryview, /) -> int | None:
        count = self._stream.readinto(buffer)
        if self._progress is not None and count:
            self._done += count
            self._progress(self._done, self._total)
        return count
