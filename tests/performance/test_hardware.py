import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.catalogue import InstanceType, instance_type, instance_types
from planner.interval import Interval
from planner.performance.benchmark_scores import type_speeds
from planner.performance.hardware import (
    WORKLOAD_CLASSES,
    WorkloadClass,
    latency_ratio,
    relative_speed,
    throughput_given,
    throughput_ratio,
)
from planner.profiling.profile import Host

TYPES = st.sampled_from(instance_types())
CLASSES = st.sampled_from(WORKLOAD_CLASSES)
COMPUTE_CLASSES: tuple[WorkloadClass, ...] = ("scalar", "fp_simd", "unknown")


def a_host(model_number: int | None = 143, cpus: int = 2, cores: int | None = None, **changes: str) -> Host:
    return Host(
        cpu_model=changes.get("cpu_model", "Intel(R) Xeon(R) Processor"),
        cpu_vendor=changes.get("cpu_vendor", "GenuineIntel"),
        cpu_family=6,
        cpu_model_number=model_number,
        logical_cpus=cpus,
        physical_cores=cores,
        memory_bytes=8 * 2**30,
        system="Linux",
    )


def width(interval: Interval) -> float:
    return interval.high / interval.low


@given(TYPES, TYPES, CLASSES)
def test_a_ratio_and_its_reverse_are_reciprocal(one: InstanceType, other: InstanceType, kind: WorkloadClass) -> None:
    for ratio in (latency_ratio, throughput_ratio):
        there, back = ratio(one, other, kind), ratio(other, one, kind)
        assert there.mid * back.mid == pytest.approx(1)
        assert there.low * back.high == pytest.approx(1)


@given(TYPES, TYPES, TYPES, CLASSES)
def test_middles_agree_along_any_way(
    one: InstanceType, other: InstanceType, third: InstanceType, kind: WorkloadClass
) -> None:
    direct = throughput_ratio(one, third, kind).mid
    assert throughput_ratio(one, other, kind).mid * throughput_ratio(other, third, kind).mid == pytest.approx(direct)


@given(TYPES, TYPES)
def test_inside_a_generation_the_interval_is_narrower_than_across(one: InstanceType, other: InstanceType) -> None:
    twins = [kind for kind in instance_types() if kind.vcpus == other.vcpus]
    same = [k for k in twins if type_speeds()[k.name].generation == type_speeds()[one.name].generation]
    across = [k for k in twins if type_speeds()[k.name].generation != type_speeds()[one.name].generation]
    for near in same:
        for far in across:
            assert width(throughput_ratio(one, near)) < width(throughput_ratio(one, far))


@given(TYPES, TYPES, CLASSES, st.floats(0.1, 300))
def test_more_busy_threads_never_give_less(
    source: InstanceType, target: InstanceType, kind: WorkloadClass, threads: float
) -> None:
    speed = relative_speed(source, target, kind)
    assert speed.capacity_at(threads).mid <= speed.capacity_at(threads * 1.1).mid * (1 + 1e-9)


@given(TYPES, TYPES, CLASSES)
def test_capacity_runs_from_one_thread_to_the_whole_instance(
    source: InstanceType, target: InstanceType, kind: WorkloadClass
) -> None:
    speed = relative_speed(source, target, kind)
    for threads, expected in ((1, speed.latency), (target.vcpus, speed.capacity_cores)):
        found = speed.capacity_at(threads)
        assert (found.low, found.mid, found.high) == pytest.approx((expected.low, expected.mid, expected.high))
    assert speed.capacity_at(0).high == 0
    assert 1 <= speed.curve.at_all_vcpus <= target.vcpus * (1 + 1e-9)


@pytest.mark.parametrize("kind", COMPUTE_CLASSES)
def test_a_larger_size_of_a_family_computes_more(kind: WorkloadClass) -> None:
    source = instance_type("ml.m5.xlarge")
    for one in instance_types():
        for other in instance_types():
            if one.family == other.family and one.vcpus < other.vcpus:
                ratio = throughput_ratio(source, other, kind).mid / throughput_ratio(source, one, kind).mid
                assert 1 < ratio < 1.35 * other.vcpus / one.vcpus, (one.name, other.name)


@pytest.mark.parametrize(
    ("kind", "name", "low", "high"),
    [
        ("scalar", "ml.m7i.xlarge", 1.5, 1.8),
        ("fp_simd", "ml.m7i.xlarge", 1.6, 2.0),
        ("int8_dnn", "ml.m7i.xlarge", 5.0, 8.0),
        ("scalar", "ml.m4.xlarge", 0.85, 0.95),
        ("scalar", "ml.c5.xlarge", 1.05, 1.20),
    ],
)
def test_one_thread_against_m5_is_what_the_benchmarks_say(
    kind: WorkloadClass, name: str, low: float, high: float
) -> None:
    assert low < latency_ratio(instance_type("ml.m5.xlarge"), instance_type(name), kind).mid < high


