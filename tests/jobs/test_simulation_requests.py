import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.documents import replace
from planner.jobs.simulation.requests import object_requests
from planner.planning.space import every_packing
from planner.records.dataset import InputObject
from planner.records.layout import describe, repeated
from planner.units import MIB
from tests.planning.cases import dataset, run


def test_the_public_job_log_is_cut_into_its_waves() -> None:
    """25,000 rows of 10,001 bytes at 6 MB: 39 requests of 629 rows and one of 469."""
    requests = object_requests(dataset([run(25_000, record_bytes=10_001)]), "MultiRecord", 6)
    assert (requests.full.tolist(), requests.full_records.tolist(), requests.last_records.tolist()) == (
        [39],
        [629.0],
        [469.0],
    )
    assert requests.requests == 40


def test_single_record_makes_one_request_of_each_record() -> None:
    requests = object_requests(dataset([run(7, copies=3), run(2)]), "SingleRecord", 1)
    assert requests.requests == requests.total_records == 23
    assert requests.sizes.tolist() == [1.0]


def test_without_a_split_type_a_request_is_an_object() -> None:
    requests = object_requests(dataset([run(7, copies=3), run(2)], split_type="None"), "SingleRecord", 1)
    assert requests.requests == 4
    assert requests.sizes.tolist() == [2.0, 7.0]


def test_objects_without_records_are_passed_over_but_keep_their_place() -> None:
    requests = object_requests(dataset([run(3), run(0, copies=4), run(5)]), "SingleRecord", 1)
    assert requests.first.tolist() == [0, 5]
    assert requests.objects == 2


@given(
    st.lists(st.tuples(st.integers(1, 5000), st.integers(1, 4)), min_size=1, max_size=10),
    st.integers(20, 90_000),
    st.integers(1, 8),
)
def test_every_record_is_in_one_request(objects: list[tuple[int, int]], record_bytes: int, payload_mb: int) -> None:
    data = dataset([run(r, record_bytes=record_bytes, copies=m) for r, m in objects])
    requests = object_requests(data, "MultiRecord", payload_mb)
    held = requests.full * requests.full_records + requests.last_records
    assert held.tolist() == pytest.approx(requests.records.tolist())
    assert np.all(requests.last_records < requests.full_records)
    assert np.all(requests.full_records * record_bytes <= payload_mb * MIB)


@pytest.mark.parametrize(("records", "objects", "times"), [(1_000_000, 7, 1), (999_983, 100, 3), (12, 12, 2)])
def test_a_described_input_has_the_requests_that_the_plan_counts(records: int, objects: int, times: int) -> None:
    data = repeated(describe(records, 777, objects), times)
    for packing in every_packing(data)[::17]:
        assert object_requests(data, packing.strategy, packing.max_payload_mb).requests == packing.requests


def test_records_of_many_sizes_add_up_to_the_counted_requests() -> None:
    """Greedy packing of uneven records leaves part of every payload empty; the scan counted how many that makes."""
    objects = tuple(
        InputObject(
            key=f"o{i}", stored_bytes=size, payload_bytes=size, records=400 + 7 * i, largest_record_bytes=500_000
        )
        for i, size in enumerate(range(40_000_000, 60_000_000, 1_000_000))
    )
    even = object_requests(dataset(objects), "MultiRecord", 1).requests
    counted = even + 130
    data = replace(dataset(objects), requests_by_payload_mb=(counted, *[1] * 99))
    found = object_requests(data, "MultiRecord", 1)
    assert found.requests == counted
    assert float(found.full @ found.full_records + found.last_records.sum()) == pytest.approx(found.total_records)
