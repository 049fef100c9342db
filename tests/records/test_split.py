import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.errors import RecordFormatError
from planner.records.dataset import SplitType
from planner.records.newlines import LineFeedFinder
from planner.records.payloads import iter_records
from planner.records.split import record_ends, split_records, splitter_for
from tests.records.inputs import chunks_of, line_bytes, recordio_frame, recordio_payloads

cut_lists = st.lists(st.integers(0, 10_000), max_size=12)


def naive_lines(content: bytes) -> list[bytes]:
    return io.BytesIO(content).readlines()


@given(line_bytes)
def test_lines_are_those_of_a_binary_file(content: bytes) -> None:
    assert split_records(content, "Line") == naive_lines(content)


@given(st.binary(max_size=2000))
def test_any_bytes_are_cut_into_lines_that_join_to_them(content: bytes) -> None:
    assert b"".join(split_records(content, "Line")) == content


def test_a_carriage_return_stays_and_the_last_line_needs_no_line_feed() -> None:
    assert split_records(b"a\r\n\n\xff\xfeb", "Line") == [b"a\r\n", b"\n", b"\xff\xfeb"]


def test_split_type_none_makes_an_object_one_record_and_an_empty_object_none() -> None:
    assert split_records(b"a\nb\n", "None") == [b"a\nb\n"]
    assert split_records(b"", "None") == []
    assert split_records(b"", "Line") == []


@given(st.one_of(line_bytes, recordio_payloads.map(lambda ps: b"".join(map(recordio_frame, ps)))), cut_lists)
def test_chunking_never_changes_the_boundaries(content: bytes, cuts: list[int]) -> None:
    split_types: tuple[SplitType, ...] = ("Line", "None")
    if content[:4] == recordio_frame(b"")[:4]:
        split_types = (*split_types, "RecordIO")
    for split_type in split_types:
        splitter = splitter_for(split_type, "object")
        ends = [splitter.feed(chunk) for chunk in chunks_of(content, cuts)] + [splitter.finish()]
        assert np.concatenate(ends).tolist() == record_ends(content, split_type).tolist()


@given(
    seed=st.integers(0, 2**32 - 1),
    lengths=st.lists(st.integers(2**14 - 5, 2**18), min_size=1, max_size=3),
    densities=st.lists(
        st.sampled_from([0.0, 0.0001, 0.004, 0.008, 0.02, 0.06, 0.15, 0.6, 0.97, 1.0]), min_size=1, max_size=3
    ),
    offset=st.integers(0, 2**40),
)
def test_line_feeds_are_found_at_any_density_whatever_came_before(
    seed: int, lengths: list[int], densities: list[float], offset: int
) -> None:
    source, finder = np.random.default_rng(seed), LineFeedFinder()
    for length in lengths:
        for density in densities:
            content = np.where(source.random(length) < density, 10, 11).astype(np.uint8)
            expected = np.flatnonzero(content == 10) + offset + 1
            assert finder.line_ends(content.tobytes(), offset).tolist() == expected.tolist()


@given(line_bytes)
def test_a_stream_gives_the_same_records_as_the_whole(content: bytes) -> None:
    assert list(iter_records(io.BytesIO(content), "Line")) == split_records(content, "Line")


def test_records_longer_than_a_read_stay_whole() -> None:
    content = b"a" * 600_000 + b"\n" + b"b" * 10 + b"\n" + b"c" * 300_000
    assert [len(r) for r in iter_records(io.BytesIO(content), "Line")] == [600_001, 11, 300_000]


@pytest.mark.parametrize("split_type", ["RecordIO", "TFRecord"])
def test_a_text_file_is_no_frame_and_the_error_names_object_record_and_offset(split_type: SplitType) -> None:
    with pytest.raises(RecordFormatError, match=r"a/b\.rec: .*ecord.* 1 at byte 0 .*--split-type"):
        split_records(b"hello, world: this is text\n" * 3, split_type, "a/b.rec")
