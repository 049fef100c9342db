"""A model as SageMaker takes it: ``model.tar.gz``, or the directory it would be made of.

An archive comes from somewhere else, so it is taken apart as if by an enemy: only names that stay inside, only
files, directories and links, within limits of size and number. Files are written first and links made last, so
that nothing is ever written through a link; each link must lead to something inside. Owners, modes and times of
the archive are not taken over.
"""

import gzip
import hashlib
import io
import os
import shutil
import stat
import tarfile
import tempfile
import weakref
import zlib
from pathlib import Path, PurePosixPath
from typing import IO, Final, cast

from planner.documents import Value
from planner.errors import InputMissingError, ModelArchiveError
from planner.units import GIB, MIB, show_bytes

SCRIPT_PLACES: Final = ("code/inference.py", "inference.py")
"""Where the user's functions may be: AWS's layout first."""
_HEADER_BYTES: Final = 4 * MIB
"""Longest single read that an honest archive causes: file content is copied in smaller pieces, headers are short."""
_FREE_BYTES: Final = 256 * MIB
"""Left free on the disk that is extracted to."""


class ArchiveLimits(Value, frozen=True, kw_only=True):
    """How much an archive may turn into."""

    total_bytes: int = 30 * GIB
    """A transform instance has a volume of 30 GB for the model (AWS developer guide, batch transform storage)."""
    members: int = 100_000


class _Bounded(io.BufferedIOBase):
    """A stream that refuses huge reads: tarfile reads extended headers whole, of any size they claim."""

    def __init__(self, stream: gzip.GzipFile) -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or size < 0 or size > _HEADER_BYTES:
            raise ModelArchiveError("a header claims to be larger than 4 MiB")
        return self._stream.read(size)

    def seek(self, offset: int, whence: int = 0, /) -> int:
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        return self._stream.tell()


def _check_name(name: str) -> None:
    path = PurePosixPath(name)
    if path.is_absolute():
        raise ModelArchiveError(f"member {name!r} has an absolute path")
    if ".." in path.parts:
        raise ModelArchiveError(f"member {name!r} leads out of the archive")


def _write_file(archive: tarfile.TarFile, member: tarfile.TarInfo, place: Path) -> None:
    source = archive.extractfile(member)
    if source is None:
        raise ModelArchiveError(f"member {member.name!r} has no content")
    place.parent.mkdir(parents=True, exist_ok=True)
    with source, place.open("wb") as target:
        shutil.copyfileobj(source, target, MIB)


def _make_link(member: tarfile.TarInfo, folder: Path) -> None:
    """Make a link in its place, unless that is behind a link made before."""
    place = folder / member.name
    if os.path.realpath(place.parent) != str(folder / PurePosixPath(member.name).parent):
        raise ModelArchiveError(f"link {member.name!r} stands behind another link")
    place.parent.mkdir(parents=True, exist_ok=True)
    if member.islnk():
        _check_name(member.linkname)
        place.hardlink_to(folder / member.linkname)  # not a copy: many of those would be a bomb
    else:
        place.symlink_to(member.linkname)


def _extract_members(archive: tarfile.TarFile, folder: Path, limits: ArchiveLimits) -> None:
    room = min(limits.total_bytes, shutil.disk_usage(folder).free - _FREE_BYTES)
    total, links = 0, []
    for count, member in enumerate(archive, start=1):
        _check_name(member.name)
        total += member.size
        if count > limits.members:
            raise ModelArchiveError(f"it has more than {limits.members:,} members")
        if total > room:
            raise ModelArchiveError(f"it would extract to more than the {show_bytes(room)} that there is room for")
        if member.isdir():
            (folder / member.name).mkdir(parents=True, exist_ok=True)
        elif member.isreg():
            _write_file(archive, member, folder / member.name)
        elif member.islnk() or member.issym():
            links.append(member)
        else:
            raise ModelArchiveError(f"member {member.name!r} is a device or a pipe")
    for member in sorted(links, key=tarfile.TarInfo.issym):
        _make_link(member, folder)
    for member in links:
        target = Path(os.path.realpath(folder / member.name))
        if not target.is_relative_to(folder) or not target.exists():
            raise ModelArchiveError(f"link {member.name!r} -> {member.linkname!r} leads out of the archive or nowhere")


