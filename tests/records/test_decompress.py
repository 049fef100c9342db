import gzip
import io
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.errors import RecordFormatError
from planner.records.decompress import CHUNK_BYTES, iter_chunks
from planner.records.policy import BlankLines, CuttingPolicy
from tests.records.inputs import line_bytes

DROP_BLANK_LINES = CuttingPolicy(blank_lines=BlankLines.DROPPED)


class Trickle(io.RawIOBase):
    """A stream that gives at most so many bytes at a time, as a network does."""

    def __init__(self, content: bytes, most: int) -> None:
        super().__init__()
        self._inner = io.BytesIO(content)
        self._most = most

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        part = self._inner.read(min(self._most, len(buffer)))
        buffer[: len(part)] = part
        return len(part)


def inflated(stored: bytes) -> bytes:
    return b"".join(map(bytes, iter_chunks(io.BytesIO(stored), "Line", "Gzip", "a.gz")))


@given(st.lists(st.binary(max_size=200), min_size=1, max_size=4), st.integers(0, 3), st.integers(1, 40))
def test_members_follow_each_other_and_padding_is_skipped(members: list[bytes], padding: int, most: int) -> None:
    stored = b"".join(gzip.compress(m) for m in members) + b"\0" * padding
    chunks = iter_chunks(Trickle(stored, most), "Line", "Gzip", "a.gz")
    assert b"".join(map(bytes, chunks)) == b"".join(members)


def test_a_bomb_is_inflated_a_chunk_at_a_time() -> None:
    stored = gzip.compress(b"\0" * (CHUNK_BYTES * 20 + 7))
    assert len(stored) < CHUNK_BYTES
    sizes = [len(chunk) for chunk in iter_chunks(io.BytesIO(stored), "Line", "Gzip", "a.gz")]
    assert max(sizes) <= CHUNK_BYTES
    assert sum(sizes) == CHUNK_BYTES * 20 + 7


@given(st.integers(1, 60))
def test_a_stream_that_is_cut_short_is_refused(missing: int) -> None:
    stored = gzip.compress(b"some lines\n" * 20)
    with pytest.raises(RecordFormatError, match=r"a\.gz: the gzip stream is cut short"):
        inflated(stored[: max(len(stored) - missing, 0)])


@pytest.mark.parametrize(
    "stored", [b"plain text\n", gzip.compress(b"x" * 99)[:-8] + b"\1" * 8, gzip.compress(b"x") + b"trailing"]
)
def test_what_is_not_gzip_is_refused_with_object_and_offset(stored: bytes) -> None:
    with pytest.raises(RecordFormatError, match=r"a\.gz: not gzip, or damaged, near stored byte \d+ "):
        inflated(stored)


def without_blank_lines(content: bytes) -> bytes:
    return b"".join(line for line in io.BytesIO(content).readlines() if line not in {b"\n", b"\r\n"})


@given(line_bytes, st.integers(1, 5))
def test_the_other_policy_drops_blank_lines_whatever_the_chunks(content: bytes, most: int) -> None:
    def left(split_type: str) -> Iterator[memoryview]:
        assert split_type in {"Line", "None"}
        stream = Trickle(content, most)
        return iter_chunks(stream, "Line" if split_type == "Line" else "None", "None", "a", DROP_BLANK_LINES)

    assert b"".join(map(bytes, left("Line"))) == without_blank_lines(content)
    assert b"".join(map(bytes, left("None"))) == content
