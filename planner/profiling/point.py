"""One point measured: load in, trace out, Measurement made of it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import Final

from planner.container.contract import Container
from planner.documents import replace
from planner.errors import TooFewRequestsError
from planner.profiling import core_speed, statistics
from planner.profiling.checks import failed_invocation
from planner.profiling.http1 import Failure, prepare_request
from planner.profiling.load import OVERLOAD_STATUSES, ClosedLoop, Trace
from planner.profiling.payloads import Sample
from planner.profiling.profile import LoadGenerator, Measurement
from planner.profiling.readiness import Readiness, readiness
from planner.profiling.replicates import few_completions
from planner.profiling.window import Window
from planner.units import show_seconds

FEWEST_COMPLETIONS: Final = 20
"""A point is not called known before: intervals from fewer completions have been found too narrow."""
SHORTEST_WINDOW_S: Final = 1.0
"""Servers are steadier within half a second than from one second to the next."""
CLIENT_CPU_WARNING: Final = 0.2
CLIENT_LATENCY_WARNING: Final = 0.05
DRIFT_WARNING: Final = 0.05
OTHERS_WARNING: Final = 0.15
"""Share of the machine that other programs may use before the point is called disturbed."""
_CHECKPOINTS: Final = 16
_DELAYED_ACK_S: Final = (0.0395, 0.0455)
"""Linux acknowledges a lone segment after 40 ms (TCP_DELACK_MIN); a server held up by that shows it, plus a little."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """What stays the same over the points of a session."""

    container: Container
    sample: Sample
    cpus: float
    host_cpus: int
    precision: float = 0.03
    """A point is known well enough when the 90 % interval of its throughput is within ± this share."""
    request_timeout_s: float = 60.0
    load_generator: LoadGenerator | None = None
    client_is_apart: bool = False
    """The load generator runs on CPUs that the container does not use."""
    sampled_cpus: Sequence[int] | None = None
    """CPUs whose speed is sampled meanwhile, as for `core_speed.sampled`."""


def measure_point(
    conditions: Conditions, *, records_per_request: int, concurrency: int, time_s: float, started_at_s: float
) -> Measurement:
    """The point after at most `time_s` of load, warm-up included; less when its throughput is known sooner.

    Overload (429, 502, 503, 504, time-outs, resets) is counted in `errors` as long as most requests succeed.
    Raises ContainerDiedError when the server has ended, InvocationError for any other refusal, TooFewRequestsError
    when too little completed to say anything.
    """
    container, sample = conditions.container, conditions.sample
    payload = sample.payload
    requests = [
        prepare_request(container.address, body, content_type=payload.content_type, accept=payload.accept)
        for body in sample.bodies(records_per_request)
    ]
    loop = ClosedLoop(
        container.address,
        requests,
        concurrency=concurrency,
        timeout_s=conditions.request_timeout_s,
        read_usage=container.usage,
    )
    container.reset_memory_peak()
    with core_speed.sampled(conditions.sampled_cpus) as samples:
        trace = loop.run(
            should_stop=_known_within(conditions.precision, concurrency),
            checkpoint_s=time_s / _CHECKPOINTS,
            at_most_s=time_s,
        )
    _raise_if_unusable(
        container,
        trace,
        records=records_per_request,
        concurrency=concurrency,
        request_bytes=requests[0].body_bytes,
        time_s=time_s,
    )
    row = _measurement(conditions, trace, records_per_request, concurrency, started_at_s)
    return replace(row, core_speed=samples.mean_speed(trace.began_s + row.warmup_s, trace.end_s[-1]))


def _known_within(precision: float, concurrency: int) -> Callable[[Trace], bool]:
    """The rule that ends a point: enough completions, a long enough window, a narrow enough interval."""

    def known(trace: Trace) -> bool:
        first = statistics.steady_from(trace.start_s, trace.end_s, concurrency)
        window = trace.end_s[first:]
        if len(window) <= FEWEST_COMPLETIONS or window[-1] - window[0] < SHORTEST_WINDOW_S:
            return False
        rate = statistics.throughput(_requests(trace), first, concurrency)
        return rate is not None and rate.batches >= statistics.MIN_BATCHES and rate.relative_half_width <= precision

    return known


def _requests(trace: Trace) -> statistics.Requests:
    return statistics.Requests(
        start_s=trace.start_s, end_s=trace.end_s, open_start_s=trace.open_start_s, open_end_s=trace.open_end_s
    )


def _raise_if_unusable(
    container: Container, trace: Trace, *, records: int, concurrency: int, request_bytes: int, time_s: float
) -> None:
    """Turn failures that the job would meet as well into the error for them; let passing overload be."""
    container.check_alive()
    if trace.failures:
        telling = next((f for _, f in trace.failures if not _is_overload(f)), trace.failures[0][1])
        if trace.broken_off or not _is_overload(telling) or len(trace.failures) > len(trace.end_s):
            raise failed_invocation(
                container, telling, records=records, request_bytes=request_bytes, concurrency=concurrency
            )
    if len(trace.end_s) < 3:
        raise TooFewRequestsError(
            f"only {len(trace.end_s)} requests of {records:,} records completed in {show_seconds(time_s)} with "
            f"{concurrency} in flight. Raise --time-budget or lower --records-per-request."
        )


def _is_overload(failure: Failure) -> bool:
    if failure.kind == "status":
        return failure.status in OVERLOAD_STATUSES
    return failure.kind in ("timeout", "reset", "refused")


def _measurement(
    conditions: Conditions, trace: Trace, records_per_request: int, concurrency: int, started_at_s: float
) -> Measurement:
    """What the steady part of the trace says."""
    first = min(statistics.steady_from(trace.start_s, trace.end_s, concurrency), len(trace.end_s) - 3)
    window = Window(trace=trace, first=first, concurrency=concurrency)
    rate = statistics.throughput(_requests(trace), first, concurrency)
    if rate is None:
        raise TooFewRequestsError(
            f"all requests of {records_per_request:,} records completed at one moment; not a rate"
        )
    throughput = rate.per_s.scaled(records_per_request)
    latencies_s = window.latencies_s
    usages = window.usages
    cpu_s = window.rise([usage.cpu_s for usage in usages]) if usages else None
    begin_s, end_s = window.ends_s[0], window.ends_s[-1]
    disturbed_share = _disturbed_share(conditions, window, cpu_s)
    ready = _readiness(window)
    # The window's edges cut requests; so that all ratios hold, what was used is that of whole requests.
    whole = len(latencies_s) / rate.requests
    row = Measurement(
        records_per_request=records_per_request,
        concurrency=concurrency,
        cpus=conditions.cpus,
        workers=conditions.container.description.workers,
        started_at_s=round(started_at_s, 3),
        duration_s=window.duration_s * whole,
        warmup_s=begin_s - trace.began_s,
        warmup_requests=first + 1,
        requests=len(latencies_s),
        errors=sum(begin_s <= at_s <= end_s for at_s, _ in trace.failures),
        throughput_records_per_s=throughput.mid,
        throughput_interval_records_per_s=throughput,
        latency_s=tuple(round(latency_s, 7) for latency_s in latencies_s),
        cpu_s=None if cpu_s is None else cpu_s * whole,
        memory_peak_bytes=max(usage.memory_peak_bytes for usage in usages) if usages else None,
        request_bytes=fmean(trace.request_bytes[first + 1 :]),
        response_bytes=fmean(trace.response_bytes[first + 1 :]),
        disturbed_share=disturbed_share,
        throttled_s=_throttled_s(window),
        ready_threads=None if ready is None else round(ready.ready, 3),
        active_threads=None if ready is None else ready.active_threads,
        active_processes=None if ready is None else ready.active_processes,
        warnings=(
            *_load_warnings(conditions, window, disturbed_share),
            *_throttling_warnings(window),
            *_result_warnings(conditions, window),
        ),
    )
    few = few_completions(row)
    return row if few is None else replace(row, warnings=(*row.warnings, few))


def _result_warnings(conditions: Conditions, window: Window) -> Iterator[str]:
    """What the completions themselves say against trusting the point."""
    trace, latencies_s = window.trace, window.latencies_s
    median_s = median(latencies_s)
    if trace.failures:
        kinds = sorted({str(failure) for _, failure in trace.failures})
        total = len(trace.failures) + len(trace.end_s)
        yield f"{len(trace.failures)} of {total} requests failed: {'; '.join(kinds[:3])}"
    held_up = _DELAYED_ACK_S[0] <= median_s <= _DELAYED_ACK_S[1] and min(latencies_s) > 0.9 * median_s
    if held_up and not window.is_busy:
        yield (
            f"nearly every request took {show_seconds(median_s)}, which is the kernel's delayed acknowledgement: the "
            "server writes its answer in two pieces without TCP_NODELAY and waits in between, as it would in the job"
        )
    change = statistics.drift(window.ends_s, window.concurrency)
    if change is not None and abs(change) > DRIFT_WARNING:
        yield f"throughput changed by {change:+.0%} within the window: not a steady state"
    floor = conditions.load_generator
    if floor is not None and floor.latency_s > CLIENT_LATENCY_WARNING * median_s:
        yield (
            f"the load generator's own {show_seconds(floor.latency_s)} is {floor.latency_s / median_s:.0%} of the "
            "median latency: the server's part is less than what was measured"
        )


def _readiness(window: Window) -> Readiness | None:
    """Threads ready for a CPU and threads that took part, between the first and last reading inside the window."""
    inside = [c for c in window.trace.checkpoints if c.at_s >= window.ends_s[0] and c.usage is not None]
    usages = [c.usage for c in inside if c.usage is not None]
    return readiness(usages, inside[-1].at_s - inside[0].at_s) if inside else None


def _client_s(window: Window) -> float:
    """CPU seconds that the load generator's thread burnt in the window."""
    return window.rise([checkpoint.client_cpu_s for checkpoint in window.trace.checkpoints])


