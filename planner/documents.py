"""Documents: JSON files with ``kind`` and ``format``, read strictly and written whole or not at all.

msgspec decodes straight into the frozen values below and names the path of whatever does not fit
(``$.measurements[3].cpu_s: expected float``). Values are msgspec Structs rather than dataclasses because
only Structs refuse unknown fields, and an unknown field is a typo or a newer format, never noise.
"""

import contextlib
import json
import os
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import IO, Any, Final, TypeAlias, TypeVar

import msgspec

from planner.errors import DocumentError, InputMissingError, OutputError

Json: TypeAlias = Any
"""A JSON value whose shape another party owns (an AWS request); everything of ours has a class."""


FORMAT: Final = 1
"""The one format of every kind so far. A later one is told apart before its fields are read."""
_WRITTEN_BY: Final = {"dataset": "planner inspect", "plan": "planner recommend", "profile": "planner profile"}
"""The commands whose -o writes what other commands read."""


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def planner_version() -> str:
    """The installed version of this package, as every document records it."""
    return version("batch-transform-planner")


class Value(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A frozen value with named fields that is part of a document. Change one with `replace`."""


class Document(Value, frozen=True, kw_only=True, tag_field="kind"):
    """What stands at the top of every file: kind (the class's tag), format, when and by which version."""

    format: int = FORMAT
    created_at: str = msgspec.field(default_factory=_now)
    """UTC, ISO 8601."""
    planner_version: str = msgspec.field(default_factory=planner_version)

    def __post_init__(self) -> None:
        if self.format != FORMAT:
            raise ValueError(f"format {self.format} is not the one that is written ({FORMAT})")


class _Heading(msgspec.Struct):
    """What is read of a document before anything else of it is believed."""

    kind: str | None = None
    format: int | None = None


D = TypeVar("D", bound=Document)
V = TypeVar("V", bound=Value)


def replace(value: V, **changes: object) -> V:
    """A copy of value with the named fields changed, checked anew."""
    return msgspec.structs.replace(value, **changes)


def to_json(value: Value) -> str:
    """The JSON text of a document or value: sorted keys, two-space indent, ends with a newline."""
    return json.dumps(msgspec.to_builtins(value), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def read_document(path: Path, kind: type[D]) -> D:
    """The document in the file, of the class asked for.

    Raises InputMissingError if there is no such file, DocumentError (with the path of the faulty value)
    if it is not JSON, not of this kind, of another format, or does not fit.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise InputMissingError(f"{path}: no such file") from error
    except OSError as error:
        raise InputMissingError(f"{path}: cannot be read: {error.strerror}") from error
    return parse_document(content, kind, str(path))


def parse_document(content: bytes, kind: type[D], source: str) -> D:
    """The document in content; source is what errors call it. Raises DocumentError."""
    expected = kind.__struct_config__.tag
    try:
        heading = msgspec.json.decode(content, type=_Heading)
        if heading.kind != expected:
            named = "names no kind" if heading.kind is None else f"is a {heading.kind} document"
            raise DocumentError(f"{source}: {named}; expected a {expected} document{_from_where(str(expected))}")
        if heading.format != FORMAT:
            raise DocumentError(
                f"{source}: {expected} of format {heading.format}; this version reads {FORMAT}: upgrade the planner"
            )
        return msgspec.json.decode(content, type=kind)
    except msgspec.ValidationError as error:
        raise DocumentError(f"{source}: {error}, where a {expected} document was expected") from error
    except msgspec.DecodeError as error:
        fault = f"not JSON: {error}" if content.strip() else "is empty"
        what = f"A {expected} document was expected{_from_where(str(expected))}"
        raise DocumentError(f"{source}: {fault}. {what}: copy it or make it again") from error


def _from_where(kind: str) -> str:
    return f", which `{_WRITTEN_BY[kind]} -o FILE` writes" if kind in _WRITTEN_BY else ""


@contextlib.contextmanager
def written_whole(path: Path) -> Iterator[IO[bytes]]:
    """A binary file that appears under its name only when the block ends without an error.

    It is written beside its final place, flushed to disk and renamed over it; on any error (Ctrl-C too) the
    temporary file is removed and whatever stood at `path` still stands. Raises OutputError.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        stream = temporary.open("xb")
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror or error}") from error
    try:
        with stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror or error}") from error
    finally:
        temporary.unlink(missing_ok=True)


def refuse_unwritable(path: Path) -> None:
    """Raise OutputError if a document could not be written there: asked before work that takes long, not after it."""
    with contextlib.suppress(_Unwritten), written_whole(path):
        raise _Unwritten


class _Unwritten(Exception):
    """Ends a block of `written_whole` without a file."""


def write_document(path: Path, document: Document) -> None:
    """Write the document, whole or not at all. Raises OutputError."""
    with written_whole(path) as stream:
        stream.write(to_json(document).encode())
