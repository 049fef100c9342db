import pytest

from planner.campaign.points import Point
from planner.documents import replace
from planner.performance.turns import cpus_usable
from planner.profiling.profile import Measurement
from tests.campaign.surfaces import row


def shared(ready: float, active: int, *, cpu_s: float = 40 * 0.025, throttled_s: float | None = None) -> Measurement:
    """One second on one CPU, 40 requests of `cpu_s` together."""
    measured = row(Point(records_per_request=1000, concurrency=4), 40_000.0)
    return replace(measured, cpus=1.0, cpu_s=cpu_s, ready_threads=ready, active_threads=active, throttled_s=throttled_s)


def test_workers_that_are_all_ready_can_use_more_cpus() -> None:
    assert cpus_usable([shared(3.0, 3), shared(1.98, 2)], 1.0) is None


def test_threads_that_wait_asleep_or_for_the_interpreter_lock_use_one_cpu() -> None:
    assert cpus_usable([shared(1.0, 4)], 1.0) == 1.0
    assert cpus_usable([shared(1.36, 2), shared(1.56, 3), shared(1.75, 3)], 1.0) == 1.0


def test_threads_that_take_turns_for_a_part_of_their_work_lie_between() -> None:
    found = cpus_usable([shared(3.2, 4)], 1.0)
    assert found is not None
    assert 1.5 < found < 3.2


@pytest.mark.parametrize(
    "silent",
    [
        shared(1.0, 1),
        shared(3.5, 4, cpu_s=0.5),
        shared(1.0, 4, throttled_s=0.0),
        replace(shared(1.0, 4), disturbed_share=0.4),
        replace(shared(1.0, 4), cpu_s=40 * 0.025, requests=4000),
        replace(shared(1.0, 4), ready_threads=None),
        replace(shared(1.0, 3), concurrency=1),
    ],
    ids=["one thread", "idle CPU", "quota", "disturbed", "short requests", "threads not seen", "workers in turn"],
)
def test_what_shows_nothing_is_not_read(silent: Measurement) -> None:
    assert cpus_usable([silent], 1.0) is None
