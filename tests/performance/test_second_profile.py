from collections.abc import Callable
from functools import partial

import numpy as np
import pytest

from planner.catalogue import instance_type
from planner.documents import replace
from planner.errors import ProfileError
from planner.interval import Interval
from planner.performance import predict
from planner.performance.hardware import Probe, relative_speed
from planner.performance.model import PerformanceModel
from planner.performance.second_profile import probes
from planner.profiling.profile import Host, Profile
from tests.performance.synthetic import Server, prefork, synthetic_profile, waiting

ICE_LAKE = "Intel(R) Xeon(R) Platinum 8375C CPU @ 2.90GHz"
C7I = instance_type("ml.c7i.2xlarge")
C6I = instance_type("ml.c6i.2xlarge")


def on_ice_lake(profile: Profile, cpus: int = 2) -> Profile:
    """The profile as if it came from an Ice Lake machine with shown hyperthreads."""
    host = Host(
        cpu_model=ICE_LAKE,
        cpu_vendor="GenuineIntel",
        cpu_family=6,
        cpu_model_number=106,
        logical_cpus=cpus,
        physical_cores=1,
        memory_bytes=profile.host.memory_bytes,
        system="Linux",
    )
    return replace(profile, host=host)


def slower(server: Callable[..., Server], factor: float) -> Profile:
    """A profile of the server on a machine whose CPU takes so many times as long."""
    return synthetic_profile(server(fixed_s=1e-3 * factor, record_s=50e-6 * factor))


def width(interval: Interval) -> float:
    return interval.high / interval.low


def test_a_thread_twice_as_slow_is_measured_as_half_the_speed() -> None:
    first, other = slower(prefork, 1.0), on_ice_lake(slower(prefork, 2.0))
    (probe,) = probes(first, PerformanceModel.fit(first), [other])
    assert probe.thread_speed == pytest.approx(0.5, rel=0.05)
    assert probe.capacity_cores == pytest.approx(2 * 0.5, rel=0.1)
    assert probe.log_sd >= 0.05


def test_a_server_that_never_filled_its_cpus_tells_of_a_thread_only() -> None:
    first = synthetic_profile(waiting())
    (probe,) = probes(first, PerformanceModel.fit(first), [on_ice_lake(first)])
    assert probe.capacity_cores is None
    assert probe.thread_speed == pytest.approx(1.0)


@pytest.mark.parametrize("whole", [True, False])
def test_what_was_measured_on_a_generation_moves_predictions_there_and_narrows_them(*, whole: bool) -> None:
    host = slower(prefork, 1.0).host
    expected = relative_speed(host, C6I)
    step = 1.3 * expected.latency.mid
    there = on_ice_lake(slower(prefork, 1.0)).host
    probe = Probe(host=there, thread_speed=step, capacity_cores=1.25 * step if whole else None, log_sd=0.05)
    given = relative_speed(host, C6I, "unknown", [probe])
    assert given.latency.mid > 1.1 * expected.latency.mid
    assert given.capacity_cores.mid > 1.1 * expected.capacity_cores.mid
    assert width(given.latency) < width(expected.latency)
    assert width(given.capacity_cores) < width(expected.capacity_cores)
    assert "Sharpened by a profile" in given.basis
    assert given.same_generation


def test_no_probe_changes_nothing() -> None:
    host = slower(prefork, 1.0).host
    assert relative_speed(host, C7I, "unknown", ()) == relative_speed(host, C7I)


def test_a_second_profile_never_widens_a_prediction() -> None:
    first, other = slower(prefork, 1.0), on_ice_lake(slower(prefork, 1.4))
    for name in ("ml.c6i.xlarge", "ml.c7i.4xlarge", "ml.m5.2xlarge"):
        asked = partial(predict, first, records_per_request=64, concurrency=8, instance_type=name)
        alone, both = asked(), asked(also=[other])
        assert width(both.throughput_records_per_s) <= width(alone.throughput_records_per_s) * 1.001


def changed(profile: Profile, **of_payload: str) -> Profile:
    return replace(profile, payload=replace(profile.payload, **of_payload))


def test_another_sample_container_or_environment_is_refused_by_name() -> None:
    first = slower(prefork, 1.0)
    model, other = PerformanceModel.fit(first), on_ice_lake(first)
    with pytest.raises(ProfileError, match="sample"):
        probes(first, model, [changed(other, digest="1" * 64)])
    with pytest.raises(ProfileError, match="split type"):
        probes(first, model, [changed(other, split_type="None")])
    elsewhere = replace(other, container=replace(other.container, digest=None, target="another:image"))
    with pytest.raises(ProfileError, match="another:image"):
        probes(first, model, [elsewhere])
    tuned = replace(other, container=replace(other.container, environment={"OMP_NUM_THREADS": "1"}))
    with pytest.raises(ProfileError, match="OMP_NUM_THREADS"):
        probes(first, model, [tuned])


def test_workers_may_differ_as_machines_do() -> None:
    first = slower(prefork, 1.0)
    named = replace(first.container, worker_variable="WORKERS", environment={"WORKERS": "2"})
    there = replace(first.container, worker_variable="WORKERS", environment={"WORKERS": "4"})
    one, other = replace(first, container=named), replace(on_ice_lake(first), container=there)
    assert len(probes(one, PerformanceModel.fit(one), [other])) == 1


def test_a_profile_from_the_same_kind_of_machine_is_refused() -> None:
    first = slower(prefork, 1.0)
    with pytest.raises(ProfileError, match="another kind of machine"):
        probes(first, PerformanceModel.fit(first), [first])


def test_without_common_records_per_request_nothing_is_compared() -> None:
    first = slower(prefork, 1.0)
    far = tuple(replace(row, records_per_request=row.records_per_request * 10_000) for row in first.measurements)
    with pytest.raises(ProfileError, match="measure common ones"):
        probes(first, PerformanceModel.fit(first), [replace(on_ice_lake(first), measurements=far)])


def test_a_second_profile_without_an_instance_type_is_refused() -> None:
    first = slower(prefork, 1.0)
    with pytest.raises(ProfileError, match="instance type"):
        predict(first, records_per_request=1, concurrency=1, also=[on_ice_lake(first)])


def test_probes_are_plain_numbers() -> None:
    first = slower(prefork, 1.0)
    (probe,) = probes(first, PerformanceModel.fit(first), [on_ice_lake(slower(prefork, 1.2))])
    assert not any(isinstance(value, np.generic) for value in (probe.thread_speed, probe.capacity_cores, probe.log_sd))
