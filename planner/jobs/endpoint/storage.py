"""S3 for the jobs: folders that stand for buckets, or any S3 endpoint through boto3."""

import errno
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from planner.documents import Value, written_whole
from planner.errors import InputMissingError, OutputError, RequestRejectedError
from planner.jobs.endpoint.places import Place

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

SCRATCH_PREFIX: Final = ".planner-endpoint-"
"""No bucket is called so: below a bucket root these folders are never taken for one."""


class StorageSettings(Value, frozen=True, kw_only=True):
    """Which storage; exactly one of the two."""

    bucket_root: str | None = None
    s3_endpoint_url: str | None = None


class Storage(Protocol):
    """What a job needs of S3. Everything raises InputMissingError for reading and OutputError for writing."""

    def check(self, place: Place) -> None:
        """Raise RequestRejectedError for a place that this storage can never hold; looks at the name only."""
        ...

    def scratch(self) -> Path:
        """A new folder for a job, from which `store` is cheap; the caller removes it."""
        ...

    def keys(self, prefix: Place) -> list[str]:
        """The keys that start with the prefix's key, in UTF-8 binary order, as S3 lists them."""
        ...

    def has(self, place: Place) -> bool:
        """Whether there is an object."""
        ...

    def has_bucket(self, bucket: str) -> bool:
        """Whether there is a bucket."""
        ...

    def fetch(self, place: Place, path: Path) -> None:
        """Make the object readable at the path, which does not exist yet: a copy, or a link to it."""
        ...

    def store(self, path: Path, place: Place) -> None:
        """Make a file an object, which appears whole or not at all; the file may be gone afterwards."""
        ...


def open_storage(settings: StorageSettings) -> Storage:
    """The storage. Raises InputMissingError if the bucket root is no folder."""
    if settings.bucket_root is not None:
        return BucketFolders(Path(settings.bucket_root))
    assert settings.s3_endpoint_url is not None
    return S3Endpoint(settings.s3_endpoint_url)


