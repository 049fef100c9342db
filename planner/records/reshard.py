"""Rewrite a local input into K objects of nearly equal size, cut between records, in order.

    symbol   meaning
    B, R     bytes and records of the whole input, objects one after the other in key order
    b_j      j B / K, j = 1 .. K - 1: where object j would begin if records could be cut

Object j begins with the first record that starts at or after b_j, so that it misses its size by less than one record;
where records are so large that an object would get none, it gets one. The input is read twice, first counted, then
copied, in constant memory. The new objects are written into a folder beside the final place, which takes its name only
when all are there.
"""

import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Final

import numpy as np
from numpy.typing import NDArray

from planner.documents import Document, Value
from planner.errors import InputMissingError, OutputError, RecordFormatError
from planner.records.dataset import CompressionType, SplitType
from planner.records.decompress import iter_chunks
from planner.records.listing import Listing, StoredObject, list_objects
from planner.records.newlines import LINE_FEED
from planner.records.parts import PART_NAME, PartWriter, part_name
from planner.records.split import splitter_for
from planner.records.warn import compression_of

MAX_OBJECTS: Final = 100_000
"""More new objects than anyone needs: AWS's own largest demonstration reads 100,000."""


class Origin(Value, frozen=True, kw_only=True):
    """A run of records that an old object gave to a new one."""

    key: str
    first_record: int
    """Its number in the old object, from 0."""
    records: int


class NewObject(Value, frozen=True, kw_only=True):
    """One object that was written."""

    key: str
    records: int
    payload_bytes: int
    stored_bytes: int
    origins: tuple[Origin, ...]


class Resharding(Document, frozen=True, kw_only=True, tag="resharding"):
    """What came from where."""

    input: str
    output: str
    split_type: SplitType
    compression_type: CompressionType
    """Of the input."""
    output_compression_type: CompressionType
    records: int
    line_feeds_added: int
    """Lines that ended their old object without a line feed and are followed by another in the new one."""
    objects: tuple[NewObject, ...]
    warnings: tuple[str, ...] = ()


def reshard(
    source: str | Path,
    folder: Path,
    *,
    objects: int,
    split_type: SplitType = "Line",
    compression_type: CompressionType | None = None,
    output_compression_type: CompressionType | None = None,
    force: bool = False,
) -> Resharding:
    """The input's records, in order, in so many new objects ``part-00000...`` of nearly equal size in the folder.

    compression_type None: Gzip if every object ends in .gz; output_compression_type None: as the input. A line without
    line feed at the end of an object gets one where another record follows. `force` replaces the parts of an earlier
    run; other files are never touched.

    Raises InputMissingError (nothing there, or fewer records than objects), RecordFormatError (a SplitType of None,
    damaged frames), OutputError (the folder holds something, or cannot be written; nothing half-written is left).
    """
    if split_type == "None":
        raise RecordFormatError("SplitType None: an object is one record there, and cannot be cut. Name --split-type.")
    listing = list_objects(source)
    _refuse_overlap(listing, folder)
    _refuse_full(folder, force=force)
    compression, warnings = compression_of(listing, compression_type)
    layout = _Layout(listing, split_type, compression)
    if not 1 <= objects <= min(layout.records, MAX_OBJECTS):
        raise InputMissingError(
            f"{listing.source}: {layout.records:,} records cannot fill {objects:,} objects with at least one each "
            f"(and {MAX_OBJECTS:,} at most). Lower --objects."
        )
    packed = output_compression_type or compression
    final = folder.resolve()
    temporary = final.with_name(f".{final.name}.{secrets.token_hex(4)}.part")
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
        temporary.mkdir()
        written, added = layout.copied(temporary, objects, packed)
        _put_in_place(temporary, final)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written: {error.strerror or error}") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return Resharding(
        input=listing.source,
        output=str(folder),
        split_type=split_type,
        compression_type=compression,
        output_compression_type=packed,
        records=layout.records,
        line_feeds_added=added,
        objects=written,
        warnings=(*listing.warnings, *warnings),
    )


def _refuse_overlap(listing: Listing, folder: Path) -> None:
    final = folder.resolve()
    if any(final in stored.path.resolve().parents for stored in listing.objects) or (
        Path(listing.source).is_dir() and Path(listing.source).resolve() in final.parents
    ):
        raise OutputError(f"{folder}: overlaps with the input {listing.source}. Name a folder beside it.")


