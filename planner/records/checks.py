"""What the lines of an object hold: is it what the content type says, and what in it tends to go wrong in a job."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from planner.records.pack import MAX_PAYLOAD_MB
from planner.records.split import record_sizes
from planner.units import MIB

CSV: Final = frozenset({"text/csv"})
JSON_LINES: Final = frozenset({"application/jsonlines", "application/x-jsonlines", "application/jsonl"})

_QUOTE: Final = ord('"')
_CARRIAGE_RETURN: Final = ord("\r")
_decode_json = msgspec.json.Decoder(msgspec.Raw).decode


def media_type(content_type: str | None) -> str:
    """The type without parameters, in lower case; empty for None."""
    return (content_type or "").partition(";")[0].strip().lower()


@dataclass(slots=True, kw_only=True)
class LineFindings:
    """What was found in the lines of one object, up to now. Records count from 1, as editors count lines."""

    faults: list[str]
    """Lines that are not of the content type: ``record 7 at byte 123 ...``; at most as many as were asked for."""
    blank_lines: int = 0
    crlf_lines: int = 0
    odd_quote_lines: int = 0
    """CSV lines with an odd number of quotes: a quoted line break cut in two (rule R10)."""
    first_odd_quote_record: int | None = None
    has_header: bool = False


class LineChecks:
    """Checks the lines of one object as a splitter finds them; memory holds one line and one chunk.

    Text and JSON Lines must be UTF-8, JSON Lines also JSON; of other types only delimiters are looked at.
    A line longer than any request may be (100 MiB) is not looked into: it cannot be sent whatever it holds.
    """

    def __init__(self, content_type: str | None, most_faults: int) -> None:
        kind = media_type(content_type)
        self._is_csv = kind in CSV
        self._is_json = kind in JSON_LINES
        self._is_text = self._is_json or kind.startswith("text/")
        self._most_faults = most_faults
        self._pending: list[bytes] = []
        self._pending_bytes = 0
        self._records = 0
        self._offset = 0
        self._head: list[bytes] = []
        self.findings = LineFindings(faults=[])

    def feed(self, chunk: memoryview, ends: NDArray[np.int64]) -> None:
        """Check the lines that end at these offsets of the object; the chunk follows the one before it."""
        start = self._offset + self._pending_bytes
        if not len(ends):
            if len(chunk):
                self._keep(chunk)
            return
        cut = int(ends[-1]) - start
        lines = b"".join([*self._pending, chunk[:cut]])
        if len(lines) == self._pending_bytes + cut:
            self._check(lines, ends - self._offset)
        self._records += len(ends)
        self._offset = int(ends[-1])
        self._pending, self._pending_bytes = [], 0
        self._keep(chunk[cut:])

    def _keep(self, part: memoryview) -> None:
        self._pending_bytes += len(part)
        if self._pending_bytes > MAX_PAYLOAD_MB * MIB:
            self._pending.clear()
        else:
            self._pending.append(bytes(part))

    def _check(self, lines: bytes, ends: NDArray[np.int64]) -> None:
        """Lines are whole and follow each other; ends are their ends in them."""
        found = self.findings
        sizes = record_sizes(ends)
        found.crlf_lines += lines.count(b"\r\n")
        found.blank_lines += _blank_lines(lines, ends, sizes)
        room = self._most_faults - len(found.faults)
        if self._is_text and room:
            problems = dict(islice(_json_problems(lines, len(ends)), room)) if self._is_json else {}
            problems |= dict(islice(_utf8_problems(lines, ends, self._offset), room))
            for index, problem in sorted(problems.items())[:room]:
                offset = self._offset + int(ends[index] - sizes[index])
                found.faults.append(f"record {self._records + index + 1:,} at byte {offset:,} {problem}")
        if self._is_csv:
            self._check_quotes(lines, ends)
            if len(self._head) < 2:
                self._head += lines.split(b"\n", 2)[: min(len(ends), 2 - len(self._head))]
                found.has_header = len(self._head) == 2 and looks_like_header(*self._head)

    def _check_quotes(self, lines: bytes, ends: NDArray[np.int64]) -> None:
        if b'"' not in lines:
            return
        quotes = np.frombuffer(lines, np.uint8) == _QUOTE
        starts = np.concatenate([[0], ends[:-1]])
        odd = np.flatnonzero(np.add.reduceat(quotes, starts, dtype=np.int64) & 1)
        if len(odd):
            self.findings.odd_quote_lines += len(odd)
            if self.findings.first_odd_quote_record is None:
                self.findings.first_odd_quote_record = self._records + int(odd[0]) + 1


def _utf8_problems(lines: bytes, ends: NDArray[np.int64], offset: int) -> Iterator[tuple[int, str]]:
    """(index, problem) of every line that is not UTF-8; the lines begin at the object's offset."""
    start = 0
    while True:
        try:
            str(memoryview(lines)[start:], "utf-8")
        except UnicodeDecodeError as error:
            at = start + error.start
            index = int(ends.searchsorted(at, side="right"))
            yield index, f"is not UTF-8: byte {lines[at]:#04x} at byte {offset + at:,}"
            start = int(ends[index])
        else:
            return


def _json_problems(lines: bytes, count: int) -> Iterator[tuple[int, str]]:
    """(index, problem) of every line that is not JSON; a blank line is none (there is a warning for these)."""
    for index, line in enumerate(lines.split(b"\n")[:count]):
        try:
            _decode_json(line)
        except msgspec.DecodeError as error:
            if line not in {b"", b"\r"}:
                yield index, f"is not JSON: {str(error).removeprefix('JSON is malformed: ')}: {_excerpt(line)}"


def _blank_lines(lines: bytes, ends: NDArray[np.int64], sizes: NDArray[np.int64]) -> int:
    """Lines of only LF or CRLF; a last line without LF is never blank, unless it is a lone CR, which is content."""
    if int(sizes.min()) > len(b"\r\n"):
        return 0
    content = np.frombuffer(lines, np.uint8)
    lone_feeds = np.count_nonzero(content[ends[sizes == 1] - 1] == ord("\n"))
    pairs = ends[sizes == 2]
    return int(
        lone_feeds + np.count_nonzero((content[pairs - 2] == _CARRIAGE_RETURN) & (content[pairs - 1] == ord("\n")))
    )


def _excerpt(line: bytes) -> str:
    shown = line[:60].decode("utf-8", "backslashreplace")
    return ascii(shown) + ("..." if len(line) > 60 else "")


def looks_like_header(first: bytes, second: bytes) -> bool:
    """Whether a CSV file's first line names columns: no field of it is a number or empty, one of the second's is."""
    try:
        names, values = (next(csv.reader([line.decode()]), []) for line in (first, second))
    except (UnicodeDecodeError, csv.Error):
        return False
    same_width = len(names) == len(values)
    return same_width and all(n.strip() and not _is_number(n) for n in names) and any(_is_number(v) for v in values)


def _is_number(field: str) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True
