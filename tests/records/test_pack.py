from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.errors import RecordTooLargeError
from planner.records.pack import GreedyPacker, pack, payload_limit_bytes
from planner.records.policy import CuttingPolicy, TieRule
from planner.units import MIB

STRICT = CuttingPolicy(tie_rule=TieRule.LIMIT_IS_TOO_LARGE)

sizes_and_limits = st.integers(1, 400).flatmap(
    lambda limit: st.tuples(st.lists(st.integers(1, limit), max_size=300), st.just(limit))
)


def reference_packer(sizes: list[int], limit: int) -> list[int]:
    """The rule as the public logs gave it: flush when the next record would exceed the limit; counts of records."""
    ends, current = [], 0
    for index, size in enumerate(sizes):
        if current + size > limit:
            ends.append(index)
            current = 0
        current += size
    return [*ends, len(sizes)] if sizes else []


def test_the_public_job_log_is_reproduced() -> None:
    """25,000 rows of 10,001 bytes at MaxPayloadInMB 6 made 40 requests: 39 of 629 rows and one of 469."""
    ends = pack(np.full(25_000, 10_001), payload_limit_bytes(6))
    assert np.diff(ends, prepend=0).tolist() == [629] * 39 + [469]


@given(sizes_and_limits)
def test_packing_equals_the_reference_packer(case: tuple[list[int], int]) -> None:
    sizes, limit = case
    assert pack(np.array(sizes, np.int64), limit).tolist() == reference_packer(sizes, limit)


@given(sizes_and_limits)
def test_no_payload_exceeds_the_limit_and_none_could_take_the_next_record(case: tuple[list[int], int]) -> None:
    sizes, limit = case
    edges = [0, *pack(np.array(sizes, np.int64), limit).tolist()]
    for first, last in pairwise(edges):
        assert 0 < sum(sizes[first:last]) <= limit
        assert last == len(sizes) or sum(sizes[first : last + 1]) > limit


@given(sizes_and_limits, st.integers(1, 50))
def test_packing_piece_by_piece_equals_packing_at_once(case: tuple[list[int], int], piece: int) -> None:
    sizes, limit = case
    ends = np.cumsum(sizes, dtype=np.int64)
    packer = GreedyPacker(limit)
    cuts = [cut for at in range(0, len(sizes), piece) for cut in packer.feed(ends[at : at + piece])] + packer.finish()
    assert [cut.records for cut in cuts] == reference_packer(sizes, limit)
    assert [cut.offset for cut in cuts] == [int(ends[cut.records - 1]) for cut in cuts]


@given(sizes_and_limits, st.data())
def test_a_record_over_the_limit_is_named_with_object_index_offset_and_size(
    case: tuple[list[int], int], data: st.DataObject
) -> None:
    sizes, limit = case
    index = data.draw(st.integers(0, len(sizes)))
    spoilt = [*sizes[:index], limit + 1, *sizes[index:]]
    message = (
        rf"^a/b\.csv: record {index + 1:,} at byte {sum(sizes[:index]):,} has {limit + 1:,} bytes .* {limit:,} bytes"
    )
    with pytest.raises(RecordTooLargeError, match=message):
        pack(np.array(spoilt), limit, "a/b.csv")
    with pytest.raises(RecordTooLargeError, match=message):
        GreedyPacker(limit, "a/b.csv").feed(np.cumsum(spoilt))


@pytest.mark.parametrize("records_per_request", [1, 2, 5, 30, 70, 5_000])
def test_many_records_are_packed_as_the_reference_packer_does(records_per_request: int) -> None:
    sizes = np.random.default_rng(records_per_request).integers(500, 1500, 30_000)
    limit = 1500 + 1000 * (records_per_request - 1)
    assert pack(sizes, limit).tolist() == reference_packer(sizes.tolist(), limit)


def test_the_error_says_which_payload_limit_would_do() -> None:
    with pytest.raises(RecordTooLargeError, match="MaxPayloadInMB 3 or more"):
        pack(np.array([2 * MIB + 1]), payload_limit_bytes(2))
    with pytest.raises(RecordTooLargeError, match="No request may exceed 100 MiB"):
        pack(np.array([100 * MIB + 1]), payload_limit_bytes(100))


def test_a_payload_of_exactly_the_limit_is_sent_unless_the_policy_says_otherwise() -> None:
    sizes = np.full(4, MIB // 2)
    assert pack(sizes, payload_limit_bytes(1)).tolist() == [2, 4]
    assert pack(sizes, payload_limit_bytes(1, STRICT)).tolist() == [1, 2, 3, 4]


@pytest.mark.parametrize("max_payload_mb", [0, 101])
def test_limits_outside_of_the_api_are_refused(max_payload_mb: int) -> None:
    with pytest.raises(ValueError, match="1 to 100"):
        payload_limit_bytes(max_payload_mb)
