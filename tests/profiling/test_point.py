import subprocess
import sys
import threading
from itertools import count
from pathlib import Path

import pytest

from planner.container.contract import Usage
from planner.documents import replace
from planner.errors import ContainerDiedError, InvocationError, TooFewRequestsError
from planner.profiling.payloads import Sample, read_sample
from planner.profiling.point import Conditions, measure_point
from planner.profiling.profile import LoadGenerator, Measurement
from tests.profiling.servers import Reply, ServedHere, one_line_each


@pytest.fixture
def sample(tmp_path: Path) -> Sample:
    path = tmp_path / "sample.csv"
    path.write_bytes(b"".join(b"%d,%d\n" % (i, i) for i in range(100)))
    return read_sample(path, content_type="text/csv", accept="text/csv", split_type="Line")


def measure(
    container: ServedHere,
    sample: Sample,
    *,
    records: int = 4,
    concurrency: int = 2,
    time_s: float = 1.0,
    timeout_s: float = 5,
    load_generator: LoadGenerator | None = None,
) -> Measurement:
    conditions = Conditions(
        container=container,
        sample=sample,
        cpus=2,
        host_cpus=2,
        request_timeout_s=timeout_s,
        load_generator=load_generator,
    )
    # One second outlasts a collection of garbage or a stall of the machine, in which nothing completes.
    with container:
        return measure_point(
            conditions, records_per_request=records, concurrency=concurrency, time_s=time_s, started_at_s=1.5
        )


def test_a_point_agrees_with_littles_law_and_its_own_rate(sample: Sample) -> None:
    point = measure(ServedHere(one_line_each, workers=3), sample)
    assert point.throughput_records_per_s == pytest.approx(4 * point.requests / point.duration_s)
    busy = point.throughput_requests_per_s * point.mean_latency_s
    # Latencies tile the window but for the requests that its edges cut, at most one per slot and edge, and the
    # moments between an answer and the next request.
    cut = 2 * 2 * max(point.latency_s) / point.duration_s
    assert 0.7 * 2 - cut <= busy <= 2 + cut
    assert point.throughput_interval_records_per_s.mid == point.throughput_records_per_s
    assert (point.workers, point.cpus, point.started_at_s, point.errors) == (3, 2, 1.5, 0)
    assert point.response_bytes == 8
    assert 16 <= point.request_bytes <= 24


def test_the_speed_of_the_container_s_cpus_is_sampled_where_they_are_known(sample: Sample) -> None:
    container = ServedHere(one_line_each)
    conditions = Conditions(container=container, sample=sample, cpus=2, host_cpus=2, sampled_cpus=())
    with container:
        point = measure_point(conditions, records_per_request=4, concurrency=2, time_s=1.2, started_at_s=0)
    assert point.core_speed is not None
    assert measure(ServedHere(one_line_each), sample).core_speed is None


def test_cpu_seconds_are_those_of_the_window(sample: Sample) -> None:
    point = measure(ServedHere(one_line_each), sample)
    assert point.cpu_s is not None
    # The made-up server charges 2 ms at the arrival of each request; the edges cut `concurrency` of them.
    assert point.cpu_s == pytest.approx(0.002 * point.requests, abs=0.002 * 2 * 2)
    assert point.memory_peak_bytes is not None
    assert point.memory_peak_bytes >= 2**20


