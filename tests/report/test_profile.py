import io

from rich.console import Console

from planner.container.contract import ContainerDescription, Limits
from planner.documents import replace
from planner.interval import Interval
from planner.profiling.profile import Host, LoadGenerator, Measurement, Payload, Profile, UsualSpeed
from planner.report.profile import render

ROW = Measurement(
    records_per_request=8,
    concurrency=2,
    cpus=2,
    started_at_s=0,
    duration_s=2.0,
    warmup_s=0.1,
    warmup_requests=2,
    requests=100,
    errors=0,
    throughput_records_per_s=400.0,
    throughput_interval_records_per_s=Interval(low=392, mid=400, high=408),
    latency_s=(*[0.010] * 98, 0.020, 0.5),
    cpu_s=1.0,
    memory_peak_bytes=2**20 * 123,
    request_bytes=800,
    response_bytes=16,
)
PROFILE = Profile(
    host=Host(cpu_model="CPU [bold]fast[/bold]", logical_cpus=2, memory_bytes=2**30, system="Linux"),
    container=ContainerDescription(backend="process", target="serve [red]", environment={}, limits=Limits(), workers=2),
    payload=Payload(
        source="s.csv",
        digest="0",
        content_type="text/csv",
        split_type="Line",
        records=10,
        bytes=1000,
        largest_record_bytes=100,
    ),
    measurements=(ROW, replace(ROW, records_per_request=1, cpu_s=None, memory_peak_bytes=None)),
)


def shown(profile: Profile) -> str:
    console = Console(file=io.StringIO(), width=80)
    console.print(render(profile))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def told(profile: Profile) -> str:
    """The same in one line, with single spaces."""
    return " ".join(shown(profile).split())


def test_a_row_tells_rate_latency_cpu_and_memory() -> None:
    # p99 is the 99th of 100 samples; 1 CPU second for 800 records, in 2 s on 2 CPUs.
    assert "2 8 2 400 6.5 10.0 20.0 1.25 25 123 100" in told(PROFILE)


def test_what_cannot_be_seen_is_a_dash_and_never_a_zero() -> None:
    assert "1 1 2 400 6.5 10.0 20.0 - - - 100" in told(PROFILE)


def test_the_limits_say_what_is_pinned_what_is_a_quota_and_how_much_memory_there_is() -> None:
    pinned = replace(PROFILE.container, limits=Limits(cpus=1, memory_bytes=2**31), workers=1, cpu_set=(1,))
    assert "limits 1 CPU (pinned to CPU 1), 2 GiB, 1 worker " in told(replace(PROFILE, container=pinned))
    halted = replace(PROFILE.container, limits=Limits(cpus=0.5))
    assert "limits 0.5 CPU by a quota, 2 workers " in told(replace(PROFILE, container=halted))
    assert "limits no CPU limit, 2 workers " in told(PROFILE)


def test_it_says_where_cpu_and_memory_were_read_and_what_the_load_generator_costs() -> None:
    generator = LoadGenerator(cpu_s_per_request=5e-5, latency_s=1e-4)
    read = replace(PROFILE, usage_source="cgroup-v1", load_generator=generator)
    said = "measured by CPU and memory from cgroup v1; load generator 50 µs CPU, 100 µs latency a request"
    assert said in told(read)
    assert "measured by CPU and memory not visible" in told(PROFILE)


def test_text_of_the_user_is_not_markup() -> None:
    assert "serve [red]" in shown(PROFILE)
    assert "CPU [bold]fast[/bold]" in shown(PROFILE)


def test_warnings_that_differ_in_numbers_only_are_told_once() -> None:
    rows = [replace(ROW, concurrency=c, warnings=(f"disturbed by {c} %",)) for c in (1, 2)]
    text = shown(replace(PROFILE, measurements=tuple(rows), complete=False, warnings=("beware",)))
    assert "Warning: rows 1, 2: disturbed by 1 % (row 1)" in text
    assert "Warning: beware" in text
    assert "--resume" in text


def test_a_row_with_two_remarks_that_differ_in_numbers_is_named_once() -> None:
    """Its windows had one each."""
    text = shown(replace(PROFILE, measurements=(replace(ROW, warnings=("only 7 requests", "only 8 requests")),)))
    assert "Warning: row 1: only 7 requests" in text


def test_how_a_session_s_speed_compares_with_earlier_ones_is_told() -> None:
    slower = UsualSpeed(core_speed=1.0e8, session_core_speed=0.98e8, sessions=3)
    assert "the CPUs ran 2.0% slower than on average in 3 sessions" in told(replace(PROFILE, usual_speed=slower))
    assert "Usual speed" not in shown(replace(PROFILE, usual_speed=replace(slower, sessions=1)))
