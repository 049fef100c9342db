"""One container up, checked, and ready to be asked: what the rules of this room call as `probe` and `measure`."""

import time
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from planner.campaign.bench import Refused
from planner.campaign.points import Point
from planner.container.contract import Container, Response
from planner.documents import replace
from planner.profiling.checks import check_response, divisible, media_type
from planner.profiling.payloads import Sample
from planner.profiling.point import Conditions, measure_point
from planner.profiling.profile import Host, LoadGenerator, Measurement, Profile
from planner.profiling.reference import reference_s, unsteadiness
from planner.units import show_bytes

REQUEST_TIMEOUT_S: Final = 60.0
"""The default of most model servers (30 to 60 s): a slower request would fail inside the container anyway."""

_TOO_LARGE: Final = 413
_QUICK_S: Final = 0.25


def cpus_of(container: Container, host: Host) -> float:
    """CPUs that the container can use."""
    return container.description.limits.cpus or float(host.logical_cpus)


def workers_of(container: Container, host: Host) -> int:
    """Worker processes, or CPUs where those are not known."""
    return container.description.workers or max(1, int(cpus_of(container, host)))


def open_session(container: Container, sample: Sample, host: Host, load_generator: LoadGenerator) -> Profile:
    """A profile without measurements: the container started, asked for its wishes, and checked with two requests."""
    startup = container.start()
    wishes = container.execution_parameters()
    warnings = []
    first_s, response = invoke(container, sample, 1)
    if not check_response(container, response, records=1, request_bytes=len(sample.first_body(1))):
        kind = media_type(response.content_type) or "of no declared type"
        warnings.append(f"answers are {kind}: whether they hold one result per record is not checked")
    if divisible(sample.payload.split_type):
        _, response = invoke(container, sample, 2)
        check_response(container, response, records=2, request_bytes=len(sample.first_body(2)))
    reference_s()  # what it reads is made once, here: outside the time of the points
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


def invoke(
    container: Container, sample: Sample, records: int, timeout_s: float = REQUEST_TIMEOUT_S
) -> tuple[float, Response]:
    """Seconds that one request alone took, and the answer."""
    payload = sample.payload
    body = sample.first_body(records)
    begin_s = time.perf_counter()
    response = container.invoke(body, content_type=payload.content_type, accept=payload.accept, timeout_s=timeout_s)
    return time.perf_counter() - begin_s, response


def probe(container: Container, sample: Sample, records: int) -> float | Refused:
    """Seconds that one checked request alone took; Refused when the container finds it too large.

    A quick one is sent twice and the better time counts: the first of its size may meet cold caches.
    """
    size = len(sample.first_body(records))
    latencies_s: list[float] = []
    while not latencies_s or (len(latencies_s) == 1 and latencies_s[0] < _QUICK_S):
        latency_s, response = invoke(container, sample, records)
        if response.status == _TOO_LARGE and records > 1:
            return Refused(
                request_bytes=size,
                reason=f"the container refuses bodies of {show_bytes(size)} (status 413); "
                "a plan must keep its payload below, or the server's limit be raised",
            )
        check_response(container, response, records=records, request_bytes=size)
        latencies_s.append(latency_s)
    return min(latencies_s)


class Subject:
    """The container of an opened session: what it can be asked, and how steady the machine proves meanwhile."""

    def __init__(self, container: Container, sample: Sample, opening: Profile, *, apart: bool) -> None:
        description = container.description
        self._sample = sample
        self._cpus = None if description.backend == "url" else description.cpu_set or ()
        self._conditions = Conditions(
            container=container,
            sample=sample,
            cpus=cpus_of(container, opening.host),
            host_cpus=opening.host.logical_cpus,
            request_timeout_s=REQUEST_TIMEOUT_S,
            load_generator=opening.load_generator,
            client_is_apart=apart,
            sampled_cpus=self._cpus,
        )
        self._began_s = datetime.fromisoformat(opening.created_at).timestamp()
        known_s = [row.reference_s for row in opening.measurements]
        self._readings_s = [reading_s for reading_s in known_s if reading_s is not None]

    def probe(self, records: int) -> float | Refused:
        """As the function of this name; the machine is read besides, so that its steadiness is known early."""
        self._reading_s()
        return probe(self._conditions.container, self._sample, records)

    def measure(self, point: Point, time_s: float) -> Measurement:
        """The point, measured for some seconds, with what the machine was like."""
        reading_s = self._reading_s()
        row = measure_point(
            self._conditions,
            records_per_request=point.records_per_request,
            concurrency=point.concurrency,
            time_s=time_s,
            started_at_s=max(0.0, time.time() - self._began_s),
        )
        return replace(row, reference_s=reading_s, unsteadiness=unsteadiness(self._readings_s))

    def _reading_s(self) -> float | None:
        """The fixed computation, timed on the container's CPUs; None where these are elsewhere."""
        if self._cpus is None:
            return None
        self._readings_s.append(reference_s(self._cpus))
        return self._readings_s[-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What the session is at, for whoever shows it."""

    doing: str
    measured: int = 0
    planned: int = 0
    measurement: Measurement | None = None
    """The point that was just measured."""
