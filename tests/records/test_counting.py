import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.errors import RecordTooLargeError
from planner.records.counting import PROBABILITIES, RequestCounter, SizeHistogram
from planner.records.pack import pack, payload_limit_bytes
from planner.records.sizes import RecordSizeStore
from planner.units import MIB

objects_of_sizes = st.lists(
    st.lists(st.one_of(st.integers(1, 3000), st.integers(1, 3 * MIB)), min_size=1, max_size=60), max_size=5
)


def requests(objects: list[list[int]], limit: int) -> list[int]:
    """Records per request over all objects, packed one by one."""
    return [n for sizes in objects for n in np.diff(pack(np.array(sizes), limit), prepend=0).tolist()]


@given(objects_of_sizes, st.integers(1, 20))
def test_one_pass_counts_the_requests_of_every_limit(objects: list[list[int]], piece: int) -> None:
    counter = RequestCounter()
    for sizes in objects:
        ends = np.cumsum(sizes, dtype=np.int64)
        for at in range(0, len(sizes), piece):
            counter.feed(ends[at : at + piece], max(sizes[at : at + piece]))
        counter.end_object()
    largest = max((max(sizes) for sizes in objects), default=0)
    counted = counter.requests_by_payload_mb()
    assert len(counted) == 100
    for payload_mb in (*range(1, 8), 50, 100):
        limit = payload_limit_bytes(payload_mb)
        expected = len(requests(objects, limit)) if largest <= limit else 0
        assert counted[payload_mb - 1] == expected


@given(objects_of_sizes, st.sampled_from([1, 7, 1000]), st.integers(1, 4))
def test_the_store_gives_records_per_request_as_the_packer_does(
    objects: list[list[int]], piece: int, payload_mb: int
) -> None:
    store = RecordSizeStore()
    for number, sizes in enumerate(objects):
        for at in range(0, len(sizes), piece):
            store.add(np.array(sizes[at : at + piece], np.int64))
        store.end_object(f"part-{number}")
    limit = payload_limit_bytes(payload_mb)
    too_large = [n for n, sizes in enumerate(objects) if max(sizes) > limit]
    if too_large:
        with pytest.raises(RecordTooLargeError, match=rf"^part-{too_large[0]}: record"):
            store.records_per_request(limit)
    else:
        assert store.records_per_request(limit).tolist() == requests(objects, limit)


def test_the_store_cuts_objects_right_when_blocks_and_objects_do_not_align() -> None:
    generator = np.random.default_rng(0)
    objects = [generator.integers(1, 300, n) for n in (700_000, 900_000, 10, 1_200_000)]
    store = RecordSizeStore()
    for number, sizes in enumerate(objects):
        for part in np.array_split(sizes, 7):
            store.add(part)
        store.end_object(str(number))
    expected = [np.diff(pack(sizes, MIB), prepend=0) for sizes in objects]
    assert np.array_equal(store.records_per_request(MIB), np.concatenate(expected))
    assert store.records == 2_800_010
    assert store.stored_bytes == 2 * store.records


def test_small_records_take_one_byte_each() -> None:
    store = RecordSizeStore()
    store.add(np.full(2**20, 255))
    assert store.stored_bytes == 2**20


@given(st.lists(st.one_of(st.integers(1, 5000), st.integers(1, 2**45)), min_size=1, max_size=400), st.integers(1, 50))
def test_quantiles_are_within_their_stated_resolution(sizes: list[int], piece: int) -> None:
    histogram = SizeHistogram()
    for at in range(0, len(sizes), piece):
        histogram.add(np.array(sizes[at : at + piece], np.int64))
    found = histogram.record_sizes()
    assert (found.count, found.total_bytes) == (len(sizes), sum(sizes))
    assert (found.smallest, found.largest) == (min(sizes), max(sizes))
    ordered = sorted(sizes)
    for probability, size in found.quantiles:
        exact = ordered[max(int(np.ceil(probability * len(sizes))), 1) - 1]
        assert size == exact if exact < 4096 else abs(size - exact) <= exact / 2048
    assert tuple(p for p, _ in found.quantiles) == PROBABILITIES


def test_a_size_that_is_alone_in_its_bin_is_exact() -> None:
    histogram = SizeHistogram()
    histogram.add(np.full(1000, 10_001))
    assert {size for _, size in histogram.record_sizes().quantiles} == {10_001}


def test_nothing_added_is_an_empty_distribution() -> None:
    found = SizeHistogram().record_sizes()
    assert (found.count, found.total_bytes, found.smallest, found.largest) == (0, 0, 0, 0)
    assert found.mean == 0
