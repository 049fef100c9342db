import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.performance.limits import busy_speed, split

POSITIVE = st.floats(1e-5, 10.0)


@given(spacing=POSITIVE, service=POSITIVE, cpu=POSITIVE, workers=st.one_of(st.none(), st.floats(1, 64)))
def test_the_largest_limit_is_the_measured_spacing(
    spacing: float, service: float, cpu: float, workers: float | None
) -> None:
    limits = split(
        spacing_s=np.array(spacing), service_s=np.array(service), cpu_s=np.array(cpu), cpus=2, workers=workers
    )
    assert max(limits.cpu_s, limits.slots_s, limits.serial_s) == pytest.approx(spacing)
    assert min(limits.cpu_s, limits.slots_s, limits.serial_s) >= 0


@pytest.mark.parametrize(
    ("cpu_s", "workers", "binding"),
    [(2.0, 2.0, "cpu_s"), (0.2, 2.0, "slots_s"), (0.2, 16.0, "serial_s"), (0.2, None, "serial_s")],
)
def test_utilization_and_occupancy_tell_the_limits_apart(cpu_s: float, workers: float | None, binding: str) -> None:
    limits = split(spacing_s=np.array(1.0), service_s=np.array(2.0), cpu_s=np.array(cpu_s), cpus=2.0, workers=workers)
    assert getattr(limits, binding) == pytest.approx(1.0)


def test_a_server_that_may_have_been_short_of_cpu_is_not_called_serial() -> None:
    one, cpu = np.array(1.0), np.array(1.2)
    told, untold = (
        split(spacing_s=one, service_s=2 * one, cpu_s=cpu, cpus=2.0, workers=None, slack=slack) for slack in (0.4, 0.0)
    )
    assert untold.serial_s == pytest.approx(1.0)
    assert told.cpu_s == pytest.approx(1.0)
    assert told.serial_s < 0.1


@given(
    speed=st.floats(0.3, 3),
    vcpus=st.sampled_from([2.0, 8.0, 48.0, 192.0]),
    gain=st.floats(0.3, 1.0),
)
def test_capacity_grows_concavely_from_one_thread_to_all_vcpus(speed: float, vcpus: float, gain: float) -> None:
    busy = np.linspace(1.0, vcpus, 60)
    capacity = gain * speed * vcpus
    each = busy_speed(busy, vcpus=np.array(vcpus), latency_speed=np.array(speed), capacity_cores=np.array(capacity))
    total = each * busy
    assert total[-1] == pytest.approx(capacity)
    assert np.all(each <= speed * (1 + 1e-12))
    assert np.all(np.diff(each) <= 1e-9)
    assert np.all(np.diff(total) >= -1e-9)
