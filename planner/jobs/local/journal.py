"""The output folder of a local job: one run at a time, unfinished files out of sight, and a journal of finished ones.

    <output>/<key>.out                   only ever whole: renamed into place after it was flushed to disk
    <output>/.planner-run/parts/         what is being written; emptied at the start of the next run
    <output>/.planner-run/journal.jsonl  one line per finished object, appended after the rename
    <output>/.planner-run/lock           held while a run writes here; the kernel lets it go however the run ends

An output is trusted by --resume only if its journal line names the same settings and the same input (size and
modification time), and the file is as it was left (size and modification time). A line that was cut short by a kill is
no line; the object is done again. The order rename, then journal, never names a file that is not whole.
"""

import fcntl
import hashlib
import itertools
import os
import shutil
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import IO, Final, NamedTuple, Self

import msgspec

from planner.container.contract import ContainerDescription
from planner.documents import Value, to_json
from planner.errors import OutputError
from planner.jobs.local.settings import JobSettings
from planner.records.listing import StoredObject

FOLDER: Final = ".planner-run"


class FinishedObject(Value, frozen=True, kw_only=True):
    """A line of the journal."""

    key: str
    settings: str
    """`settings_digest` of the run that made it."""
    input_bytes: int
    input_mtime_ns: int
    output_bytes: int
    output_mtime_ns: int
    records: int
    requests: int
    payload_bytes: int


class ReadObject(NamedTuple):
    """What became of one input object, as it was when it was opened: a later change must not pass for done."""

    key: str
    input_bytes: int
    input_mtime_ns: int
    records: int
    requests: int
    payload_bytes: int


def settings_digest(settings: JobSettings, container: ContainerDescription) -> str:
    """sha256 of everything that outputs depend on: the container, its environment, and how records are cut and kept.

    Of a command or a URL only the text is known: that the program behind it has changed cannot be seen.

    How many instances, requests in flight, tries and seconds are allowed changes when outputs come, not what they are.
    """
    outputs_do_not_depend_on = {"instance_count": 1, "max_concurrent_transforms": None}
    limits = {"invocations_timeout_s": 600, "invocations_max_retries": 3}
    shaping = msgspec.structs.replace(settings, **outputs_do_not_depend_on, **limits)
    server = f"{container.backend}\n{container.target}\n{container.digest}\n"
    return hashlib.sha256((server + to_json(shaping)).encode()).hexdigest()


class OutputFolder:
    """Where outputs go; a context manager that holds the folder's lock and leaves no unfinished file."""

    def __init__(self, path: Path, *, digest: str) -> None:
        self.path = path
        self._own = path / FOLDER
        self._parts = self._own / "parts"
        self._journal = self._own / "journal.jsonl"
        self._digest = digest
        self._lock: IO[bytes] | None = None
        self._lines: IO[bytes] | None = None
        self._finished: dict[str, FinishedObject] = {}
        self._is_known = False
        self._numbers = itertools.count()

    def __enter__(self) -> Self:
        """Take the folder. Raises OutputError if another run has it or it cannot be written."""
        try:
            self._is_known = self._journal.exists()
            self._own.mkdir(parents=True, exist_ok=True)
            self._lock = (self._own / "lock").open("ab")
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                self._lock.close()
                raise OutputError(f"{self.path}: another planner run is writing here. Wait for it to end.") from error
            shutil.rmtree(self._parts, ignore_errors=True)
            self._parts.mkdir(exist_ok=True)
            self._finished = self._read_journal()
        except OSError as error:
            raise OutputError(f"{self.path}: cannot be written: {error.strerror or error}") from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None, /
    ) -> None:
        shutil.rmtree(self._parts, ignore_errors=True)
        if self._lines is not None:
            self._lines.close()
        if self._lock is not None:
            self._lock.close()

    def output_of(self, key: str) -> Path:
        """``<output>/<key>.out``. Raises OutputError for a key that leads out of the folder."""
        steps = PurePosixPath(key)
        if steps.is_absolute() or ".." in steps.parts:
            raise OutputError(f"{key}: leads out of the output folder {self.path}; name keys below the input's prefix.")
        return self.path / (key + ".out")

    def kept(self, objects: Sequence[StoredObject]) -> dict[str, FinishedObject]:
        """Those of the objects that an earlier run finished under the same settings, and that are as it left them."""
        kept = {}
        for stored in objects:
            finished = self._finished.get(stored.key)
            if finished is not None and self._is_as_left(stored, finished):
                kept[stored.key] = finished
        return kept

    def clear(self, objects: Sequence[StoredObject]) -> None:
        """Remove what earlier runs left for these objects, so that whatever stands here at the end is of this run.

        Raises OutputError, and removes nothing, if outputs stand here that no run of the planner made.
        """
        standing = [path for path in (self.output_of(stored.key) for stored in objects) if path.exists()]
        if standing and not self._is_known:
            raise OutputError(
                f"{standing[0]}: is there already ({len(standing):,} such), and no planner run made it. "
                "Name another --output, or remove it."
            )
        try:
            for path in standing:
                path.unlink()
        except OSError as error:
            raise OutputError(f"{error.filename}: cannot be removed: {error.strerror}") from error

    def begin(self, kept: dict[str, FinishedObject]) -> None:
        """Start a journal with what is kept. Raises OutputError."""
        fresh = self._own / "journal.new"
        try:
            with fresh.open("wb") as stream:
                for finished in kept.values():
                    stream.write(msgspec.json.encode(finished) + b"\n")
                stream.flush()
                os.fsync(stream.fileno())
            fresh.replace(self._journal)
            self._lines = self._journal.open("ab", buffering=0)
        except OSError as error:
            raise OutputError(f"{self._journal}: cannot be written: {error.strerror or error}") from error

    def new_part(self) -> Path:
        """A name for a file that is being written."""
        return self._parts / f"{next(self._numbers)}.part"

    def publish(self, part: Path, read: ReadObject) -> int:
        """Give a whole, flushed part its name and note it in the journal; its size. Raises OutputError."""
        target = self.output_of(read.key)
        assert self._lines is not None
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            part.replace(target)
            made = target.stat()
            line = FinishedObject(
                key=read.key,
                settings=self._digest,
                input_bytes=read.input_bytes,
                input_mtime_ns=read.input_mtime_ns,
                output_bytes=made.st_size,
                output_mtime_ns=made.st_mtime_ns,
                records=read.records,
                requests=read.requests,
                payload_bytes=read.payload_bytes,
            )
            self._lines.write(msgspec.json.encode(line) + b"\n")
        except OSError as error:
            raise OutputError(f"{target}: cannot be written: {error.strerror or error}") from error
        return made.st_size

    def _read_journal(self) -> dict[str, FinishedObject]:
        finished: dict[str, FinishedObject] = {}
        if not self._journal.exists():
            return finished
        for line in self._journal.read_bytes().splitlines():
            try:
                row = msgspec.json.decode(line, type=FinishedObject)
            except msgspec.DecodeError:
                continue
            finished[row.key] = row
        return finished

    def _is_as_left(self, stored: StoredObject, finished: FinishedObject) -> bool:
        try:
            given, made = stored.path.stat(), self.output_of(stored.key).stat()
        except OSError:
            return False
        return finished.settings == self._digest and (
            (given.st_size, given.st_mtime_ns) == (finished.input_bytes, finished.input_mtime_ns)
            and (made.st_size, made.st_mtime_ns) == (finished.output_bytes, finished.output_mtime_ns)
        )
