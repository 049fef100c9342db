import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.documents import replace
from planner.jobs.sharing import SideBySide, stretched

WORK = st.lists(st.floats(min_value=0.0, max_value=1e6), min_size=1, max_size=6)


def _found(instances: int, *, profiled: float = 100.0, alone: float, together: float) -> SideBySide:
    return SideBySide(
        instances=instances,
        cpus=1.0,
        profiled_requests_per_s=profiled,
        alone_requests_per_s=alone,
        together_requests_per_s=together,
        client_cpu_s_per_request=1e-4,
        requests=1000,
        keeps_connections=True,
    )


@given(WORK)
def test_without_slowdown_ends_stay_where_they_are(work: list[float]) -> None:
    ends = np.array([work])
    assert stretched(ends, (1.0,) * len(work)) == pytest.approx(ends)


@given(WORK)
def test_one_processor_shared_by_all_ends_when_the_work_of_all_is_done(work: list[float]) -> None:
    slowdowns = tuple(float(at_work) for at_work in range(1, len(work) + 1))
    assert stretched(np.array([work]), slowdowns).max() == pytest.approx(sum(work))


@given(WORK, st.floats(min_value=1.0, max_value=8.0))
def test_nobody_ends_earlier_and_nobody_overtakes(work: list[float], slowdown: float) -> None:
    ends = np.array([work])
    real = stretched(ends, _found(len(work), alone=100.0, together=100.0 / slowdown).slowdowns())
    assert np.all(real >= ends * (1 - 1e-9))
    assert np.all(real <= ends * slowdown * (1 + 1e-9))
    assert np.all(np.diff(real[0][np.argsort(work, kind="stable")]) >= -1e-6)


def test_two_instances_are_slow_until_the_shorter_ends_and_then_as_fast_as_one_alone() -> None:
    slowdowns = _found(2, alone=80.0, together=50.0).slowdowns()
    assert slowdowns == pytest.approx((1.25, 2.0))
    assert stretched(np.array([[1.0, 3.0]]), slowdowns) == pytest.approx(np.array([[2.0, 4.5]]))


def test_a_runner_that_is_short_for_all_is_enough_for_a_few() -> None:
    assert _found(4, alone=100.0, together=40.0).slowdowns() == pytest.approx((1.0, 1.25, 1.875, 2.5))


def test_one_instance_has_the_runners_own_cost_only_and_noise_makes_none_faster() -> None:
    assert _found(1, alone=80.0, together=80.0).slowdowns() == pytest.approx((1.25,))
    assert _found(3, alone=105.0, together=101.0).slowdowns() == (1.0, 1.0, 1.0)


def test_containers_that_were_tried_also_tell_that_the_machine_is_faster_or_slower_now() -> None:
    faster = replace(_found(2, alone=125.0, together=110.0), tried="containers")
    assert faster.slowdowns() == pytest.approx((0.8, 1 / 1.1))
    assert stretched(np.array([[1.0, 1.0]]), faster.slowdowns()) == pytest.approx(np.array([[1 / 1.1, 1 / 1.1]]))
