import struct

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from planner.errors import RecordFormatError
from planner.records.policy import CuttingPolicy, Wrapper
from planner.records.split import split_records, unwrapped
from tests.records.inputs import MAGIC, recordio_frame, recordio_payloads

KEEP_HEADERS = CuttingPolicy(wrapper=Wrapper.ALIGNMENT_ONLY)


@given(recordio_payloads)
@example([b"", MAGIC, MAGIC * 3, b"a" + MAGIC, b"abcd" + MAGIC + b"e"])
def test_what_an_independent_writer_framed_comes_back(payloads: list[bytes]) -> None:
    content = b"".join(map(recordio_frame, payloads))
    records = split_records(content, "RecordIO")
    assert records == [recordio_frame(p) for p in payloads]
    assert [unwrapped(r, "RecordIO") for r in records] == payloads


@given(recordio_payloads)
def test_the_other_policy_strips_alignment_bytes_only(payloads: list[bytes]) -> None:
    for payload in payloads:
        record = recordio_frame(payload)
        kept = unwrapped(record, "RecordIO", KEEP_HEADERS)
        assert record == kept + b"\0" * (-len(payload) % 4)


def test_a_record_with_the_magic_inside_is_one_record_of_several_parts() -> None:
    record = recordio_frame(b"abcd" + MAGIC + b"efg")
    assert struct.unpack_from("<I", record, 4)[0] >> 29 == 1
    assert split_records(record, "RecordIO") == [record]


@given(st.integers(1, 27))
def test_an_object_that_ends_inside_a_frame_is_refused(missing: int) -> None:
    content = recordio_frame(b"first") + recordio_frame(b"second record")
    with pytest.raises(RecordFormatError, match=r"record [12] at byte (0|16) .*cut short"):
        split_records(content[:-missing] if missing != 24 else content[:-23], "RecordIO", "a.rec")


def test_a_part_without_its_beginning_is_refused() -> None:
    middle = MAGIC + struct.pack("<I", 2 << 29 | 4) + b"abcd"
    with pytest.raises(RecordFormatError, match=r"a\.rec: RecordIO record 2 at byte 12 has part flag 2 where 0 or 1"):
        split_records(recordio_frame(b"abcd") + middle, "RecordIO", "a.rec")


def test_a_record_whose_last_part_is_missing_is_refused() -> None:
    first = MAGIC + struct.pack("<I", 1 << 29 | 4) + b"abcd"
    with pytest.raises(RecordFormatError, match="cut short"):
        split_records(first, "RecordIO")
    with pytest.raises(RecordFormatError, match="has part flag 0 where 2 or 3 is due"):
        split_records(first + recordio_frame(b"x"), "RecordIO")