def _refuse_full(folder: Path, *, force: bool) -> None:
    """Raises OutputError for a folder that holds something which may not be replaced."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise OutputError(f"{folder}: is not a folder")
    held = sorted(path.name for path in folder.iterdir())
    foreign = [name for name in held if PART_NAME.fullmatch(name) is None]
    if foreign:
        others = f" and {len(held) - 1:,} others" if len(held) > 1 else ""
        raise OutputError(
            f"{folder}: holds {foreign[0]}{others}, not written by this command; a job over the folder would read what "
            "is there. Name an empty folder or a new one."
        )
    if held and not force:
        raise OutputError(f"{folder}: holds {len(held):,} objects already. Use --force to replace them.")


def _put_in_place(temporary: Path, folder: Path) -> None:
    """The temporary folder under the final name; what stood there, parts of an earlier run, is removed after."""
    if not folder.exists():
        temporary.replace(folder)
        return
    earlier = temporary.with_suffix(".old")
    folder.replace(earlier)
    try:
        temporary.replace(folder)
    except OSError:
        earlier.replace(folder)
        raise
    shutil.rmtree(earlier)


class _Layout:
    """The input, counted; and its copy into new objects."""

    def __init__(self, listing: Listing, split_type: SplitType, compression_type: CompressionType) -> None:
        self._listing, self._split_type, self._compression_type = listing, split_type, compression_type
        self.records = self.bytes = 0
        for stored in listing.objects:
            for chunk, ends in self._pieces(stored):
                self.bytes += len(chunk)
                self.records += len(ends)

    def copied(self, folder: Path, objects: int, packed: CompressionType) -> tuple[tuple[NewObject, ...], int]:
        """The new objects, and the line feeds that were added."""
        names = [part_name(number, objects, self._suffix(), packed) for number in range(objects)]
        cuts = _Cuts(self.records, self.bytes, objects)
        with PartWriter(folder, names, packed) as writer:
            for stored in self._listing.objects:
                self._copy(stored, writer, cuts)
        made = tuple(
            NewObject(
                key=part.name,
                records=part.records,
                payload_bytes=part.payload_bytes,
                stored_bytes=(folder / part.name).stat().st_size,
                origins=tuple(Origin(key=key, first_record=first, records=count) for key, first, count in part.origins),
            )
            for part in writer.parts
        )
        return made, writer.line_feeds_added

    def _copy(self, stored: StoredObject, writer: PartWriter, cuts: "_Cuts") -> None:
        """Append one old object to the new ones, going on to the next at each cut."""
        records = offset = 0
        last_byte = 0
        for chunk, ends in self._pieces(stored):
            at = counted = 0
            for index in cuts.among(ends, offset_of_first=cuts.offset - offset):
                upto = int(ends[index]) - offset
                writer.write(chunk[at:upto])
                writer.count(stored.key, records + counted, index + 1 - counted)
                writer.next_part()
                at, counted = upto, index + 1
            writer.write(chunk[at:])
            writer.count(stored.key, records + counted, len(ends) - counted)
            cuts.advance(len(chunk), len(ends))
            offset, records = offset + len(chunk), records + len(ends)
            last_byte = chunk[-1] if chunk else last_byte
        if self._split_type == "Line" and last_byte != LINE_FEED:
            writer.line_feed_due()

    def _pieces(self, stored: StoredObject) -> Iterator[tuple[memoryview, NDArray[np.int64]]]:
        """Chunks of an object, each with the ends of the records that it completes, as offsets in the object."""
        splitter = splitter_for(self._split_type, stored.key)
        try:
            with stored.path.open("rb", buffering=0) as stream:
                for chunk in iter_chunks(stream, self._split_type, self._compression_type, stored.key):
                    yield chunk, splitter.feed(chunk)
        except OSError as error:
            raise InputMissingError(f"{stored.path}: cannot be read: {error.strerror or error}") from error
        yield memoryview(b""), splitter.finish()

    def _suffix(self) -> str:
        """The suffix that all old objects share, less .gz; else none."""
        names = [stored.key.removesuffix(".gz") for stored in self._listing.objects]
        suffixes = {PurePosixPath(name).suffix for name in names}
        return suffixes.pop() if len(suffixes) == 1 else ""


class _Cuts:
    """Where one new object ends and the next begins, found as the input goes by."""

    def __init__(self, records: int, size: int, objects: int) -> None:
        self._records, self._size, self._objects = records, size, objects
        self.offset = 0
        """Bytes of the input that have gone by."""
        self._passed = 0
        """Records that have gone by."""
        self._begun = 0
        """Number of the first record of the current new object."""
        self._number = 0
        """Of the current new object."""

    def among(self, ends: NDArray[np.int64], *, offset_of_first: int) -> Iterator[int]:
        """Indices of the record ends after which the next object begins; ends count from offset_of_first."""
        while self._number + 1 < self._objects:
            nominal = (self._number + 1) * self._size // self._objects
            index = int(np.searchsorted(ends, nominal - offset_of_first))
            # At least one record for this object, and one for each that follows.
            index = max(index, self._begun - self._passed)
            index = min(index, self._records - (self._objects - self._number - 1) - self._passed - 1)
            if index >= len(ends):
                return
            self._number += 1
            self._begun = self._passed + index + 1
            yield index

    def advance(self, size: int, records: int) -> None:
        """So many bytes and records have gone by."""
        self.offset += size
        self._passed += records