def _disturbed_share(conditions: Conditions, window: Window, cpu_s: float | None) -> float | None:
    """(CPU seconds of the machine - the container's - the load generator's) / (window x CPUs of the machine).

    Clocks of different grain are subtracted, so what comes out slightly off [0, 1] is put back.
    """
    if cpu_s is None:
        return None
    host_s = window.rise([checkpoint.host_cpu_s for checkpoint in window.trace.checkpoints])
    share = (host_s - _client_s(window) - cpu_s) / (window.duration_s * conditions.host_cpus)
    return round(min(1.0, max(0.0, share)), 4)


def _load_warnings(conditions: Conditions, window: Window, disturbed_share: float | None) -> Iterator[str]:
    """What else used the machine's CPUs meanwhile: the load generator, other programs."""
    client_s = _client_s(window)
    if client_s > CLIENT_CPU_WARNING * window.duration_s:
        where = "a CPU of its own" if conditions.client_is_apart else "a CPU that the container could use"
        yield f"the load generator burnt {client_s / window.duration_s:.0%} of {where}; it may limit the throughput"
    if disturbed_share is not None and disturbed_share > OTHERS_WARNING:
        yield (
            f"disturbed: other programs (or the hypervisor) took {disturbed_share:.0%} of this machine's CPU time "
            "meanwhile"
        )


def _throttled_s(window: Window) -> float | None:
    """Seconds that a CPU quota halted the container's threads in the window, summed; None without a quota."""
    counts = [usage.throttled_s for usage in window.usages or () if usage.throttled_s is not None]
    return round(window.rise(counts), 6) if counts and len(counts) == len(window.usages or ()) else None


def _throttling_warnings(window: Window) -> Iterator[str]:
    """What a CPU quota does to the latencies."""
    counts = [float(usage.throttled_periods) for usage in window.usages or () if usage.throttled_periods is not None]
    if counts and len(counts) == len(window.usages or ()) and (periods := round(window.rise(counts))):
        yield (
            f"throttled: the CPU quota halted the container in {periods} of the window's {window.duration_s / 0.1:.0f} "
            "periods of 100 ms: its latencies are of two kinds, halted or not. Whole --cpus are pinned instead"
        )
