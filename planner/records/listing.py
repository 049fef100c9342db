"""Which objects an input consists of: a local folder, a single file, or an S3 manifest with a local prefix."""

import json
import os
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from planner.errors import InputMissingError
from planner.units import show_bytes

_NAMED_IN_WARNING: Final = 5
_LARGEST_MANIFEST_BYTES: Final = 2**28


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredObject:
    """One object before it is read."""

    key: str
    """Below the input prefix, '/'-separated."""
    path: Path
    stored_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """The objects of an input in key order, as S3 lists them (UTF-8 binary order), and what was left out."""

    source: str
    objects: tuple[StoredObject, ...]
    warnings: tuple[str, ...]

    @property
    def stored_bytes(self) -> int:
        """Sum of the objects' stored sizes."""
        return sum(o.stored_bytes for o in self.objects)


def list_objects(source: str | Path) -> Listing:
    """The objects of a local input.

    Hidden files and empty objects are left out with a warning: what the service does with them is not known, and a
    manifest can leave them out there too. Raises InputMissingError if nothing is left, or for an S3 URI.
    """
    text = str(source)
    if text.startswith(("s3://", "https://")):
        raise InputMissingError(
            f"{text}: objects in S3 are not read here. Copy them first (aws s3 sync {text} DIR) and name the folder, "
            "or describe them with --records, --record-bytes and --objects where the command has these."
        )
    path = Path(text)
    try:
        if path.is_dir():
            return _without_unsuitable(text, _files_below(path))
        if path.is_file():
            prefix_and_keys = _read_manifest(path)
            if prefix_and_keys is None:
                return _without_unsuitable(text, {path.name: path})
            return _manifest_listing(path, *prefix_and_keys)
    except OSError as error:
        raise InputMissingError(f"{error.filename or text}: cannot be read: {error.strerror}") from error
    if path.exists():
        raise InputMissingError(f"{text}: neither a file nor a folder. Name a folder, a file or a manifest.")
    raise InputMissingError(f"{text}: no such file or folder.")


def _files_below(folder: Path) -> dict[str, Path]:
    def refuse(error: OSError) -> None:
        raise error

    files = {}
    for parent, _, names in os.walk(folder, onerror=refuse):
        below = Path(parent)
        prefix = "" if below == folder else f"{below.relative_to(folder).as_posix()}/"
        for name in names:
            files[prefix + name] = below / name
    return files


def _without_unsuitable(source: str, files: dict[str, Path]) -> Listing:
    objects, hidden, empty, other = [], [], [], []
    for key in sorted(files, key=os.fsencode):
        path = files[key]
        if "/." in f"/{key}":
            hidden.append(key)
        elif not _is_utf8(key) or not path.is_file():
            other.append(key)
        elif size := path.stat().st_size:
            objects.append(StoredObject(key=key, path=path, stored_bytes=size))
        else:
            empty.append(key)
    if not objects:
        left_out = [f"{len(empty)} empty"] * bool(empty) + [f"{len(hidden)} hidden"] * bool(hidden)
        raise InputMissingError(f"{source}: holds no objects with content ({', '.join(left_out) or 'no files'}).")
    warnings = [
        f"{_named(keys)} left out: {reason}. Leave them out of the job too (a manifest can)."
        for keys, reason in (
            (hidden, "hidden files are rarely records, and a prefix would send them"),
            (empty, "what the service does with objects of 0 bytes is not documented"),
            (other, "not regular files, or names that are not UTF-8 as S3 keys are"),
        )
        if keys
    ]
    return Listing(source=source, objects=tuple(objects), warnings=tuple(warnings))


def _is_utf8(key: str) -> bool:
    """False for a file name of other bytes, which Python carries as surrogates."""
    try:
        key.encode()
    except UnicodeEncodeError:
        return False
    return True


def _named(keys: list[str]) -> str:
    shown = ", ".join(ascii(key)[1:-1] for key in keys[:_NAMED_IN_WARNING])
    more = f" and {len(keys) - _NAMED_IN_WARNING:,} more" if len(keys) > _NAMED_IN_WARNING else ""
    return f"{len(keys):,} {'object' if len(keys) == 1 else 'objects'} ({shown}{more})"


def _read_manifest(path: Path) -> tuple[str, list[str]] | None:
    """Prefix and relative keys of an S3 manifest ``[{"prefix": P}, "rel/a", ...]``; None if the file is none.

    A file is taken for a manifest if its name ends in .manifest, or if it is a JSON array that starts with a prefix.
    """
    must_be = path.suffix == ".manifest"
    if not must_be and (path.suffix != ".json" or path.stat().st_size > _LARGEST_MANIFEST_BYTES):
        return None
    if path.stat().st_size > _LARGEST_MANIFEST_BYTES:
        raise InputMissingError(
            f"{path}: a manifest of {show_bytes(path.stat().st_size)} is not read; name the folder."
        )
    try:
        rows = json.loads(path.read_bytes())
    except ValueError as error:
        if must_be:
            raise InputMissingError(f"{path}: not a manifest: {error}. It is a JSON array, not JSON Lines.") from error
        return None
    if isinstance(rows, list) and rows and isinstance(rows[0], dict) and isinstance(rows[0].get("prefix"), str):
        if all(isinstance(key, str) for key in rows[1:]):
            return rows[0]["prefix"], rows[1:]
        must_be = True
    if must_be:
        raise InputMissingError(f'{path}: not a manifest: expected [{{"prefix": "DIR/"}}, "key", ...].')
    return None


def _manifest_listing(manifest: Path, prefix: str, keys: list[str]) -> Listing:
    """The objects named; a prefix is put in front as it stands, as in S3, and a relative one starts at the manifest."""
    if prefix.startswith(("s3://", "https://")):
        raise InputMissingError(
            f"{manifest}: its prefix {prefix} is in S3, which is not read here. Copy the objects "
            f"(aws s3 sync {prefix} DIR) and make the prefix that folder."
        )
    start = prefix if prefix.startswith("/") else f"{manifest.parent}/{prefix}"
    files = {key: Path(start + key) for key in keys}
    missing = [key for key, path in files.items() if not path.exists()]
    if missing:
        raise InputMissingError(f"{manifest}: {_named(missing)} not found below {prefix!r}.")
    listing = _without_unsuitable(str(manifest), files)
    twice = [key for key, count in Counter(keys).items() if count > 1]
    if not twice:
        return listing
    warning = f"{_named(twice)} listed more than once and read once: outputs in the job would overwrite each other."
    return replace(listing, warnings=(*listing.warnings, warning))