def test_a_slow_start_is_kept_out_of_the_window(sample: Sample) -> None:
    turns = count()

    def warming(body: bytes) -> Reply:
        slow = next(turns) < 30
        return Reply(body=b"1\n" * body.count(b"\n"), content_type="text/csv", delay_s=0.01 if slow else 0.002)

    point = measure(ServedHere(warming), sample, time_s=0.8)
    assert point.warmup_requests >= 25
    assert sorted(point.latency_s)[len(point.latency_s) // 2] < 0.01


def test_a_dead_server_is_named_as_such(sample: Sample) -> None:
    container = ServedHere(one_line_each)

    def dying(_: bytes) -> Reply:
        container.dead = True
        return Reply(reset=True)

    container.server.answer = dying
    with pytest.raises(ContainerDiedError, match="status 137"):
        measure(container, sample)


def test_a_server_that_dies_late_is_noticed_even_when_the_news_comes_late(sample: Sample) -> None:
    turns = count()
    container = ServedHere(one_line_each)

    def dying(body: bytes) -> Reply:
        if next(turns) < 60:
            return one_line_each(body)
        threading.Timer(0.1, setattr, (container, "dead", True)).start()
        return Reply(reset=True)

    container.server.answer = dying
    with pytest.raises(ContainerDiedError, match="status 137"):
        measure(container, sample, time_s=2)


def test_a_server_held_up_by_delayed_acknowledgements_is_told(sample: Sample) -> None:
    point = measure(ServedHere(lambda _: Reply(delay_s=0.041)), sample, time_s=0.5)
    assert any("delayed acknowledgement" in warning for warning in point.warnings)


def test_a_server_that_computes_for_as_long_as_an_acknowledgement_is_delayed_is_not_suspected(sample: Sample) -> None:
    computing = ServedHere(lambda _: Reply(delay_s=0.041), cpu_s_per_request=0.04)
    assert not any("delayed acknowledgement" in warning for warning in measure(computing, sample, time_s=0.5).warnings)


@pytest.mark.parametrize("status", [400, 500])
def test_a_refusal_under_load_is_an_error_with_body_and_log(status: int, sample: Sample) -> None:
    turns = count()

    def answer(body: bytes) -> Reply:
        return Reply(status=status, body=b"bad column") if next(turns) == 20 else one_line_each(body)

    with pytest.raises(InvocationError, match=rf"(?s)4 records .*2 in flight.*status {status}: bad column.*fell over"):
        measure(ServedHere(answer), sample)


def test_some_overload_is_counted_and_told(sample: Sample) -> None:
    turns = count()

    def answer(body: bytes) -> Reply:
        return Reply(status=503, body=b"queue full") if next(turns) % 5 == 0 else one_line_each(body)

    point = measure(ServedHere(answer), sample)
    assert point.errors > 0
    assert any("requests failed: status 503: queue full" in warning for warning in point.warnings)


@pytest.mark.parametrize("reply", [Reply(status=503), Reply(reset=True), Reply(delay_s=0.3)])
def test_a_server_that_is_only_overloaded_is_an_error(reply: Reply, sample: Sample) -> None:
    with pytest.raises(InvocationError):
        measure(ServedHere(lambda _: reply), sample, timeout_s=0.05)


def test_too_few_completions_say_which_flag_to_change(sample: Sample) -> None:
    with pytest.raises(TooFewRequestsError, match="--time-budget"):
        measure(ServedHere(lambda _: Reply(delay_s=0.2)), sample, time_s=0.1)


def test_a_load_generator_that_is_not_negligible_is_told(sample: Sample) -> None:
    slow_client = LoadGenerator(cpu_s_per_request=1e-5, latency_s=0.001)
    point = measure(ServedHere(one_line_each), sample, load_generator=slow_client)
    assert any("load generator's own 1 ms" in warning for warning in point.warnings)


def test_what_other_programs_took_is_measured(sample: Sample) -> None:
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as busy:
        try:
            point = measure(_Idle(one_line_each), sample, time_s=0.6)
        finally:
            busy.kill()
    assert point.disturbed_share is not None
    assert 0.1 < point.disturbed_share <= 1
    assert any("disturbed: other programs" in warning for warning in point.warnings) == (point.disturbed_share > 0.15)


def test_without_sight_of_the_container_nobody_knows_what_others_took(sample: Sample) -> None:
    assert measure(_Unseen(one_line_each), sample).disturbed_share is None


class _Unseen(ServedHere):
    """A server whose use of the machine cannot be seen."""

    def usage(self) -> None:
        return None


class _Idle(ServedHere):
    """A server that claims to have used no CPU time."""

    def usage(self) -> Usage | None:
        used = super().usage()
        return None if used is None else replace(used, cpu_s=0.0)
