"""Request bodies cut from a sample of real input: as the service would pack them, and not one body repeated."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from planner.errors import InputMissingError
from planner.profiling.profile import Payload
from planner.records.dataset import SplitType
from planner.records.split import split_records, unwrapped
from planner.units import MIB, show_bytes

SAMPLE_LIMIT_BYTES: Final = 256 * MIB
"""A larger sample is refused rather than silently cut: which part of it is typical, its owner knows."""
_BODIES_LIMIT_BYTES: Final = 64 * MIB
_DISTINCT_BODIES: Final = 8192


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """The sample, in memory, and how it goes into a profile."""

    payload: Payload
    records: tuple[bytes, ...]
    """As sent, delimiters included."""

    def bodies(self, records_per_request: int) -> tuple[bytes, ...]:
        """Distinct request bodies of that many records each, to be sent in turn.

        Neighbouring records go into one body and the next body goes on where it ended, wrapping round at the
        end of the sample. As many bodies as the sample gives, within 8,192 bodies and 64 MiB. A single record
        goes as SingleRecord sends it, without the wrapper of RecordIO or TFRecord.
        """
        count = len(self.records)
        if records_per_request == 1:
            return tuple(unwrapped(record, self.payload.split_type) for record in self.records[:_DISTINCT_BODIES])
        mean_bytes = max(1.0, records_per_request * self.payload.mean_record_bytes)
        wanted = max(1, min(_DISTINCT_BODIES, int(_BODIES_LIMIT_BYTES // mean_bytes), -(-count // records_per_request)))
        if records_per_request >= count:
            # Every body holds the whole sample: starting elsewhere makes them differ at least in order.
            wanted = max(1, min(count, 8, int(_BODIES_LIMIT_BYTES // mean_bytes)))
            starts = [index * count // wanted for index in range(wanted)]
        else:
            starts = [index * records_per_request % count for index in range(wanted)]
        return tuple(self._body(start, records_per_request) for start in starts)

    def first_body(self, records_per_request: int) -> bytes:
        """The first of `bodies`, without cutting the others."""
        if records_per_request == 1:
            return unwrapped(self.records[0], self.payload.split_type)
        return self._body(0, records_per_request)

    def _body(self, start: int, length: int) -> bytes:
        rounds, end = divmod(start + length, len(self.records))
        if rounds == 0:
            return b"".join(self.records[start:end])
        whole = b"".join(self.records)
        return b"".join(self.records[start:]) + whole * (rounds - 1) + b"".join(self.records[:end])


def _files(source: Path) -> list[Path]:
    """The sample's files in key order: the file itself, or the files of the folder."""
    if source.is_dir():
        found = sorted(p for p in source.rglob("*") if p.is_file() and not p.name.startswith("."))
        if not found:
            raise InputMissingError(f"{source}: a folder without files; --payload needs at least one record")
        return found
    return [source]


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise InputMissingError(f"{path}: no such file; --payload names a file of sample records") from error
    except OSError as error:
        raise InputMissingError(f"{path}: cannot be read: {error.strerror}") from error


def read_sample(source: Path, *, content_type: str, accept: str | None, split_type: SplitType) -> Sample:
    """The records of a file, or of the files of a folder (with SplitType None each file is one record).

    Raises InputMissingError when there is nothing to send or more than 256 MiB, RecordFormatError when the
    content is not what the split type says.
    """
    files = _files(source)
    total = sum(path.stat().st_size for path in files if path.exists())
    if total > SAMPLE_LIMIT_BYTES:
        raise InputMissingError(
            f"{source}: {show_bytes(total)} is more than a sample needs (at most {show_bytes(SAMPLE_LIMIT_BYTES)}); "
            "cut some thousand typical records out of it"
        )
    digest = hashlib.sha256()
    records: list[bytes] = []
    for path in files:
        content = _content(path)
        if len(files) > 1:
            digest.update(os.fsencode(path.relative_to(source)) + b"\0" + len(content).to_bytes(8))
        digest.update(content)
        records.extend(_records(content, split_type, str(path)))
    if not records:
        raise InputMissingError(f"{source}: no records in it; --payload needs at least one")
    return Sample(
        payload=Payload(
            source=str(source),
            digest=digest.hexdigest(),
            content_type=content_type,
            accept=accept,
            split_type=split_type,
            records=len(records),
            bytes=sum(map(len, records)),
            largest_record_bytes=max(map(len, records)),
        ),
        records=tuple(records),
    )


def _records(content: bytes, split_type: SplitType, source: str) -> list[bytes]:
    """The records of one object; the last line gets the newline it may lack, or it would run into the next."""
    records = split_records(content, split_type, source)
    if split_type == "Line" and records and not records[-1].endswith(b"\n"):
        records[-1] += b"\n"
    return records
