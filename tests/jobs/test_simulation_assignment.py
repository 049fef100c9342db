import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.jobs.local.assignment import deal
from planner.jobs.simulation.assignment import Dealer, Hands
from planner.jobs.simulation.requests import ObjectRequests, object_requests
from tests.planning.cases import dataset, run

runs = st.lists(st.tuples(st.integers(0, 9), st.integers(1, 30)), min_size=1, max_size=8).filter(
    lambda objects: any(records for records, _ in objects)
)


def requests_of(objects: list[tuple[int, int]]) -> ObjectRequests:
    return object_requests(dataset([run(r, copies=m) for r, m in objects]), "SingleRecord", 1)


def records_dealt(requests: ObjectRequests, hands: Hands, instances: int) -> list[list[int]]:
    """Records of every object of each instance, in order."""
    found = []
    for i in range(instances):
        held, count = hands.of(i)
        found.append(np.repeat(requests.records[held], count).tolist())
    return found


@given(runs, st.integers(1, 12))
def test_dealing_is_what_the_local_run_does(objects: list[tuple[int, int]], instances: int) -> None:
    unrolled = [records for records, copies in objects for _ in range(copies)]
    expected = [[r for r in hand if r] for hand in deal(unrolled, instances)]
    requests = requests_of(objects)
    found = records_dealt(requests, Dealer.of(requests, instances).dealt(), instances)
    assert found == expected + [[]] * (instances - len(expected))


@given(runs, st.integers(1, 12), st.integers(0, 5))
def test_at_random_every_object_goes_somewhere(objects: list[tuple[int, int]], instances: int, seed: int) -> None:
    requests = requests_of(objects)
    hands = Dealer.of(requests, instances).at_random(np.random.default_rng(seed))
    found = records_dealt(requests, hands, instances)
    assert sorted(r for hand in found for r in hand) == sorted(r for r, m in objects for _ in range(m) if r)


@pytest.mark.parametrize("copies", [1, 40])
def test_at_random_all_instances_are_equally_likely(copies: int) -> None:
    """40 objects on 4 instances, as 40 runs of one and as one run of 40: binomial(40, 1/4) on each."""
    requests = requests_of([(1, copies)] * (40 // copies))
    dealer, random = Dealer.of(requests, 4), np.random.default_rng(1)
    drawn = [dealer.at_random(random) for _ in range(2000)]
    held = np.array([[int(hands.of(i)[1].sum()) for i in range(4)] for hands in drawn])
    assert np.all(held.sum(axis=1) == 40)
    assert held.mean(axis=0).tolist() == pytest.approx([10.0] * 4, abs=4 * math.sqrt(7.5 / 2000))
    assert held.var(axis=0).tolist() == pytest.approx([7.5] * 4, rel=4 * math.sqrt(2 / 2000))
