import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.jobs.simulation.loss import expected_instances, expected_loss
from planner.jobs.simulation.requests import ObjectRequests, object_requests
from tests.planning.cases import dataset, run


def requests_of(*objects: tuple[int, int]) -> ObjectRequests:
    return object_requests(dataset([run(r, copies=m) for r, m in objects]), "SingleRecord", 1)


def test_no_bad_records_lose_nothing() -> None:
    loss = expected_loss(requests_of((1000, 10)), 0.0, instances=4, startup_usd=1.0, work_usd=10.0)
    assert (loss.job_fails, loss.objects, loss.records_share, loss.rerun_usd) == (0.0, 0.0, 0.0, 0.0)


def test_one_object_is_lost_with_its_first_bad_record() -> None:
    loss = expected_loss(requests_of((1000, 1)), 1e-3, instances=1, startup_usd=2.0, work_usd=10.0)
    lost = 1 - 0.999**1000
    assert loss.objects == loss.job_fails == loss.records_share == pytest.approx(lost)
    assert loss.rerun_usd == pytest.approx(lost * 12.0)


def test_a_large_object_is_lost_more_often_than_its_share() -> None:
    loss = expected_loss(requests_of((9000, 1), (10, 100)), 1e-4, instances=2, startup_usd=None, work_usd=None)
    assert loss.objects_share < loss.records_share
    assert loss.rerun_usd is None


def test_smaller_objects_lose_fewer_records() -> None:
    shares = [
        expected_loss(requests_of((10_000 // m, m)), 1e-4, instances=1, startup_usd=1, work_usd=1).records_share
        for m in (1, 10, 100)
    ]
    assert shares == sorted(shares, reverse=True)


def test_expected_instances_of_equal_objects_follow_the_binomial() -> None:
    """N ~ binomial(5, 0.3), two instances: P(N >= 1) + P(N >= 2)."""
    none, one = 0.7**5, 5 * 0.3 * 0.7**4
    expected = (1 - none) + (1 - none - one)
    assert expected_instances(np.array([0.3]), np.array([5.0]), 2) == pytest.approx(expected)
    assert expected_instances(np.full(5, 0.3), np.ones(5), 2) == pytest.approx(expected)


@given(st.lists(st.tuples(st.floats(0, 1), st.integers(1, 40)), min_size=1, max_size=8), st.integers(1, 100))
def test_expected_instances_lie_between_any_and_all(runs: list[tuple[float, int]], instances: int) -> None:
    lost, copies = (np.array(column, dtype=np.float64) for column in zip(*runs, strict=True))
    found = expected_instances(lost, copies, instances)
    assert found <= min(instances, float(lost @ copies)) + 1e-9
    survived = math.prod((1 - q) ** m for q, m in runs)
    assert found >= 1 - survived - 1e-9
    if instances >= copies.sum():
        assert found == pytest.approx(float(lost @ copies))


def test_very_many_shapes_are_merged_without_changing_what_is_expected() -> None:
    lost = np.linspace(1e-7, 2e-4, 30_000)
    found = expected_instances(lost, np.ones(30_000), 100)
    assert found == pytest.approx(float(lost.sum()), rel=1e-6)


def test_certain_loss_needs_every_instance() -> None:
    assert expected_instances(np.array([1.0]), np.array([7.0]), 4) == pytest.approx(4.0)
