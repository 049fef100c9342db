import gzip
import io
import tracemalloc
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.errors import RecordTooLargeError
from planner.records.dataset import SplitType
from planner.records.pack import ANY_SIZE_MB
from planner.records.payloads import Payload, iter_payloads
from planner.records.policy import BlankLines, CuttingPolicy
from planner.records.split import split_records
from planner.units import MIB
from tests.records.inputs import line_bytes, recordio_frame, recordio_payloads


def multi(content: bytes, split_type: SplitType = "Line", max_payload_mb: int = 1) -> list[Payload]:
    return list(
        iter_payloads(
            io.BytesIO(content),
            split_type=split_type,
            batch_strategy="MultiRecord",
            max_payload_mb=max_payload_mb,
            source="a",
        )
    )


def single(content: bytes, split_type: SplitType, max_payload_mb: int = 1) -> list[Payload]:
    return list(
        iter_payloads(
            io.BytesIO(content),
            split_type=split_type,
            batch_strategy="SingleRecord",
            max_payload_mb=max_payload_mb,
            source="a",
        )
    )


@given(st.lists(st.integers(0, MIB - 1), min_size=1, max_size=12), st.booleans())
def test_concatenated_payloads_are_the_input_and_none_is_over_the_limit(lengths: list[int], ends: bool) -> None:
    content = b"".join(bytes([65 + i % 26]) * length + b"\n" for i, length in enumerate(lengths))
    content = content if ends else content[:-1]
    payloads = multi(content)
    assert b"".join(p.body for p in payloads) == content
    assert all(0 < len(p.body) <= MIB for p in payloads)
    assert [len(split_records(p.body, "Line")) for p in payloads] == [p.records for p in payloads]
    for before, after in pairwise(payloads):
        assert len(before.body) + len(split_records(after.body, "Line")[0]) > MIB
        assert after.first_record == before.first_record + before.records
        assert after.offset == before.offset + len(before.body)


@given(recordio_payloads)
def test_recordio_keeps_its_frames_in_multi_record_and_loses_them_in_single_record(payloads: list[bytes]) -> None:
    content = b"".join(map(recordio_frame, payloads))
    assert b"".join(p.body for p in multi(content, "RecordIO")) == content
    assert [p.body for p in single(content, "RecordIO")] == payloads


@given(line_bytes)
def test_single_record_sends_every_line_alone(content: bytes) -> None:
    sent = single(content, "Line")
    assert [p.body for p in sent] == split_records(content, "Line")
    assert [p.first_record for p in sent] == list(range(len(sent)))


def test_split_type_none_sends_the_whole_object_once() -> None:
    assert [(p.body, p.records) for p in multi(b"a\nb", "None")] == [(b"a\nb", 1)]
    assert multi(b"", "None") == []


@given(line_bytes)
def test_without_a_limit_an_object_is_one_payload_and_single_records_stay_single(content: bytes) -> None:
    whole = [p.body for p in multi(content, "Line", max_payload_mb=ANY_SIZE_MB)]
    assert whole == ([content] if content else [])
    assert [p.body for p in single(content, "Line", max_payload_mb=ANY_SIZE_MB)] == split_records(content, "Line")


def test_gzip_objects_are_packed_by_their_inflated_size() -> None:
    content = (b"0" * 9_999 + b"\n") * 300
    payloads = iter_payloads(
        io.BytesIO(gzip.compress(content)),
        split_type="Line",
        batch_strategy="MultiRecord",
        max_payload_mb=1,
        compression_type="Gzip",
    )
    assert [p.records for p in payloads] == [104, 104, 92]


def test_blank_lines_are_left_out_where_the_policy_says_so() -> None:
    payloads = iter_payloads(
        io.BytesIO(b"a\n\n\r\nb\n\n"),
        split_type="Line",
        batch_strategy="MultiRecord",
        max_payload_mb=1,
        policy=CuttingPolicy(blank_lines=BlankLines.DROPPED),
    )
    assert [(p.body, p.records) for p in payloads] == [(b"a\nb\n", 2)]


@pytest.mark.parametrize("packed", [multi, single])
def test_a_record_over_the_limit_ends_in_an_error_that_tells_its_size(
    packed: Callable[[bytes, SplitType], list[Payload]],
) -> None:
    content = b"a\n" + b"b" * (3 * MIB) + b"\nc\n"
    with pytest.raises(RecordTooLargeError, match=r"^a: record 2 at byte 2 has 3,145,729 bytes"):
        packed(content, "Line")


class _Endless(io.RawIOBase):
    """So many zero bytes, without a file or memory to hold them."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self._left = count

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        count = min(self._left, len(buffer))
        buffer[:count] = bytes(count)
        self._left -= count
        return count


def test_an_endless_line_does_not_fill_the_memory() -> None:
    tracemalloc.start()
    try:
        with pytest.raises(RecordTooLargeError, match="has 209,715,200 bytes"):
            list(
                iter_payloads(
                    _Endless(200 * MIB), split_type="Line", batch_strategy="MultiRecord", max_payload_mb=2, source="a"
                )
            )
        assert tracemalloc.get_traced_memory()[1] < 12 * MIB
    finally:
        tracemalloc.stop()
