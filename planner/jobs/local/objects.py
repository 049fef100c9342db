"""One object on its way: cut into payloads, its answers put into order, its output made whole."""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from planner.errors import InputMissingError, OutputError, RecordFormatError, RecordTooLargeError
from planner.jobs.local.journal import OutputFolder, ReadObject
from planner.jobs.local.run_document import ObjectRow
from planner.jobs.local.settings import EffectiveSettings, JobSettings
from planner.records.listing import StoredObject
from planner.records.payloads import Payload, iter_payloads

_WRITE_BYTES: Final = 2**20
PART_OVERHEAD_BYTES: Final = 1024
"""What an answer that waits for its turn is counted as above its own bytes, so that empty ones count too."""


@dataclass(slots=True)
class Backlog:
    """Answers of one instance that came before their turn and are held in memory."""

    bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """One payload of an object."""

    index: int
    """From 0 in its object: answers are stored in this order."""
    payload: Payload
    stored_position: int
    """Stored bytes of the object that had been read when it was cut: for progress."""

    @property
    def place(self) -> str:
        """``records 1 to 629 at byte 0``: where in its object it is."""
        first, last = self.payload.first_record + 1, self.payload.first_record + self.payload.records
        records = f"record {first:,}" if first == last else f"records {first:,} to {last:,}"
        return f"{records} at byte {self.payload.offset:,}"


class ObjectRun:
    """One object, from its first payload to its output. Answers come in any order; the file grows in theirs."""

    def __init__(
        self, stored: StoredObject, *, instance: int, folder: OutputFolder, assembles_lines: bool, backlog: Backlog
    ) -> None:
        self.stored = stored
        self._backlog = backlog
        self.instance = instance
        self._folder = folder
        self._separator = b"\n" if assembles_lines else b""
        self._part: Path | None = None
        self._stream: IO[bytes] | None = None
        self._waiting: dict[int, bytes] = {}
        self._next = 0
        self._cuts: int | None = None
        self._records = 0
        self._payload_bytes = 0
        self._output_bytes = 0
        self._requests = 0
        self._started_at: float | None = None
        self._finished_at: float | None = None
        self._credited = 0
        self._status: os.stat_result | None = None
        """The input file's when it was opened."""
        self.blank_lines = 0
        """Answers that ended with a line break already when AssembleWith Line added one."""
        self.failure: str | None = None
        self.is_over = False
        """Whether the loop is through with it: handed on for publishing, or counted as failed."""
        self.is_published = False
        """Whether its output has its name."""

    def cuts(self, settings: JobSettings, effective: EffectiveSettings) -> Iterator[Cut]:
        """Its payloads, read as they are asked for; what is wrong with the object ends them and is its failure."""
        index = 0
        try:
            with self.stored.path.open("rb", buffering=0) as stream:
                self._status = os.fstat(stream.fileno())
                for payload in iter_payloads(
                    stream,
                    split_type=settings.split_type,
                    batch_strategy=effective.batch_strategy,
                    max_payload_mb=effective.max_payload_mb,
                    compression_type=settings.compression_type,
                    source=self.stored.key,
                ):
                    if self.failure is not None:
                        return
                    yield Cut(index=index, payload=payload, stored_position=stream.tell())
                    index += 1
        except (RecordTooLargeError, RecordFormatError) as error:
            self.fail(str(error))
        except OSError as error:
            self.fail(str(InputMissingError(f"{self.stored.path}: cannot be read: {error.strerror}")))
        self._cuts = index

    @property
    def is_answered(self) -> bool:
        """Whether every payload has been cut and answered, and the output awaits its name."""
        return self.failure is None and self._cuts is not None and self._next == self._cuts

    def credit(self, position: int) -> int:
        """Stored bytes by which the job has come on, now that this position of the object is done with."""
        gained = max(0, min(position, self.stored.stored_bytes) - self._credited)
        self._credited += gained
        return gained

    def begin(self, now_s: float) -> None:
        """A request of it goes out."""
        if self._started_at is None:
            self._started_at = now_s

    def answer(self, cut: Cut, part: bytes, now_s: float) -> None:
        """Store the part of one payload when its turn comes. Raises OutputError when it cannot be written."""
        self._finished_at = now_s
        self._requests += 1
        self._records += cut.payload.records
        self._payload_bytes += len(cut.payload.body)
        if self.failure is not None:
            return
        self._waiting[cut.index] = part
        self._backlog.bytes += len(part) + PART_OVERHEAD_BYTES
        while self._next in self._waiting:
            ready = self._waiting.pop(self._next)
            self._backlog.bytes -= len(ready) + PART_OVERHEAD_BYTES
            self._write(ready)
            self._next += 1

    def fail(self, reason: str) -> None:
        """The object is lost: no output, and no further payload. The first reason stands."""
        if self.failure is None:
            self.failure = reason
        self.discard()

    def discard(self) -> None:
        """Remove what was written so far."""
        self._backlog.bytes -= sum(len(part) + PART_OVERHEAD_BYTES for part in self._waiting.values())
        self._waiting.clear()
        if self._stream is not None:
            with contextlib.suppress(OSError):  # the disk is full: what was buffered does not matter any more
                self._stream.close()
            self._stream = None
        if self._part is not None:
            self._part.unlink(missing_ok=True)
            self._part = None

    def publish(self) -> None:
        """Bring the output to disk and give it its name. Raises OutputError; slow, so not for the loop's thread."""
        try:
            self._write(b"", is_part=False)
            assert self._stream is not None
            assert self._part is not None
            self._stream.flush()
            os.fsync(self._stream.fileno())
            self._stream.close()
        except OSError as error:
            self.discard()
            raise self._unwritable(error) from error
        self._stream = None
        part, self._part = self._part, None
        assert self._status is not None
        read = ReadObject(
            key=self.stored.key,
            input_bytes=self._status.st_size,
            input_mtime_ns=self._status.st_mtime_ns,
            records=self._records,
            requests=self._requests,
            payload_bytes=self._payload_bytes,
        )
        self._output_bytes = self._folder.publish(part, read)
        self.is_published = True

    def row(self, epoch_s: float) -> ObjectRow:
        """The object's row; epoch_s is the run's first request on the same clock."""
        return ObjectRow(
            key=self.stored.key,
            instance=self.instance,
            state="failed" if self.failure is not None else "finished" if self.is_published else "unfinished",
            failure=self.failure,
            records=self._records,
            requests=self._requests,
            payload_bytes=self._payload_bytes,
            output_bytes=self._output_bytes if self.is_published else 0,
            started_s=None if self._started_at is None else max(0.0, self._started_at - epoch_s),
            finished_s=None if self._finished_at is None else max(0.0, self._finished_at - epoch_s),
        )

    def _write(self, content: bytes, *, is_part: bool = True) -> None:
        try:
            if self._stream is None:
                self._part = self._folder.new_part()
                self._stream = self._part.open("xb", buffering=_WRITE_BYTES)
            self._stream.write(content)
            if is_part and self._separator:
                self._stream.write(self._separator)
                self.blank_lines += content.endswith(b"\n")
        except OSError as error:
            self.discard()
            raise self._unwritable(error) from error

    def _unwritable(self, error: OSError) -> OutputError:
        return OutputError(f"{self._folder.output_of(self.stored.key)}: cannot be written: {error.strerror or error}")