class BucketFolders:
    """Folders below a root that stand for buckets: ``s3://bucket/key`` is ``ROOT/bucket/key``.

    Nothing outside the root is reached: keys with empty, '.' or '..' steps are refused, and whatever a link leads to
    outside is neither read nor written. Keys that differ only in that one is a folder of the other (``a``, ``a/b``)
    cannot both exist, as they can in S3.
    """

    def __init__(self, root: Path) -> None:
        if not root.is_dir():
            raise InputMissingError(f"{root}: no such folder. Make it, with one folder in it for each bucket.")
        self._root = root.resolve()

    def check(self, place: Place) -> None:
        """Raise RequestRejectedError for a key that is no path below its bucket's folder."""
        steps = [place.bucket, *place.key.removesuffix("/").split("/")] if place.key else [place.bucket]
        if any(step in ("", ".", "..") or "\0" in step for step in steps):
            raise RequestRejectedError(f"{place.uri!r} is no path below a bucket's folder. Name keys like a/b/c.")

    def scratch(self) -> Path:
        """A folder beside the buckets, on their file system: outputs are renamed, not copied."""
        try:
            return Path(tempfile.mkdtemp(prefix=SCRATCH_PREFIX, dir=self._root))
        except OSError as error:
            raise OutputError(f"{self._root}: cannot be written: {error.strerror}") from error

    def keys(self, prefix: Place) -> list[str]:
        """The files whose path starts so; links to folders are not followed."""
        self.check(prefix)
        bucket = self._root / prefix.bucket
        folder = self._inside(bucket / prefix.key[: prefix.key.rfind("/") + 1], prefix)
        found = [
            key
            for parent, _, names in os.walk(folder)
            for name in names
            if (key := Path(parent, name).relative_to(folder).as_posix()) and _is_utf8(key)
        ]
        start = prefix.key[: prefix.key.rfind("/") + 1]
        return sorted((start + key for key in found if (start + key).startswith(prefix.key)), key=str.encode)

    def has(self, place: Place) -> bool:
        """Whether there is a file."""
        self.check(place)
        return self._inside(self._root / place.bucket / place.key, place).is_file()

    def has_bucket(self, bucket: str) -> bool:
        """Whether there is a folder."""
        return self._inside(self._root / bucket, Place(bucket, "")).is_dir()

    def fetch(self, place: Place, path: Path) -> None:
        """Link to the file."""
        self.check(place)
        real = self._inside(self._root / place.bucket / place.key, place)
        try:
            if not stat.S_ISREG(real.stat().st_mode):
                raise InputMissingError(f"{place.uri}: {real} is not a regular file.")
            path.symlink_to(real)
        except OSError as error:
            raise InputMissingError(f"NoSuchKey: {place.uri}: {real}: {error.strerror}") from error

    def store(self, path: Path, place: Place) -> None:
        """Rename the file into its place."""
        self.check(place)
        target = self._root / place.bucket / place.key
        try:
            self._inside(target.parent, place)
            target.parent.mkdir(parents=True, exist_ok=True)
            if target.is_dir():
                raise OutputError(f"{place.uri}: {target} is a folder; no object can have its name.")
            try:
                path.replace(target)
            except OSError as error:
                if error.errno != errno.EXDEV:
                    raise
                with path.open("rb") as source, written_whole(target) as copy:
                    shutil.copyfileobj(source, copy)
        except (OSError, InputMissingError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise OutputError(f"{place.uri}: {target} cannot be written: {reason}") from error

    def _inside(self, path: Path, place: Place) -> Path:
        """The path with links resolved. Raises InputMissingError if it leads out of the root."""
        real = path.resolve()
        if not real.is_relative_to(self._root):
            raise InputMissingError(f"AccessDenied: {place.uri}: {path} leads out of {self._root}, and is not used.")
        return real


def _is_utf8(key: str) -> bool:
    """False for a file name of other bytes, which Python carries as surrogates; no S3 key is such."""
    return not any("\ud800" <= character <= "\udfff" for character in key)


class S3Endpoint:
    """Any S3 endpoint, with the credentials of the environment or of the AWS configuration files.

    Without any, stand-ins sign the requests: local S3 servers take them. Instance metadata is not asked.
    """

    def __init__(self, endpoint_url: str) -> None:
        self._url = endpoint_url
        self._client = _s3_client(endpoint_url)

    def check(self, place: Place) -> None:
        """Nothing: S3 holds every key."""

    def scratch(self) -> Path:
        """A temporary folder."""
        return Path(tempfile.mkdtemp(prefix=SCRATCH_PREFIX[1:]))

    def keys(self, prefix: Place) -> list[str]:
        """What ListObjectsV2 finds."""
        with self._reading(prefix):
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=prefix.bucket, Prefix=prefix.key)
            return sorted((found["Key"] for page in pages for found in page.get("Contents", ())), key=str.encode)

    def has(self, place: Place) -> bool:
        """What HeadObject says."""
        return self._is_there(place, lambda: self._client.head_object(Bucket=place.bucket, Key=place.key))

    def has_bucket(self, bucket: str) -> bool:
        """What HeadBucket says."""
        return self._is_there(Place(bucket, ""), lambda: self._client.head_bucket(Bucket=bucket))

    def _is_there(self, place: Place, head: Callable[[], object]) -> bool:
        from botocore.exceptions import ClientError

        try:
            with self._reading(place):
                head()
        except InputMissingError as error:
            cause = error.__cause__
            if isinstance(cause, ClientError) and cause.response["Error"]["Code"] in ("404", "NoSuchKey"):
                return False
            raise
        return True

    def fetch(self, place: Place, path: Path) -> None:
        """Download the object."""
        with self._reading(place):
            self._client.download_file(place.bucket, place.key, str(path))

    def store(self, path: Path, place: Place) -> None:
        """Upload the file; S3 shows an object when it is whole."""
        from boto3.exceptions import Boto3Error
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            self._client.upload_file(str(path), place.bucket, place.key)
        except (BotoCoreError, ClientError, Boto3Error, OSError) as error:
            raise OutputError(f"{place.uri}: cannot be written at {self._url}: {error}") from error

    @contextmanager
    def _reading(self, place: Place) -> Iterator[None]:
        """Raise InputMissingError for whatever keeps the place from being read."""
        from boto3.exceptions import Boto3Error
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            yield
        except (BotoCoreError, ClientError, Boto3Error, OSError) as error:
            raise InputMissingError(f"{place.uri}: cannot be read at {self._url}: {error}") from error


def _s3_client(endpoint_url: str) -> "S3Client":
    import boto3
    import botocore.session
    from botocore.config import Config

    session = botocore.session.get_session()
    session.get_component("credential_provider").remove("iam-role")
    if session.get_credentials() is None:
        session.set_credentials("planner", "planner")
    config = Config(
        s3={"addressing_style": "path"},
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    region = session.get_config_variable("region") or "us-east-1"
    return boto3.Session(botocore_session=session).client(
        "s3", region_name=region, endpoint_url=endpoint_url, config=config
    )
