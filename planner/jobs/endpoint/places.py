"""Places in S3, as requests name them: ``s3://bucket/key`` and the two https forms."""

import json
import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from planner.errors import InputMissingError, RequestRejectedError

_HOSTED: Final = re.compile(r"https://(?P<bucket>[^/]+)\.s3[.-][^/]*?amazonaws\.com(?:\.cn)?/?(?P<key>.*)", re.DOTALL)
_PATHED: Final = re.compile(r"https://s3[.-][^/]*?amazonaws\.com(?:\.cn)?/(?P<bucket>[^/]+)/?(?P<key>.*)", re.DOTALL)
_PLAIN: Final = re.compile(r"s3://(?P<bucket>[^/]+)/?(?P<key>.*)", re.DOTALL)
_BUCKET: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{2,254}")
"""What a bucket may be called, those from before 2018 in us-east-1 included."""


class Place(NamedTuple):
    """An object, or the objects whose keys start so."""

    bucket: str
    key: str

    @property
    def uri(self) -> str:
        """``s3://bucket/key``."""
        return f"s3://{self.bucket}/{self.key}"


def place_of(uri: str) -> Place:
    """The bucket and key that a URI names. Raises RequestRejectedError if it names none."""
    found = _PATHED.fullmatch(uri) or _HOSTED.fullmatch(uri) or _PLAIN.fullmatch(uri)
    if found is None:
        raise RequestRejectedError(f"{uri!r} names no S3 bucket. Write s3://bucket/key.")
    if not _BUCKET.fullmatch(found["bucket"]):
        raise RequestRejectedError(
            f"{uri!r} names no S3 bucket: {found['bucket']!r} cannot be one's name, which has 3 characters or more of "
            "a-z, 0-9, '.' and '-', the first a letter or digit."
        )
    return Place(found["bucket"], found["key"])


def output_place(output: Place, relative: str) -> Place:
    """Where the output of an input object goes: ``<S3OutputPath>/<relative>.out``."""
    folder = output.key if not output.key or output.key.endswith("/") else f"{output.key}/"
    return Place(output.bucket, f"{folder}{relative}.out")


def relative_key(prefix: Place, key: str) -> str:
    """What of an input object's key its output keeps: everything behind the last '/' of the S3Prefix.

    ``in/`` and ``in/x/data.csv``: ``x/data.csv``; ``in`` and ``in/data.csv``: ``in/data.csv``; ``in/part-`` and
    ``in/part-1``: ``part-1``. The service's rule is not known: the example of the API reference (TransformOutput) keeps
    a part of the prefix and drops a part of the rest. This one gives ``data.csv.out`` for a single object, as public
    notebooks show it, and never the same name to two objects of a job.
    """
    return key[prefix.key.rfind("/") + 1 :]


def manifest_entries(content: bytes, source: str) -> tuple[Place, Sequence[str]]:
    """The prefix of a manifest, and the rests of the keys. Raises InputMissingError if it is none.

    ``[{"prefix": "s3://bucket/pre/"}, "rel/a", "rel/b"]``. Source: S3DataSource API reference, S3Uri.
    """
    try:
        rows = json.loads(content)
    except ValueError as error:
        raise InputMissingError(f"{source}: not a manifest: {error}. It is a JSON array, not JSON Lines.") from error
    well_formed = isinstance(rows, list) and rows and isinstance(rows[0], dict)
    if not (well_formed and isinstance(rows[0].get("prefix"), str) and all(isinstance(key, str) for key in rows[1:])):
        raise InputMissingError(f'{source}: not a manifest: expected [{{"prefix": "s3://bucket/pre/"}}, "key", ...].')
    return place_of(rows[0]["prefix"]), tuple(dict.fromkeys(rows[1:]))
