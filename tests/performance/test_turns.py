import math

import pytest

from planner.campaign.points import Point
from planner.documents import replace
from planner.performance.turns import Parallelism, parallelism
from planner.profiling.profile import Measurement
from tests.campaign.surfaces import row


def shared(
    ready: float | None,
    active: int,
    *,
    concurrency: int = 4,
    cpus: float = 1.0,
    cpu_s: float = 40 * 0.025,
    throttled_s: float | None = None,
    processes: int | None = None,
) -> Measurement:
    """One second, 40 requests of `cpu_s` together."""
    measured = row(Point(records_per_request=1000, concurrency=concurrency), 40_000.0)
    return replace(
        measured,
        cpus=cpus,
        cpu_s=cpu_s,
        ready_threads=ready,
        active_threads=active,
        active_processes=active if processes is None else processes,
        throttled_s=throttled_s,
    )


def read(*rows: Measurement, cpus: float = 1.0, workers: float | None = None) -> Parallelism:
    return parallelism(list(rows), cpus, workers=workers)


def bounds(found: Parallelism) -> tuple[float, float, float]:
    return found.least, found.likely, found.most


def test_a_thread_for_each_request_that_is_ready_can_use_as_many_cpus_as_there_are() -> None:
    assert bounds(read(shared(3.9, 4), shared(1.98, 2, concurrency=2))) == (math.inf, math.inf, math.inf)


def test_workers_that_are_all_ready_and_fewer_than_the_requests_can_use_a_cpu_each() -> None:
    assert bounds(read(shared(2.98, 3), shared(2.98, 3, concurrency=8))) == (3, 3, math.inf)


def test_threads_of_one_process_that_are_ready_may_still_share_a_lock_that_is_held_briefly() -> None:
    assert bounds(read(shared(3.9, 4, processes=1))) == (1, math.inf, math.inf)
    assert bounds(read(shared(2.98, 3, processes=1), shared(2.98, 3, processes=1, concurrency=8))) == (1, 3, math.inf)
    kept_two_busy = shared(3.9, 4, processes=1, cpus=2.0, cpu_s=2.0)
    assert bounds(read(kept_two_busy, cpus=2.0)) == (math.inf, math.inf, math.inf)


def test_threads_that_wait_asleep_or_for_the_interpreter_lock_use_one_cpu() -> None:
    assert bounds(read(shared(1.0, 4))) == (1, 1, 1)
    assert bounds(read(shared(1.36, 2), shared(1.56, 3), shared(1.75, 3))) == (1, 1, 1)


def test_threads_that_take_turns_for_a_part_of_their_work_lie_between() -> None:
    found = read(shared(3.2, 4))
    assert found.is_known
    assert 1.5 < found.likely < 3.2


def test_one_thread_that_did_all_the_work_on_one_cpu_may_have_been_chosen_for_that_cpu() -> None:
    found = read(shared(1.0, 1))
    assert bounds(found) == (1, 1, math.inf)
    assert "1 thread did all the work" in found.words


def test_threads_as_many_as_cpus_are_taken_to_follow_them_and_fewer_are_a_limit() -> None:
    assert bounds(read(shared(2.0, 2, cpus=2.0, cpu_s=2.0), cpus=2.0)) == (2, math.inf, math.inf)
    assert bounds(read(shared(1.0, 1, cpus=2.0), cpus=2.0)) == (1, 1, 1)


def test_a_thread_or_two_more_in_flight_than_worked_is_no_pool() -> None:
    assert read(shared(None, 3, concurrency=4), shared(None, 3, concurrency=16), cpus=1.0).likely == math.inf


@pytest.mark.parametrize(
    "silent",
    [
        shared(3.5, 4, cpu_s=0.5),
        shared(1.0, 4, throttled_s=0.0),
        replace(shared(1.0, 4), disturbed_share=0.4),
        replace(shared(1.0, 4), cpu_s=40 * 0.025, requests=4000),
        replace(shared(1.0, 4), ready_threads=None),
        replace(shared(1.0, 3), concurrency=1),
    ],
    ids=["idle CPU", "quota", "disturbed", "short requests", "threads not seen", "workers in turn"],
)
def test_of_what_shows_nothing_growth_is_likely_from_one_cpu_and_not_known(silent: Measurement) -> None:
    assert bounds(read(silent)) == (1, math.inf, math.inf)
    assert not read(silent).is_known
    assert bounds(read(replace(silent, cpus=2.0), cpus=2.0)) == (math.inf, math.inf, math.inf)


def test_known_workers_are_places_of_their_own_unless_their_threads_take_turns() -> None:
    assert bounds(read(shared(1.0, 1), workers=1)) == (math.inf, math.inf, math.inf)
    assert bounds(read(shared(1.0, 4), workers=1)) == (1, 1, 1)
