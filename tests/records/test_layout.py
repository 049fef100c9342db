import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.errors import InputMissingError
from planner.records.layout import describe, repeated
from planner.records.pack import pack, payload_limit_bytes


@given(st.integers(1, 400), st.integers(1, 200_000), st.integers(1, 50))
def test_a_described_layout_packs_as_the_records_themselves_would(
    records: int, record_bytes: int, objects: int
) -> None:
    objects = min(objects, records)
    dataset = describe(records, record_bytes, objects)
    assert (dataset.records, dataset.object_count, dataset.payload_bytes) == (records, objects, records * record_bytes)
    counts = [o.records for o in dataset.objects for _ in range(o.copies)]
    assert max(counts) - min(counts) <= 1
    assert dataset.requests_by_payload_mb is not None
    for payload_mb in (1, 3, 100):
        packed = sum(len(pack(np.full(n, record_bytes), payload_limit_bytes(payload_mb))) for n in counts)
        assert dataset.requests_by_payload_mb[payload_mb - 1] == packed


def test_a_hundred_million_objects_are_two_rows() -> None:
    dataset = describe(10**9 + 1, 500, 10**8)
    assert [(o.copies, o.records) for o in dataset.objects] == [(1, 11), (10**8 - 1, 10)]
    assert dataset.record_sizes.count == 10**9 + 1
    assert "described, not read" in dataset.warnings[0]


def test_a_record_over_a_limit_has_no_request_count_there() -> None:
    dataset = describe(4, 3 * 2**20, 2)
    assert dataset.requests_by_payload_mb is not None
    assert dataset.requests_by_payload_mb[:6] == (0, 0, 4, 4, 4, 2)


@pytest.mark.parametrize(("records", "record_bytes", "objects"), [(0, 1, 1), (1, 0, 1), (1, 1, 0), (3, 1, 4)])
def test_objects_without_records_are_refused(records: int, record_bytes: int, objects: int) -> None:
    with pytest.raises(InputMissingError, match="--records, --record-bytes and --objects"):
        describe(records, record_bytes, objects)


def test_without_splitting_objects_are_records() -> None:
    assert describe(5, 10, 5, split_type="None").object_count == 5
    with pytest.raises(InputMissingError, match="SplitType None"):
        describe(10, 10, 5, split_type="None")


@given(st.integers(1, 1000))
def test_an_input_many_times_over_has_that_many_of_everything(times: int) -> None:
    once = describe(101, 1000, 7)
    many = repeated(once, times)
    assert (many.records, many.object_count, many.payload_bytes) == tuple(
        times * n for n in (once.records, once.object_count, once.payload_bytes)
    )
    assert many.record_sizes.count == times * once.record_sizes.count
    assert many.record_sizes.mean == once.record_sizes.mean
    assert many.requests_by_payload_mb == tuple(times * n for n in once.requests_by_payload_mb or ())
    assert len(many.objects) == len(once.objects)


def test_less_than_once_is_refused() -> None:
    with pytest.raises(ValueError, match="1 time or more"):
        repeated(describe(1, 1, 1), 0)
