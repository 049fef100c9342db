"""The space is what the API allows, no more and no less."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.planning.space import MAX_PAYLOAD_MB, every_packing, settings, smallest_payload_mb, undominated
from planner.records.dataset import Dataset
from planner.records.layout import describe
from planner.units import MIB
from tests.planning.cases import dataset, run

HUGE = describe(10**9, 1000, 100)


def test_482_payloads_and_concurrencies_are_allowed_by_the_product_rule() -> None:
    multi = tuple(p for p in every_packing(HUGE) if p.strategy == "MultiRecord")
    columns = settings(multi)
    payload = np.array([multi[i].max_payload_mb for i in columns.packing])
    assert len(columns) == 482 == sum(1 for p, c in itertools.product(range(1, 101), repeat=2) if p * c <= 100)
    assert (payload * columns.concurrency).max() == 100


def test_settings_stand_in_tie_breaking_order() -> None:
    columns = settings(undominated(every_packing(HUGE)))
    rows = [
        (int(c), columns.packings[i].max_payload_mb, columns.packings[i].strategy)
        for c, i in zip(columns.concurrency, columns.packing, strict=True)
    ]
    assert rows == sorted(rows)


def test_every_setting_is_found_by_its_numbers() -> None:
    columns = settings(undominated(every_packing(HUGE)))
    for k in range(len(columns)):
        packing = columns.packings[int(columns.packing[k])]
        assert columns.index_of(packing.strategy, packing.max_payload_mb, int(columns.concurrency[k])) == k
    assert columns.index_of("MultiRecord", 50, 3) is None
    assert columns.index_of("MultiRecord", 1, 101) is None


def test_single_record_keeps_only_the_smallest_payload_since_all_make_equally_many_requests() -> None:
    single = [p for p in undominated(every_packing(HUGE)) if p.strategy == "SingleRecord"]
    assert [(p.max_payload_mb, p.requests) for p in single] == [(1, 10**9)]


@pytest.mark.parametrize(
    ("largest", "smallest"), [(1, 1), (int(MIB / 1.01), 1), (MIB, 2), (6 * MIB, 7), (99 * MIB, 100), (100 * MIB, 101)]
)
def test_the_payload_holds_the_largest_record_with_one_percent_to_spare(largest: int, smallest: int) -> None:
    assert smallest_payload_mb(dataset([run(3, largest)])) == smallest
    assert every_packing(dataset([run(3, largest)])) == () or smallest <= MAX_PAYLOAD_MB


def test_without_a_split_type_a_request_is_an_object_and_must_fit_whole() -> None:
    whole = dataset([run(1, 5 * MIB, copies=7)], split_type="None")
    packings = every_packing(whole)
    assert {p.strategy for p in packings} == {"SingleRecord"}
    assert min(p.max_payload_mb for p in packings) == 6
    assert {p.requests for p in packings} == {7}


@given(
    records=st.integers(1, 5000),
    record_bytes=st.integers(1, 400_000),
    objects=st.integers(1, 9),
    mb=st.integers(1, 100),
)
def test_uncounted_requests_are_those_of_greedy_packing(records: int, record_bytes: int, objects: int, mb: int) -> None:
    data = dataset([run(records, record_bytes, copies=objects)])
    per_request = mb * MIB // record_bytes
    found = [p for p in every_packing(data) if p.strategy == "MultiRecord" and p.max_payload_mb == mb]
    assert [p.requests for p in found] == [objects * -(-records // per_request)]


@given(records=st.integers(9, 50_000), objects=st.integers(1, 9))
def test_no_packing_that_is_left_out_makes_fewer_requests_with_as_much_concurrency(records: int, objects: int) -> None:
    data: Dataset = describe(records, 5000, objects)
    kept = undominated(every_packing(data))
    for packing in every_packing(data):
        assert any(
            k.strategy == packing.strategy
            and k.requests == packing.requests
            and k.max_payload_mb <= packing.max_payload_mb
            for k in kept
        )
