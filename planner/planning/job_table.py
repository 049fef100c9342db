"""Many jobs in one file: CSV with a heading, or a JSON list of objects, one row per job."""

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from planner.documents import read_document
from planner.errors import DocumentError, InputMissingError
from planner.profiling.profile import Profile
from planner.records.dataset import Dataset
from planner.records.layout import describe
from planner.units import parse_seconds

COLUMNS: Final = ("name", "profile", "dataset", "records", "record_bytes", "objects", "deadline", "start", "region")


@dataclass(frozen=True, slots=True, kw_only=True)
class JobQuestion:
    """One job to be planned beside others."""

    name: str
    profile: Profile
    dataset: Dataset
    start_s: float
    """Earliest creation, on the clock that all jobs share."""
    deadline_s: float
    """By when it must have ended, on the same clock."""
    region: str


def read_jobs(path: Path, *, region: str) -> tuple[JobQuestion, ...]:
    """The jobs of a table; `region` is that of rows without one, and files are found from the table's folder.

    Raises InputMissingError (no such file) and DocumentError, which names the row and the column.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise InputMissingError(f"{path}: no such file") from error
    except (OSError, UnicodeDecodeError) as error:
        raise InputMissingError(f"{path}: cannot be read: {error}") from error
    rows = (
        _json_rows(path, text)
        if text.lstrip().startswith(("[", "{"))
        else list(csv.DictReader(io.StringIO(text, newline="")))
    )
    if not rows:
        raise DocumentError(f"{path}: no jobs; the columns are {', '.join(COLUMNS)}")
    reader = _Reader(path, region)
    jobs = tuple(reader.job(number, row) for number, row in enumerate(rows, start=1))
    names = [job.name for job in jobs]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise DocumentError(f"{path}: two jobs are named {twice!r}; a name stands for one job")
    return jobs


def _json_rows(path: Path, text: str) -> list[dict[str, object]]:
    try:
        rows = json.loads(text)
    except ValueError as error:
        raise DocumentError(f"{path}: not JSON: {error}") from error
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise DocumentError(f"{path}: a JSON table of jobs is a list of objects")
    return rows


class _Reader:
    """Rows of one table -> jobs; a profile or dataset that several rows name is read once."""

    def __init__(self, path: Path, region: str) -> None:
        self._path, self._region = path, region
        self._profiles: dict[Path, Profile] = {}

    def job(self, number: int, row: Mapping[str, object]) -> JobQuestion:
        """The job of a row. Raises DocumentError."""
        if None in row:
            raise DocumentError(f"{self._path}: job {number}: more cells than the heading has columns")
        cells = {key: str(cell).strip() for key, cell in row.items() if cell is not None and cell != ""}
        unknown = sorted(set(cells) - set(COLUMNS))
        if unknown:
            raise DocumentError(f"{self._path}: job {number}: no column {unknown[0]!r}; there are {', '.join(COLUMNS)}")
        place = f"{self._path}: job {number} ({cells.get('name', 'without a name')})"
        for column in ("name", "profile", "deadline"):
            if column not in cells:
                raise DocumentError(f"{place}: {column} is missing")
        start_s, deadline_s = (_seconds(place, column, cells.get(column, "0")) for column in ("start", "deadline"))
        if deadline_s <= start_s:
            raise DocumentError(f"{place}: deadline: {cells['deadline']} is not after its start")
        profile_path = self._path.parent / cells["profile"]
        if profile_path not in self._profiles:
            self._profiles[profile_path] = read_document(profile_path, Profile)
        profile = self._profiles[profile_path]
        return JobQuestion(
            name=cells["name"],
            profile=profile,
            dataset=self._dataset(place, cells, profile),
            start_s=start_s,
            deadline_s=deadline_s,
            region=cells.get("region", self._region),
        )

    def _dataset(self, place: str, cells: Mapping[str, str], profile: Profile) -> Dataset:
        numbers = [column for column in ("records", "record_bytes", "objects") if column in cells]
        if ("dataset" in cells) == bool(numbers) or (numbers and len(numbers) < 3):
            raise DocumentError(f"{place}: give either dataset, or records, record_bytes and objects together")
        if "dataset" in cells:
            return read_document(self._path.parent / cells["dataset"], Dataset)
        try:
            records, record_bytes, objects = (int(cells[column]) for column in numbers)
        except ValueError as error:
            raise DocumentError(f"{place}: {', '.join(numbers)}: {error}") from error
        return describe(records, record_bytes, objects, split_type=profile.payload.split_type)


def _seconds(place: str, column: str, text: str) -> float:
    try:
        return parse_seconds(text)
    except ValueError as error:
        raise DocumentError(f"{place}: {column}: {error}") from error
