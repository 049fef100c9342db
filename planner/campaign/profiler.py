"""The profiling session: container up, contract checked, points measured, a file that survives being killed."""

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from planner.campaign.points import (
    Point,
    Refused,
    Skipped,
    checkerboard,
    concurrency_ladder,
    records_ladder,
    run_points,
)
from planner.campaign.resume import missing_points, previous_profile
from planner.container.contract import Container, Response
from planner.documents import replace, write_document
from planner.errors import PlannerError
from planner.profiling.calibrate import calibrate
from planner.profiling.checks import check_response, divisible, media_type
from planner.profiling.host import kept_off, read_host
from planner.profiling.payloads import Sample, read_sample
from planner.profiling.point import Conditions, measure_point
from planner.profiling.profile import Host, LoadGenerator, Measurement, Profile
from planner.records.dataset import SplitType
from planner.units import show_bytes

REQUEST_TIMEOUT_S: Final = 60.0
"""The default of most model servers (30 to 60 s): a slower request would fail inside the container anyway."""

_TOO_LARGE: Final = 413
_QUICK_S: Final = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What the session is at, for whoever shows it."""

    doing: str
    measured: int = 0
    planned: int = 0
    measurement: Measurement | None = None
    """The point that was just measured."""


def profile(
    container: Container,
    *,
    payload: Path,
    content_type: str,
    accept: str | None = None,
    split_type: SplitType = "Line",
    time_budget_s: float = 60.0,
    records_per_request: Sequence[int] | None = None,
    concurrency: Sequence[int] | None = None,
    output: Path | None = None,
    resume: bool = False,
    progress: Callable[[Progress], None] = lambda _: None,
) -> Profile:
    """Measurements of the container with requests cut from the sample in `payload`.

    The container is started, and stopped on every way out. `time_budget_s` is for the load: it counts from when the
    container is ready. After each point the profile so far is written to `output` (complete: false); with `resume`
    the points that such a file holds are not measured again. Raises the errors of `planner.errors` for records,
    container and profiling; those of a later point say that the file holds the earlier ones.
    """
    sample = read_sample(payload, content_type=content_type, accept=accept, split_type=split_type)
    host = read_host()
    planned = plan_points(container, sample, host, records_per_request, concurrency)
    previous = None
    if resume and output is not None:
        previous = previous_profile(output, container.description, sample.payload, host)
    missing = missing_points(planned, previous)
    if previous is not None and not missing:
        return replace(previous, complete=True)
    progress(Progress(doing="calibrating the load generator"))
    load_generator = calibrate(sample.first_body(1))
    try:
        progress(Progress(doing="starting the container"))
        opening = _open(container, sample, host, load_generator)
        begin = (
            replace(opening, created_at=previous.created_at, measurements=previous.measurements)
            if previous
            else opening
        )
        return _measure_all(
            container, sample, begin, missing, time_budget_s=time_budget_s, output=output, progress=progress
        )
    finally:
        container.stop()


def plan_points(
    container: Container,
    sample: Sample,
    host: Host,
    records_per_request: Sequence[int] | None,
    concurrency: Sequence[int] | None,
) -> tuple[Point, ...]:
    """The points to measure: all combinations where both lists are given, else by `planner.campaign.points`."""
    mean_bytes = sample.payload.mean_record_bytes
    if not divisible(sample.payload.split_type):
        records_per_request = (1,)
    ladder = records_per_request or records_ladder(mean_bytes)
    rungs = concurrency or concurrency_ladder(_workers(container, host))
    if (records_per_request and concurrency) or len(ladder) == 1:
        return tuple(Point(records_per_request=b, concurrency=c) for b in ladder for c in rungs)
    return checkerboard(ladder, rungs, mean_bytes)


def _cpus(container: Container, host: Host) -> float:
    """CPUs that the container can use."""
    return container.description.limits.cpus or float(host.logical_cpus)


def _workers(container: Container, host: Host) -> int:
    """Worker processes, or CPUs where those are not known."""
    return container.description.workers or max(1, int(_cpus(container, host)))


def _open(container: Container, sample: Sample, host: Host, load_generator: LoadGenerator) -> Profile:
    """A profile without measurements: the container started, asked for its wishes, and checked with two requests."""
    startup = container.start()
    wishes = container.execution_parameters()
    warnings = []
    first_s, response = _invoke(container, sample, 1)
    if not check_response(container, response, records=1, request_bytes=len(sample.first_body(1))):
        kind = media_type(response.content_type) or "of no declared type"
        warnings.append(f"answers are {kind}: whether they hold one result per record is not checked")
    if divisible(sample.payload.split_type):
        _, response = _invoke(container, sample, 2)
        check_response(container, response, records=2, request_bytes=len(sample.first_body(2)))
    usage = container.usage()
    if usage is None:
        warnings.append("CPU seconds and memory of this container cannot be seen: neither limits a plan")
    return Profile(
        host=host,
        container=container.description,
        execution_parameters=wishes,
        usage_source=usage.source if usage else None,
        payload=sample.payload,
        startup_s=None if container.description.backend == "url" else startup.ping_s,
        first_invocation_s=first_s,
        idle_memory_bytes=usage.memory_bytes if usage else None,
        load_generator=load_generator,
        measurements=(),
        complete=False,
        warnings=tuple(warnings),
    )


def _invoke(container: Container, sample: Sample, records: int) -> tuple[float, Response]:
    """Seconds that one request alone took, and the answer."""
    payload = sample.payload
    body = sample.first_body(records)
    begin_s = time.perf_counter()
    response = container.invoke(
        body, content_type=payload.content_type, accept=payload.accept, timeout_s=REQUEST_TIMEOUT_S
    )
    return time.perf_counter() - begin_s, response


def _probe(container: Container, sample: Sample, records: int) -> float | Refused:
    """Seconds that one checked request alone took; Refused when the container finds it too large.

    A quick one is sent twice and the better time counts: the first of its size may meet cold caches.
    """
    size = len(sample.first_body(records))
    latencies_s: list[float] = []
    while not latencies_s or (len(latencies_s) == 1 and latencies_s[0] < _QUICK_S):
        latency_s, response = _invoke(container, sample, records)
        if response.status == _TOO_LARGE and records > 1:
            return Refused(
                reason=f"the container refuses bodies of {show_bytes(size)} (status 413); "
                "a plan must keep its payload below, or the server's limit be raised"
            )
        check_response(container, response, records=records, request_bytes=size)
        latencies_s.append(latency_s)
    return min(latencies_s)


def _measure_all(
    container: Container,
    sample: Sample,
    begin: Profile,
    missing: Sequence[Point],
    *,
    time_budget_s: float,
    output: Path | None,
    progress: Callable[[Progress], None],
) -> Profile:
    """The profile with the missing points measured, written after each."""
    so_far = begin
    skipped: list[Skipped] = []
    planned = len(begin.measurements) + len(missing)
    progress(Progress(doing="measuring", measured=len(begin.measurements), planned=planned))
    with _kept_files(output, lambda: so_far), kept_off(container.description.cpu_set or ()) as apart:
        for outcome in _outcomes(container, sample, begin, missing, time_budget_s=time_budget_s, apart=apart):
            if isinstance(outcome, Skipped):
                skipped.append(outcome)
                continue
            so_far = replace(so_far, measurements=(*so_far.measurements, outcome))
            if output is not None:
                write_document(output, so_far)
            progress(
                Progress(doing="measuring", measured=len(so_far.measurements), planned=planned, measurement=outcome)
            )
    warnings = (*begin.warnings, *_session_warnings(so_far, apart=apart), *_skipped_warnings(skipped))
    complete = replace(so_far, complete=True, warnings=warnings)
    if output is not None:
        write_document(output, complete)
    return complete


def _outcomes(
    container: Container,
    sample: Sample,
    begin: Profile,
    missing: Sequence[Point],
    *,
    time_budget_s: float,
    apart: bool,
) -> Iterator[Measurement | Skipped]:
    """Measurements and omissions as they come."""
    conditions = Conditions(
        container=container,
        sample=sample,
        cpus=_cpus(container, begin.host),
        host_cpus=begin.host.logical_cpus,
        request_timeout_s=REQUEST_TIMEOUT_S,
        load_generator=begin.load_generator,
        client_is_apart=apart,
    )
    session_began_s = datetime.fromisoformat(begin.created_at).timestamp()
    deadline_s = time.monotonic() + time_budget_s

    def measure(point: Point, time_s: float) -> Measurement:
        return measure_point(
            conditions,
            records_per_request=point.records_per_request,
            concurrency=point.concurrency,
            time_s=time_s,
            started_at_s=max(0.0, time.time() - session_began_s),
        )

    return run_points(
        missing,
        workers=_workers(container, begin.host),
        probe=lambda records: _probe(container, sample, records),
        measure=measure,
        seconds_left=lambda: deadline_s - time.monotonic(),
    )


@contextlib.contextmanager
def _kept_files(output: Path | None, so_far: Callable[[], Profile]) -> Iterator[None]:
    """Errors of the block say what is kept of the work done before them."""
    try:
        yield
    except PlannerError as error:
        points = len(so_far().measurements)
        if output is None or not points:
            raise
        kept = f"The {points} points measured before are" if points > 1 else "The point measured before is"
        raise type(error)(
            f"{error}\n{kept} kept in {output}; the same command with --resume goes on from there."
        ) from error


def _session_warnings(profile_: Profile, *, apart: bool) -> Iterator[str]:
    """What holds for all points."""
    if not apart and profile_.container.backend != "url":
        yield (
            f"the load generator shares the container's {profile_.host.logical_cpus} CPUs, which costs the container "
            "some throughput; --cpus with fewer would keep them apart"
        )
    largest = max((row.records_per_request for row in profile_.measurements), default=0)
    if largest > profile_.payload.records:
        yield (
            f"requests of up to {largest:,} records repeat the sample of {profile_.payload.records:,}; where the "
            "container caches, that flatters it; a larger --payload avoids it"
        )


def _skipped_warnings(skipped: Sequence[Skipped]) -> Iterator[str]:
    """One line per reason and size, naming the points."""
    groups: dict[tuple[int, str], list[int]] = {}
    for omission in skipped:
        groups.setdefault((omission.point.records_per_request, omission.reason), []).append(omission.point.concurrency)
    for (records, reason), concurrencies in groups.items():
        listed = ", ".join(map(str, sorted(concurrencies)))
        yield f"not measured: {records:,} records per request with {listed} in flight: {reason}"
