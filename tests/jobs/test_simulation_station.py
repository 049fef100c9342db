import heapq
import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.jobs.simulation.assignment import Dealer
from planner.jobs.simulation.requests import object_requests
from planner.jobs.simulation.station import ObjectWork, WorkList, drained, play, serve, started, work_list
from planner.planning.space import Floats
from tests.planning.cases import dataset, run

STEADY = np.ones(1)
"""A shape without noise."""


def ends(service_s: Floats, slots: int, drain: Floats | None = None) -> Floats:
    """(stations,) the ends of lists (requests, stations)."""
    state = np.zeros((slots, service_s.shape[1]))
    serve(state, service_s)
    return drained(state, np.ones(slots) if drain is None else drain)[0]


def singly(*seconds: float) -> WorkList:
    return WorkList(head_requests=0, head_s=0.0, head_square_s2=0.0, tail_s=np.array(seconds))


def by_heap(service_s: Sequence[float], slots: int) -> list[float]:
    """The textbook way: the slot that is free first gets the next request."""
    free = [0.0] * slots
    for seconds in service_s:
        heapq.heapreplace(free, free[0] + seconds)
    return sorted(free)


times = st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=60)
slots = st.integers(1, 12)


@given(times, slots)
def test_slots_end_as_those_of_a_heap_do(service_s: list[float], slots: int) -> None:
    state = np.zeros((slots, 1))
    serve(state, np.array(service_s)[:, None])
    assert state[:, 0].tolist() == pytest.approx(by_heap(service_s, slots))


@given(times, slots)
def test_an_end_keeps_the_bounds_of_list_scheduling(service_s: list[float], slots: int) -> None:
    """Graham 1969: no later than (sum - max) / c + max, no earlier than sum / c or the longest request."""
    end = float(ends(np.array(service_s)[:, None], slots)[0])
    work, longest = sum(service_s), max(service_s)
    assert max(work / slots, longest) <= end * (1 + 1e-12)
    assert end <= ((work - longest) / slots + longest) * (1 + 1e-12)


@given(times, slots)
def test_one_more_in_flight_never_ends_later_for_the_same_service_times(service_s: list[float], slots: int) -> None:
    column = np.array(service_s)[:, None]
    assert ends(column, slots + 1)[0] <= ends(column, slots)[0] * (1 + 1e-12)


@given(times, slots)
def test_time_in_flight_is_the_sum_of_service_times(service_s: list[float], slots: int) -> None:
    state = np.zeros((slots, 1))
    serve(state, np.array(service_s)[:, None])
    assert drained(state, np.ones(slots))[1][0] == pytest.approx(sum(service_s))


@given(times, slots)
def test_full_sharing_leaves_no_tail(service_s: list[float], slots: int) -> None:
    """A request alone takes 1/c of what it takes among c: throughput is the same down to the last request."""
    share = np.arange(1, slots + 1) / slots
    assert ends(np.array(service_s)[:, None], slots, share)[0] == pytest.approx(sum(service_s) / slots)


@given(st.integers(1, 200), slots, st.floats(0.01, 100))
def test_equal_requests_go_in_waves(requests: int, slots: int, seconds: float) -> None:
    assert ends(np.full((requests, 1), seconds), slots)[0] == pytest.approx(math.ceil(requests / slots) * seconds)


def test_one_slot_adds_up_all_service_times() -> None:
    assert ends(np.array([[1.0], [2.5], [4.0]]), 1)[0] == 7.5


def test_the_last_requests_speed_up_as_others_end() -> None:
    """Requests of 1 and 3 s side by side, each twice as fast alone: 1 s together, then 2 s of work in 1 s."""
    assert ends(np.array([[1.0], [3.0]]), 2, np.array([0.5, 1.0]))[0] == 2.0


def test_stations_do_not_know_of_each_other() -> None:
    random = np.random.default_rng(3)
    lists = [singly(*random.random(count)) for count in (7, 0, 31, 7, 2)]
    together = play(lists, np.ones(3), STEADY, np.random.default_rng(0)).end_s
    alone = [float(play([one], np.ones(3), STEADY, np.random.default_rng(0)).end_s[0]) for one in lists]
    assert together.tolist() == pytest.approx(alone)
    assert together[1] == 0


def test_one_slot_has_mean_and_variance_of_a_sum() -> None:
    shape = np.array([0.25, 0.75, 2.0])
    requests, stations = 40, 4000
    end_s = play([singly(*[2.0] * requests)] * stations, STEADY, shape, np.random.default_rng(1)).end_s
    sd = 2.0 * math.sqrt(requests * shape.var())
    assert end_s.mean() == pytest.approx(2.0 * requests, abs=4 * sd / math.sqrt(stations))
    # The variance of a sample variance of a nearly normal number is 2 / stations, relatively.
    assert end_s.std() == pytest.approx(sd, rel=4 * math.sqrt(0.5 / stations))