def extract_model(path: Path, folder: Path, limits: ArchiveLimits | None = None) -> None:
    """Extract the ``model.tar.gz`` into the empty folder. Raises ModelArchiveError on anything odd in it."""
    try:
        with gzip.open(path) as unpacked:
            bounded = cast("IO[bytes]", _Bounded(unpacked))
            with tarfile.open(fileobj=bounded, mode="r:") as archive:
                _extract_members(archive, folder.resolve(), limits or ArchiveLimits())
    except gzip.BadGzipFile as error:
        raise ModelArchiveError(f"{path}: not gzip; make it with: tar -czf model.tar.gz -C MODEL_DIR .") from error
    except (tarfile.TarError, EOFError, zlib.error, OSError, ValueError) as error:
        raise ModelArchiveError(f"{path}: cannot be extracted: {error}. Make it again from the model.") from error
    except ModelArchiveError as error:
        raise ModelArchiveError(f"{path}: not extracted: {error}. Nothing of it was kept.") from error


def _entry_digest(path: Path) -> bytes:
    """sha256 of a file's content, or of where a link to a directory leads."""
    if path.is_symlink() and path.is_dir():
        return hashlib.sha256(os.fsencode(path.readlink())).digest()
    if not stat.S_ISREG(path.stat().st_mode):
        raise ModelArchiveError(f"{path}: neither a file nor a directory; a model holds nothing else")
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").digest()


def digest_model(folder: Path) -> str:
    """``sha256:`` of the names and contents in a folder, whatever their order, owners, modes and times.

    Byte code (``__pycache__``) is left out: running the model makes it. Raises ModelArchiveError on what is
    neither file nor directory, or cannot be read.
    """
    total = hashlib.sha256()
    try:
        for path in sorted(folder.rglob("*"), key=lambda path: path.relative_to(folder).parts):
            relative = path.relative_to(folder)
            if "__pycache__" in relative.parts or (path.is_dir() and not path.is_symlink()):
                continue
            total.update(hashlib.sha256(os.fsencode(relative.as_posix())).digest() + _entry_digest(path))
    except OSError as error:
        raise ModelArchiveError(f"{folder}: cannot be read: {error}") from error
    return f"sha256:{total.hexdigest()}"


class OpenModel:
    """A model ready to be served from a folder, and the promise to remove that folder if it was ours."""

    def __init__(self, path: Path, limits: ArchiveLimits | None = None, *, needs_script: bool = True) -> None:
        """Raises InputMissingError if there is nothing at the path, ModelArchiveError if it is not a model.

        Without `needs_script` any files will do, and `script` is None: an image brings its own program.
        """
        if not path.exists():
            raise InputMissingError(f"{path}: no such model directory or model.tar.gz")
        self._finalizer: weakref.finalize[..., OpenModel] | None = None
        self.folder = path.resolve()
        if not path.is_dir():
            private = tempfile.mkdtemp(prefix="batch-transform-planner-model-")
            self._finalizer = weakref.finalize(self, shutil.rmtree, private, ignore_errors=True)
            self.folder = Path(private).resolve()
        try:
            if self._finalizer is not None:
                extract_model(path, self.folder, limits)
            self.script = self._find_script(path) if needs_script else None
            self.digest = digest_model(self.folder)
        except BaseException:
            self.close()
            raise

    @property
    def is_private(self) -> bool:
        """True if the folder is a copy of ours."""
        return self._finalizer is not None

    def _find_script(self, path: Path) -> Path:
        for place in SCRIPT_PLACES:
            if (self.folder / place).is_file():
                return self.folder / place
        present = ", ".join(sorted(entry.name for entry in self.folder.iterdir())[:8]) or "nothing"
        raise ModelArchiveError(
            f"{path}: no code/inference.py or inference.py at its top level; it holds {present}. "
            "Put the file with model_fn, input_fn, predict_fn and output_fn there."
        )

    def close(self) -> None:
        """Remove what was extracted; a directory of the user's own stays."""
        if self._finalizer is not None:
            self._finalizer()
