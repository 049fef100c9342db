"""What more CPUs than were profiled bring, and what is said where a profile cannot know."""

from dataclasses import dataclass

import pytest

from planner.documents import replace
from planner.performance import predict
from planner.performance.prediction import Prediction
from planner.profiling.profile import Profile
from tests.performance.synthetic import GRID, Server, prefork, synthetic_profile


@dataclass(frozen=True, slots=True, kw_only=True)
class Contending(Server):
    """CPUs get in each other's way: a share of the CPU time takes as long however many there are."""

    contention: float

    def requests_per_s(self, records: float, concurrency: float, cpus: float) -> float:
        spacing = self.cpu_s(records) * (self.contention + (1 - self.contention) / cpus)
        return 1 / max(self.cpu_s(records) / concurrency, spacing)


def asked(
    profile: Profile,
    *,
    concurrency: int = 8,
    cpus: float | None = None,
    workers: int | None = None,
    instance_type: str | None = None,
) -> Prediction:
    """A prediction for large requests."""
    return predict(
        profile,
        records_per_request=256,
        concurrency=concurrency,
        cpus=cpus,
        workers=workers,
        instance_type=instance_type,
    )


def with_threads(profile: Profile, active: int, ready: float | None = None) -> Profile:
    """The profile with so many threads at work at each point, or as many as requests in flight if those are fewer."""
    rows = [
        replace(row, active_threads=min(active, row.concurrency), ready_threads=ready) for row in profile.measurements
    ]
    return replace(profile, measurements=tuple(rows))


def one_cpu(active: int | None) -> Profile:
    """A server that fills its only CPU, workers not known; `active`: threads that did the work."""
    server = Server(cpu_s=prefork().cpu_s, workers=None, slots=16)
    profile = synthetic_profile(server, cpus=(1.0,))
    return profile if active is None else with_threads(profile, active)


def test_one_thread_on_one_cpu_is_foretold_no_growth_and_may_grow_in_full() -> None:
    here, there = (asked(one_cpu(active=1), cpus=cpus) for cpus in (1.0, 4.0))
    mid = here.throughput_records_per_s.mid
    assert there.throughput_records_per_s.mid == pytest.approx(mid, rel=0.01)
    assert there.throughput_records_per_s.low < 1.1 * mid
    assert there.throughput_records_per_s.high > 3.9 * mid
    assert there.bottleneck == "serial section"
    assert any("1 thread did all the work" in warning for warning in there.warnings)
    assert not any("how many CPUs" in warning for warning in here.warnings)


def test_threads_that_take_turns_on_one_cpu_may_do_less_on_more() -> None:
    profile = synthetic_profile(Server(cpu_s=lambda b: 1e-2 + 5e-5 * b, workers=None, slots=16), cpus=(1.0,))
    here, there = (asked(with_threads(profile, active=8, ready=1.0), cpus=cpus) for cpus in (1.0, 2.0))
    low, mid = here.throughput_records_per_s.low, here.throughput_records_per_s.mid
    assert there.throughput_records_per_s.mid == pytest.approx(mid, rel=0.01)
    assert there.throughput_records_per_s.low < low / 1.4
    assert there.throughput_records_per_s.high < 1.3 * mid
    assert [warning.partition(":")[0] for warning in there.warnings] == [
        "threads that share a lock hand it from CPU to CPU, which one CPU does not show"
    ]
    assert not here.warnings


def test_where_threads_were_not_seen_one_cpu_leaves_open_whether_there_is_growth() -> None:
    predicted = asked(one_cpu(active=None), cpus=4.0)
    alone = asked(one_cpu(active=None)).throughput_records_per_s
    rate = predicted.throughput_records_per_s
    assert rate.low < alone.mid < 3 * alone.mid < rate.mid
    assert any("from 1 CPU to 4 CPUs" in warning for warning in predicted.warnings)


def test_known_workers_grow_with_the_cpus_without_doubt_about_threads() -> None:
    profile = with_threads(synthetic_profile(prefork(workers=1), cpus=(1.0,)), active=1)
    alone = asked(profile).throughput_records_per_s
    predicted = asked(profile, cpus=4.0, workers=4)
    assert predicted.throughput_records_per_s.mid == pytest.approx(4 * alone.mid, rel=0.03)
    assert not predicted.warnings


def test_contention_between_measured_cpus_goes_on_beyond_them_or_was_that_of_hyperthreads() -> None:
    server = Contending(cpu_s=lambda b: 1e-3 + 5e-5 * b, workers=None, slots=64, contention=0.25)
    profile = synthetic_profile(server, points=GRID, cpus=(1.0, 2.0))
    predicted = asked(profile, concurrency=32, cpus=8.0)
    contended = 256 * server.requests_per_s(256, 32, 8.0)
    in_proportion = 4 * 256 * server.requests_per_s(256, 32, 2.0)
    rate = predicted.throughput_records_per_s
    assert rate.low < contended < rate.mid < in_proportion < rate.high


def test_a_quota_of_less_than_a_cpu_tells_nothing_of_contention() -> None:
    server = Contending(cpu_s=lambda b: 1e-3 + 5e-5 * b, workers=None, slots=64, contention=0.0)
    profile = with_threads(synthetic_profile(server, cpus=(0.5, 1.0), noise=0.0), active=99)
    one, four = (asked(profile, concurrency=32, cpus=cpus).throughput_records_per_s.mid for cpus in (1.0, 4.0))
    assert four / one == pytest.approx(4, rel=0.05)


def test_more_cpus_than_were_measured_are_extrapolation_without_a_promise() -> None:
    assert not asked(synthetic_profile()).extrapolated
    more = asked(synthetic_profile(), cpus=8.0)
    assert more.extrapolated
    assert "8 CPUs is 4 times the most measured (2)" in more.regime
    other = asked(synthetic_profile(), instance_type="ml.c5.4xlarge")
    assert other.extrapolated
    assert "16 CPUs is 8 times the most measured (2)" in other.regime
    assert not asked(synthetic_profile(), instance_type="ml.m5.large").extrapolated
