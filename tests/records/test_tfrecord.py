from pathlib import Path

import numpy as np
import pytest
import tfrecord
from hypothesis import given
from hypothesis import strategies as st

from planner.errors import RecordFormatError
from planner.records.policy import CuttingPolicy, Wrapper
from planner.records.split import record_ends, split_records, splitter_for, unwrapped
from tests.records.inputs import chunks_of, write_tfrecords

PAYLOADS = [b"", b"a", b"\0" * 100, bytes(range(256)) * 20]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes]:
    path = tmp_path_factory.mktemp("tf") / "a.tfrecord"
    return path, write_tfrecords(path, PAYLOADS)


def test_what_an_independent_writer_framed_comes_back(written: tuple[Path, bytes]) -> None:
    path, content = written
    read = [bytes(data) for data in tfrecord.reader.tfrecord_iterator(str(path))]
    records = split_records(content, "TFRecord")
    assert b"".join(records) == content
    assert [unwrapped(r, "TFRecord") for r in records] == read
    assert len(records) == len(PAYLOADS)


def test_the_other_policy_sends_the_frame_as_it_is(written: tuple[Path, bytes]) -> None:
    record = split_records(written[1], "TFRecord")[0]
    assert unwrapped(record, "TFRecord", CuttingPolicy(wrapper=Wrapper.ALIGNMENT_ONLY)) == record


@given(cuts=st.lists(st.integers(0, 10_000), max_size=12))
def test_chunking_never_changes_the_boundaries(written: tuple[Path, bytes], cuts: list[int]) -> None:
    splitter = splitter_for("TFRecord", "object")
    ends = [splitter.feed(chunk) for chunk in chunks_of(written[1], cuts)] + [splitter.finish()]
    assert np.concatenate(ends).tolist() == record_ends(written[1], "TFRecord").tolist()


@given(at=st.integers(0, 5000), flip=st.integers(1, 255))
def test_any_damaged_byte_is_found(written: tuple[Path, bytes], at: int, flip: int) -> None:
    damaged = bytearray(written[1])
    damaged[at % len(damaged)] ^= flip
    with pytest.raises(RecordFormatError, match=r"a\.tfrecord: TFRecord \d at byte [\d,]+ has (a length|data)"):
        split_records(bytes(damaged), "TFRecord", "a.tfrecord")


@given(length=st.integers(1, 5000))
def test_an_object_that_ends_inside_a_record_is_refused(written: tuple[Path, bytes], length: int) -> None:
    content = written[1]
    length %= len(content)
    if length in (0, *record_ends(content, "TFRecord").tolist()):
        return
    with pytest.raises(RecordFormatError, match="cut short"):
        split_records(content[:length], "TFRecord")
