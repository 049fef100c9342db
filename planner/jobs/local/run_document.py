"""What a local run leaves: every object's row, what the instances did, and what it was run with."""

from typing import Literal, TypeAlias

from planner.container.contract import ContainerDescription
from planner.documents import Document, Value
from planner.interval import Interval
from planner.jobs.local.settings import EffectiveSettings, JobSettings

ObjectState: TypeAlias = Literal["finished", "kept", "failed", "unfinished"]
"""Done in this run; done in an earlier one and kept by --resume; failed, and without output; not done when the run was
ended early, and without output."""


class ObjectRow(Value, frozen=True, kw_only=True):
    """One input object."""

    key: str
    instance: int | None
    """Index of the instance that worked on it; None when it was kept from an earlier run."""
    state: ObjectState
    failure: str | None = None
    """In the service's words where they are known, with the records and the byte offset of the payload."""
    records: int
    """In the requests that were answered; of a failed object, up to where it failed."""
    requests: int
    """Answered with 2xx; a retried request counts once."""
    payload_bytes: int
    """Bytes of the records of those requests as read, before InputFilter."""
    output_bytes: int
    """Size of its .out; 0 when it failed."""
    started_s: float | None = None
    """Its first request, in seconds from the first request of the run."""
    finished_s: float | None = None
    """Its last answer."""


class LatencySummary(Value, frozen=True, kw_only=True):
    """Latencies of the answered requests, in seconds, from sending the request to the end of its answer."""

    count: int
    mean: float
    quantiles: tuple[tuple[float, float], ...]
    """(probability, seconds) pairs, ascending, nearest rank."""
    largest: float


class InstanceRow(Value, frozen=True, kw_only=True):
    """One container."""

    instance: int
    objects: int
    startup_s: float
    """From start to the first /ping with 200; containers start one after the other, so that none slows another."""
    cpu_set: tuple[int, ...] | None
    """CPUs it was pinned to; None: not pinned."""
    requests: int
    busy_s: float
    """From its first request to its last answer."""
    mean_in_flight: float
    """Mean number of requests in flight from the job's first request to its last answer."""
    cpu_s: float | None
    """CPU seconds that it burnt in the job; None where that cannot be seen."""
    utilization: float | None
    """cpu_s / (makespan_s x CPUs it could use)."""
    memory_peak_bytes: int | None


class PlannedFigures(Value, frozen=True, kw_only=True):
    """What the plan that was run expects of its own machines: shown, but not comparable with this one's times."""

    instance_type: str
    instance_count: int
    requests: int
    records: int
    makespan_s: Interval
    throughput_records_per_s: Interval
    latency_s: Interval


class PredictedFigures(Value, frozen=True, kw_only=True):
    """What the performance model expects of this run on this host, from a profile measured here."""

    makespan_s: Interval
    throughput_records_per_s: Interval
    """Of one instance in the steady state."""
    latency_s: Interval
    cpu_s_per_record: Interval | None
    extrapolated: bool
    notes: tuple[str, ...]
    """What makes the comparison doubtful."""


class RunDocument(Document, frozen=True, kw_only=True, tag="run"):
    """A transform job, run on this machine."""

    state: Literal["Completed", "Failed"]
    """As the service reports it: Failed when any object failed, though the outputs of the others are kept."""
    failure: str | None = None
    """What ended the run early, such as a container that died or a full disk; None: every object was tried."""
    input: str
    output: str
    container: ContainerDescription
    settings: JobSettings
    effective: EffectiveSettings | None
    """None when nothing was left to do, so that no container was asked."""
    requests: int
    """Answered with 2xx, over all objects; those of objects kept from an earlier run included."""
    requests_sent: int
    """HTTP requests of this run, retries included."""
    retried_requests: int
    failed_requests: int
    """Requests that were given up."""
    connections_opened: int | None = None
    """TCP connections of this run: about as many as requests in flight where the containers keep them open, as many as
    requests where each answer ends one."""
    records: int
    payload_bytes: int
    output_bytes: int
    makespan_s: float
    """First request to last answer of this run, over all instances; 0 when nothing was sent."""
    throughput_records_per_s: float
    """Records answered in this run over the makespan, all instances together."""
    latency_s: LatencySummary | None
    client_cpu_s: float
    """CPU seconds of the runner itself, which the containers did not have if they share its CPUs."""
    instances: tuple[InstanceRow, ...]
    objects: tuple[ObjectRow, ...]
    planned: PlannedFigures | None = None
    predicted: PredictedFigures | None = None
    warnings: tuple[str, ...] = ()
