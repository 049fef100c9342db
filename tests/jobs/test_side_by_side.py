import dataclasses

import pytest

from planner.container import Limits
from planner.container.cpus import available_cpus
from planner.documents import replace
from planner.jobs.local.side_by_side import StandIn, measure_side_by_side, stand_in_container
from planner.jobs.simulation.here import JobHere, side_by_side_here, stand_in_of
from planner.records.layout import describe
from tests.performance.synthetic import synthetic_profile

WHAT = StandIn(
    batch_strategy="SingleRecord",
    max_payload_mb=1,
    max_concurrent_transforms=2,
    records_per_request=1.0,
    record_bytes=500.0,
    response_bytes=20.0,
    cpu_s_per_request=0.004,
    requests_per_s=250.0,
)


def test_a_stand_in_burns_the_cpu_time_that_it_is_told_and_answers_as_many_bytes() -> None:
    with stand_in_container(WHAT, {}, Limits(cpus=1)) as container:
        before = container.usage()
        answers = [container.invoke(b"x" * 500 + b"\n", content_type="text/plain") for _ in range(25)]
        after = container.usage()
    assert {(answer.status, len(answer.body)) for answer in answers} == {(200, 20)}
    assert before is not None
    assert after is not None
    assert 0.09 <= after.cpu_s - before.cpu_s <= 0.3


@pytest.mark.parametrize("keeps", [True, False])
def test_the_runner_does_its_own_job_against_stand_ins_and_says_what_it_cost(keeps: bool) -> None:
    count = min(2, len(available_cpus()))
    found = measure_side_by_side(dataclasses.replace(WHAT, keeps_connections=keeps), instance_count=count, cpus=1.0)
    assert (found.instances, found.cpus, found.keeps_connections) == (count, 1.0, keeps)
    assert found.requests >= 250 * count
    assert 0 < found.client_cpu_s_per_request < 0.01
    assert found.slowdown >= 1
    assert len(found.slowdowns()) == count


def test_a_stand_in_waits_for_what_its_work_leaves_of_the_latency_and_not_for_noise() -> None:
    assert WHAT.waiting_for(WHAT.requests_per_s * 1.02).wait_s == 0.0
    assert WHAT.waiting_for(WHAT.requests_per_s * 0.9).wait_s == 0.0
    assert WHAT.waiting_for(1000.0).wait_s == pytest.approx(2 / 250 - 2 / 1000)


def _stand_in(records: float, record_bytes: float, *, single: bool = False) -> StandIn:
    found = stand_in_of(
        synthetic_profile(),
        batch_strategy="SingleRecord" if single else "MultiRecord",
        max_concurrent_transforms=2,
        records_per_request=records,
        record_bytes=record_bytes,
        cpus=1.0,
        keeps_connections=True,
    )
    assert found is not None
    return found


def test_large_requests_are_measured_as_smaller_ones_of_the_same_kind() -> None:
    small, large = _stand_in(500, 2000.0), _stand_in(50_000, 2000.0)
    assert large.max_concurrent_transforms / large.requests_per_s < 0.2
    assert large.records_per_request * 2000 <= large.max_payload_mb * 2**20
    per_record = [what.cpu_s_per_request / what.records_per_request for what in (small, large)]
    assert per_record[0] == pytest.approx(per_record[1], rel=0.3)


def test_single_records_stay_single() -> None:
    assert _stand_in(1, 2000.0, single=True).records_per_request == 1.0


def test_without_the_containers_cpu_time_nothing_can_stand_in_for_it() -> None:
    profile = synthetic_profile()
    blind = replace(profile, measurements=tuple(replace(row, cpu_s=None) for row in profile.measurements))
    data = describe(1000, 1000, 4)
    job = JobHere(max_payload_mb=1, max_concurrent_transforms=1, instance_count=2)
    assert side_by_side_here(blind, data, job) is None