def test_four_hyperthreads_of_two_cores_give_between_two_and_three_threads() -> None:
    assert 2 < relative_speed(instance_type("m5.xlarge"), instance_type("m5.xlarge"), "scalar").capacity_cores.mid < 3


def test_an_unknown_class_is_wider_than_a_known_one() -> None:
    source = instance_type("ml.m5.xlarge")
    for name in ("ml.m6i.xlarge", "ml.m7i.4xlarge", "ml.m5.4xlarge", "ml.c7i.48xlarge"):
        known = width(latency_ratio(source, instance_type(name), "scalar"))
        assert width(latency_ratio(source, instance_type(name))) > known, name


def test_the_less_is_known_of_the_host_the_wider_the_ratio() -> None:
    target = instance_type("ml.m7i.xlarge")
    by_name = a_host(cpu_model="Intel(R) Xeon(R) Platinum 8488C")
    by_number, of_a_neighbour, unknown = a_host(143), a_host(207), a_host(None)
    widths = [width(latency_ratio(host, target)) for host in (by_name, by_number, of_a_neighbour, unknown)]
    assert widths == sorted(widths)
    assert widths[0] < widths[-1] / 1.5


def test_hidden_hyperthreads_widen_whole_machine_ratios_and_shown_ones_do_not() -> None:
    target = instance_type("ml.m7i.xlarge")
    shown, hidden = relative_speed(a_host(cores=1), target), relative_speed(a_host(cores=2), target)
    assert width(hidden.throughput) > width(shown.throughput)
    assert width(hidden.latency) == pytest.approx(width(shown.latency))
    assert "hyperthreads" in hidden.basis
    assert "hyperthreads" not in shown.basis


def test_the_basis_names_the_generation_and_the_scores() -> None:
    basis = relative_speed(a_host(207), instance_type("ml.m5.xlarge"), "scalar").basis
    for part in ("Emerald Rapids", "Sapphire Rapids", "CoreMark", "ml.m5.xlarge", "nother generation"):
        assert part in basis


def test_the_basis_says_what_the_scores_are_silent_on() -> None:
    def basis(name: str) -> str:
        return relative_speed(a_host(), instance_type(name)).basis

    assert "1 x NVIDIA A10G does not count" in basis("ml.g5.xlarge")
    assert "is doubtful" in basis("ml.m4.xlarge")
    assert "does not count" not in basis("ml.c7i.xlarge")
    assert "doubtful" not in basis("ml.c7i.xlarge")


def test_one_measurement_gives_the_ratio_itself() -> None:
    source, target = instance_type("ml.m5.xlarge"), instance_type("ml.m7i.4xlarge")
    given_one = throughput_given([(source, 100.0)], target, measured_log_sd=0.0)
    ratio = throughput_ratio(source, target).scaled(100.0)
    assert (given_one.low, given_one.mid, given_one.high) == pytest.approx((ratio.low, ratio.mid, ratio.high))


@given(TYPES, TYPES, TYPES, st.floats(0.2, 5.0))
def test_a_second_measurement_never_widens(
    one: InstanceType, other: InstanceType, target: InstanceType, ratio: float
) -> None:
    alone = throughput_given([(one, 10.0)], target)
    both = throughput_given([(one, 10.0), (other, 10.0 * ratio)], target)
    assert width(both) <= width(alone) * (1 + 1e-6)


def test_a_measurement_on_the_target_generation_moves_the_prediction_there() -> None:
    host, probe, target = instance_type("m5.xlarge"), instance_type("m7i.xlarge"), instance_type("c7i.2xlarge")
    expected = throughput_ratio(host, probe).mid * 100
    faster = throughput_given([(host, 100.0), (probe, 1.4 * expected)], target)
    alone = throughput_given([(host, 100.0)], target)
    assert 1.2 < faster.mid / alone.mid < 1.4
    assert width(faster) < width(alone)


@given(st.floats(1e-3, 1e6))
def test_the_unit_of_the_measurement_does_not_matter(unit: float) -> None:
    measured = [(instance_type("m5.xlarge"), 3.0), (instance_type("c6i.xlarge"), 5.0)]
    target = instance_type("m7i.xlarge")
    scaled = throughput_given([(kind, value * unit) for kind, value in measured], target)
    assert scaled.mid == pytest.approx(throughput_given(measured, target).mid * unit)


@pytest.mark.parametrize("measured", [[], [(instance_type("m5.xlarge"), 0.0)]])
def test_nothing_measured_is_refused(measured: list[tuple[InstanceType, float]]) -> None:
    with pytest.raises(ValueError, match="at least one measured throughput"):
        throughput_given(measured, instance_type("m7i.xlarge"))


def test_a_host_with_one_cpu_is_its_one_thread() -> None:
    speed = relative_speed(a_host(143, cpus=1), instance_type("ml.c7i.xlarge"))
    assert speed.capacity_cores.mid == pytest.approx(speed.throughput.mid)
    assert math.isfinite(speed.throughput.high)
