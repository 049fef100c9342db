import struct

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from planner.errors import RecordFormatError
from planner.records.policy import CuttingPolicy, Wrapper
from planner.records.split import split_records, unwrapped
from tests.records.inputs import MAGIC, recordio_frame, recordio_payloads

WRITTEN_BY_MXNET = bytes.fromhex(
    "0a23d7ce000000000a23d7ce01000000610000000a23d7ce02000000616200000a23d7ce03000000616263000a23d7ce"
    "04000000616263640a23d7ce000000200a23d7ce000000600a23d7ce000000200a23d7ce000000400a23d7ce00000040"
    "0a23d7ce000000600a23d7ce05000000610a23d7ce0000000a23d7ce04000020616263640a23d7ce0100006065000000"
    "0a23d7ce04000020616263640a23d7ce04000040656667680a23d7ce000000600a23d7ce050000000000000000000000"
)
"""By the RecordIO writer of mxnet 1.9.1, where the format comes from; kept as bytes, for that library has 150 MB."""
MXNET_PAYLOADS = [
    *(b"", b"a", b"ab", b"abc", b"abcd"),
    *(MAGIC, MAGIC * 3, b"a" + MAGIC, b"abcd" + MAGIC + b"e", b"abcd" + MAGIC + b"efgh" + MAGIC, b"\0" * 5),
]
KEEP_HEADERS = CuttingPolicy(wrapper=Wrapper.ALIGNMENT_ONLY)


@given(recordio_payloads)
@example([b"", MAGIC, MAGIC * 3, b"a" + MAGIC, b"abcd" + MAGIC + b"e"])
def test_what_an_independent_writer_framed_comes_back(payloads: list[bytes]) -> None:
    content = b"".join(map(recordio_frame, payloads))
    records = split_records(content, "RecordIO")
    assert records == [recordio_frame(p) for p in payloads]
    assert [unwrapped(r, "RecordIO") for r in records] == payloads


def test_what_the_formats_own_library_wrote_comes_back() -> None:
    records = split_records(WRITTEN_BY_MXNET, "RecordIO")
    assert [unwrapped(record, "RecordIO") for record in records] == MXNET_PAYLOADS
    assert b"".join(map(recordio_frame, MXNET_PAYLOADS)) == WRITTEN_BY_MXNET


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