def listed(objects: Sequence[tuple[int, int]], *, slots: int, window: int, instances: int = 1) -> list[WorkList]:
    """Work of runs (records, copies) at one record a request and a second each."""
    requests = object_requests(dataset([run(r, copies=m) for r, m in objects]), "SingleRecord", 1)
    hands, one = Dealer.of(requests, instances).dealt(), np.ones(len(requests.records))
    work = ObjectWork.of(requests, one, 0 * one)
    return [work_list(work, hands, i, concurrency=slots, window=window) for i in range(instances)]


@given(
    st.lists(st.tuples(st.integers(1, 30), st.integers(1, 9)), min_size=1, max_size=8),
    slots,
    st.integers(1, 80),
    st.integers(1, 5),
)
def test_work_is_kept_when_the_first_requests_become_a_sum(
    objects: list[tuple[int, int]], slots: int, window: int, instances: int
) -> None:
    lists = listed(objects, slots=slots, window=window, instances=instances)
    assert sum(work.requests for work in lists) == sum(r * m for r, m in objects)
    for work in lists:
        assert work.head_s == pytest.approx(work.head_requests)
        assert work.head_requests % slots == 0 or not work.head_requests
        assert work.head_requests == 0 or len(work.tail_s) >= window


def test_the_sum_is_that_of_the_first_requests_in_key_order() -> None:
    requests = object_requests(dataset([run(5), run(3), run(4)]), "SingleRecord", 1)
    seconds = np.array([1.0, 10.0, 100.0])
    each = ObjectWork.of(requests, seconds, 0 * seconds)
    work = work_list(each, Dealer.of(requests, 1).dealt(), 0, concurrency=1, window=5)
    assert work.tail_s.tolist() == [10.0, 100.0, 100.0, 100.0, 100.0]
    assert (work.head_requests, work.head_s, work.head_square_s2) == (7, 25.0, 205.0)


@pytest.mark.parametrize("slots", [1, 3, 8])
def test_without_noise_a_sum_ends_exactly_as_its_requests_do(slots: int) -> None:
    exact = listed([(10_007, 1)], slots=slots, window=20_000)
    summed = listed([(10_007, 1)], slots=slots, window=100)
    assert summed[0].head_requests > 9_000
    ends = [play(work, np.ones(slots), STEADY, np.random.default_rng(0)).end_s[0] for work in (exact, summed)]
    assert ends[0] == pytest.approx(ends[1])


@pytest.mark.parametrize("noise", [0.02, 0.3, 1.0])
def test_a_sum_ends_as_its_requests_do_in_distribution(noise: float) -> None:
    """Mean within four standard errors or a twentieth of one request, spread within its own error."""
    shape = np.random.default_rng(5).gamma(1 / noise**2, noise**2, 2000)
    shape /= shape.mean()
    stations, slots = 1500, 4
    exact, summed = (
        play(listed([(900, 1)], slots=slots, window=window) * stations, np.ones(slots), shape, random).end_s
        for window, random in ((2000, np.random.default_rng(1)), (40, np.random.default_rng(2)))
    )
    error = math.hypot(exact.std(), summed.std()) / math.sqrt(stations)
    assert abs(exact.mean() - summed.mean()) < max(4 * error, 0.05)
    # Near without noise the ends fall into waves; their spread is then less than a tenth of a request either way.
    assert summed.std() == pytest.approx(exact.std(), rel=4 * math.sqrt(1 / stations), abs=0.1)


def test_slots_start_apart_by_less_than_a_request() -> None:
    work = listed([(50_000, 1)], slots=6, window=60)
    state = started(work * 200, 6, np.array([0.5, 1.5]), np.random.default_rng(0))
    assert np.all(np.diff(state, axis=0) >= 0)
    assert np.all(state[-1] - state[0] < 1.0)
    drawn = state.sum(axis=0)
    expected = work[0].head_s
    assert drawn.mean() == pytest.approx(expected, abs=4 * math.sqrt(0.25 * expected / 200))


def test_the_smaller_last_request_of_an_object_is_played_in_its_place() -> None:
    """Objects of 5 records at 2 a request: two of 1 s and a last one of half a second each."""
    requests = object_requests(dataset([run(5, record_bytes=500_000, copies=2)]), "MultiRecord", 1)
    each = ObjectWork.of(requests, np.array([1.0]), np.array([0.5]))
    work = work_list(each, Dealer.of(requests, 1).dealt(), 0, concurrency=1, window=100)
    assert work.tail_s.tolist() == [1.0, 1.0, 0.5, 1.0, 1.0, 0.5]
    cut = work_list(each, Dealer.of(requests, 1).dealt(), 0, concurrency=2, window=2)
    assert (cut.head_requests, cut.head_s, cut.head_square_s2) == (4, 3.5, 3.25)
    assert cut.tail_s.tolist() == [1.0, 0.5]
