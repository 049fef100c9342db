"""What the suffix of a file or object says about the MIME type of its records."""

from pathlib import PurePosixPath
from typing import Final

CONTENT_TYPES: Final = {
    ".csv": "text/csv",
    ".json": "application/json",
    ".jsonl": "application/jsonlines",
    ".jsonlines": "application/jsonlines",
    ".ndjson": "application/jsonlines",
}


def content_type_by_suffix(name: str) -> str | None:
    """The type that the suffix stands for, a final .gz left out of account; None where it stands for none."""
    return CONTENT_TYPES.get(PurePosixPath(name.removesuffix(".gz")).suffix.lower())
