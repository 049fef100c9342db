import pytest

from planner.container.cpus import available_cpus
from planner.errors import ContainerLimitError
from planner.jobs.local.assignment import cpu_sets
from planner.jobs.local.retries import RetryPolicy, is_retried
from planner.profiling.http1 import Failure

CPUS = available_cpus()


def test_one_instance_without_a_wish_has_the_whole_machine() -> None:
    assert cpu_sets(1, None) == ([None], None)


@pytest.mark.skipif(len(CPUS) < 2, reason="one CPU cannot be divided")
def test_two_instances_have_equal_shares_that_do_not_overlap() -> None:
    (first, second), said = cpu_sets(2, None)
    assert first is not None
    assert second is not None
    assert len(first) == len(second) == len(CPUS) // 2
    assert not set(first) & set(second)
    assert said is None


def test_instances_that_outnumber_the_cpus_share_them_and_that_is_said() -> None:
    sets, said = cpu_sets(len(CPUS) + 1, None)
    assert {cpu for share in sets if share for cpu in share} == set(CPUS)
    assert said is not None
    assert "slow each other down" in said


@pytest.mark.parametrize("cpus", [0.5, 0.0, float(len(CPUS) + 1)])
def test_a_share_that_cannot_be_pinned_is_refused(cpus: float) -> None:
    with pytest.raises(ContainerLimitError, match="whole CPUs"):
        cpu_sets(1, cpus)


@pytest.mark.parametrize(
    ("failure", "again"),
    [
        (Failure(kind="status", status=500), True),
        (Failure(kind="status", status=503), True),
        (Failure(kind="status", status=400), False),
        (Failure(kind="status", status=429), False),
        (Failure(kind="status", status=302), False),
        (Failure(kind="timeout"), True),
        (Failure(kind="reset"), True),
        (Failure(kind="refused"), True),
    ],
)
def test_the_servers_faults_are_tried_again_and_the_requests_own_are_not(failure: Failure, *, again: bool) -> None:
    assert is_retried(failure) is again
    assert is_retried(failure, RetryPolicy.EVERY_FAILURE)
