import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.catalogue import instance_type
from planner.documents import replace
from planner.errors import ProfileError
from planner.interval import Interval
from planner.performance.benchmark_scores import dividers
from planner.performance.hardware import latency_ratio, relative_speed, throughput_ratio
from planner.performance.host_clock import clock_shift, cores_share, gap_shift
from planner.performance.placing import placed, with_benchmark
from planner.profiling.profile import Host, HostBenchmark
from tests.performance.synthetic import synthetic_profile

CASCADE_LAKE = "Intel(R) Xeon(R) Platinum 8259CL CPU @ 2.50GHz"
M7I = instance_type("ml.m7i.xlarge")


def a_host(model: str = "Virtual CPU", number: int = 143, cpus: int = 2) -> Host:
    return Host(
        cpu_model=model,
        cpu_vendor="GenuineIntel",
        cpu_family=6,
        cpu_model_number=number,
        logical_cpus=cpus,
        physical_cores=cpus,
        memory_bytes=2**33,
        system="Linux",
    )


def benchmarked(host: Host, one: float, every: float) -> Host:
    found = HostBenchmark(
        tool="stress-ng 0.17.08",
        measured_at="2026-01-01T00:00:00+00:00",
        one_thread_per_s=Interval.exactly(one),
        all_cpus_per_s=Interval.exactly(every),
        disturbed_share=0.0,
    )
    return replace(host, benchmark=found)


def rate(model: str) -> float:
    found = next(each.per_s for each in dividers() if each.cpu_model == model)
    assert found is not None
    return found


def width(interval: Interval) -> float:
    return interval.high / interval.low


def test_the_rate_of_its_own_processor_is_no_shift() -> None:
    host = benchmarked(a_host(CASCADE_LAKE, 85), rate(CASCADE_LAKE), 1.3 * rate(CASCADE_LAKE))
    shift = clock_shift(host, [CASCADE_LAKE])
    assert shift is not None
    assert shift[0] == pytest.approx(0)


def test_a_faster_clock_makes_the_host_as_much_faster() -> None:
    plain = a_host(CASCADE_LAKE, 85)
    faster = benchmarked(plain, 1.2 * rate(CASCADE_LAKE), 1.6 * rate(CASCADE_LAKE))
    ratio = latency_ratio(plain, M7I, "scalar").mid / latency_ratio(faster, M7I, "scalar").mid
    assert ratio == pytest.approx(1.2, rel=0.01)


def test_a_processor_of_known_generation_and_unknown_clock_is_placed_more_narrowly() -> None:
    plain = a_host(number=85)
    known = benchmarked(plain, 1400.0, 1840.0)
    assert width(latency_ratio(known, M7I)) < width(latency_ratio(plain, M7I))
    assert "as fast here" in relative_speed(known, M7I).basis


@pytest.mark.parametrize(("speedup", "words", "cores"), [(1.02, "hyperthreads", False), (1.98, "are cores", True)])
def test_the_rate_of_all_cpus_tells_cores_from_hyperthreads(speedup: float, words: str, *, cores: bool) -> None:
    plain = a_host()
    known = benchmarked(plain, 1900.0, 1900.0 * speedup)
    before, after = throughput_ratio(plain, M7I), throughput_ratio(known, M7I)
    assert width(after) < width(before)
    assert words in relative_speed(known, M7I).basis
    thread_before, thread_after = latency_ratio(plain, M7I).mid, latency_ratio(known, M7I).mid
    grown = (before.mid / after.mid) / (thread_before / thread_after)
    assert (grown > 1) == cores


@given(st.floats(0, 1), st.floats(0, 0.7))
def test_a_measured_share_never_knows_less_than_none(share: float, gap: float) -> None:
    (_, blind_sd), (shift, sd) = gap_shift(gap, None), gap_shift(gap, share)
    assert sd <= blind_sd * (1 + 1e-12)
    assert 0 <= shift <= gap


def test_an_unknown_processor_keeps_its_width_and_still_shows_its_cores() -> None:
    plain = a_host("Some CPU", 9999)
    known = benchmarked(plain, 5000.0, 9900.0)
    assert latency_ratio(known, M7I) == latency_ratio(plain, M7I)
    share = cores_share(known, None)
    assert share is not None
    assert share > 0.9


def test_another_build_of_stress_ng_tells_cores_and_no_clock() -> None:
    plain = a_host(number=85)
    known = benchmarked(plain, 700.0, 1390.0)
    assert known.benchmark is not None
    other = replace(known, benchmark=replace(known.benchmark, tool="stress-ng 0.15.06"))
    assert latency_ratio(other, M7I) == latency_ratio(plain, M7I)
    assert "are cores" in relative_speed(other, M7I).basis
    assert "only from stress-ng 0.17.08" in relative_speed(other, M7I).basis


def test_one_cpu_has_nothing_to_share() -> None:
    assert cores_share(benchmarked(a_host(cpus=1), 1900.0, 1900.0), "Sapphire Rapids") is None


def test_the_dividers_are_sane() -> None:
    for each in dividers():
        assert each.per_s is None or 500 < each.per_s < 5000, each
        assert each.pair_speedup is None or 0.95 < each.pair_speedup < 1.6, each


def test_a_placement_document_has_every_class_and_its_benchmark() -> None:
    host = benchmarked(a_host(), 2100.0, 4200.0)
    document = placed(host)
    assert document.host.benchmark is not None
    assert document.generation == "Sapphire Rapids"
    assert all(speed.low < speed.mid < speed.high for speed in document.thread_speed.values())
    assert document.host_speed["scalar"].mid < document.thread_speed["scalar"].mid * math.inf


def test_a_benchmark_goes_only_into_a_profile_of_the_same_machine() -> None:
    profile = synthetic_profile()
    here = benchmarked(replace(profile.host, memory_bytes=1, system="another kernel"), 2000.0, 4000.0)
    written = with_benchmark(profile, here)
    assert written.host.benchmark == here.benchmark
    assert replace(written.host, benchmark=None) == profile.host
    with pytest.raises(ProfileError, match="where the profile was measured"):
        with_benchmark(profile, replace(here, logical_cpus=64))
