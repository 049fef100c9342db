"""The versioned file that a profiling session leaves: raw measurements and what decides comparability."""

import math
from statistics import median
from typing import Final, Literal

from planner.container.contract import ContainerDescription, ExecutionParameters
from planner.documents import Document, Value
from planner.interval import Z90, Interval
from planner.profiling.tuning import Tuning
from planner.records.dataset import SplitType

REPEATABILITY: Final = 0.025
"""Log standard deviation between two windows of one point, apart in time or of two runs, that a single window cannot
see (drift, placement, restart). Two windows of 1 to 3 s disagreed by 2.1 % to 2.9 % in the median on small shared
virtual machines, over ten servers and more; that median is 0.95 standard deviations of one of them."""
REPEATABILITY_DEGREES: Final = 4
"""Differences between windows that REPEATABILITY counts as, where a machine's own are pooled with it."""
SHARED: Final = 0.7
"""Part of an unsteady machine's standard deviation between windows that the mean of a whole session keeps: windows
seconds apart are alike, and minutes differ. On a machine where windows of 2 s differed by 10 to 18 %, means of four,
spread over 36 s, kept 0.61 to 0.72 of it (four servers), those of five profiles of 50 s within ten minutes 0.87."""


class HostBenchmark(Value, frozen=True, kw_only=True):
    """stress-ng's 16-bit integer divisions on a host: ``--cpu N --cpu-method div16``, operations by the clock."""

    tool: str
    """With its version: ``stress-ng 0.17.08``."""
    measured_at: str
    """UTC, ISO 8601."""
    one_thread_per_s: Interval
    """Bogo operations per second of one thread: the median of several runs between the least and the most."""
    all_cpus_per_s: Interval
    """... of as many threads as the host has CPUs, together."""
    disturbed_share: float
    """Share of the machine's CPU time, 0 to 1, that other programs and the hypervisor took meanwhile."""


class Host(Value, frozen=True, kw_only=True):
    """The machine that was measured on."""

    cpu_model: str
    """As /proc/cpuinfo names it; hypervisors often hide the marketing name."""
    cpu_vendor: str = ""
    cpu_family: int | None = None
    cpu_model_number: int | None = None
    """CPUID model: tells the generation where the name does not (143 Sapphire Rapids, 106 Ice Lake ...)."""
    cpu_flags: tuple[str, ...] = ()
    """Instruction sets that matter for inference: avx2, avx512f, avx512_vnni, amx_tile ..."""
    logical_cpus: int
    physical_cores: int | None = None
    memory_bytes: int
    system: str
    """Kernel and operating system."""
    accelerators: tuple[str, ...] = ()
    benchmark: HostBenchmark | None = None
    """Where it was run (`planner place`)."""


class Payload(Value, frozen=True, kw_only=True):
    """The sample that was sent."""

    source: str
    digest: str
    """sha256 of the sample's bytes."""
    content_type: str
    accept: str | None = None
    split_type: SplitType
    records: int
    bytes: int
    largest_record_bytes: int

    @property
    def mean_record_bytes(self) -> float:
        """Mean bytes per record of the sample."""
        return self.bytes / self.records


class Measurement(Value, frozen=True, kw_only=True):
    """One point: a closed loop with `concurrency` requests in flight, each of `records_per_request` records.

    Little's law holds for every point as a check: concurrency = throughput_requests_per_s x mean latency.
    """

    records_per_request: int
    concurrency: int
    cpus: float
    """CPUs that the container could use."""
    workers: int | None = None
    started_at_s: float
    """Seconds since the profiling session began: drift shows against it."""
    duration_s: float
    """Time that `requests` took at that throughput: the measured window, warm-up excluded, were it not for the requests
    that its edges cut."""
    warmup_s: float
    warmup_requests: int
    requests: int
    """Requests completed with status 2xx inside the window."""
    errors: int
    throughput_records_per_s: float
    throughput_interval_records_per_s: Interval
    """90 % interval of the long-run mean: by batch means (samples of a closed loop are correlated), which sees nothing
    that changes more slowly than the window is long; of several windows also by what they disagree."""
    windows: int = 1
    """Times that the point was measured, apart in time; everything else here is of all of them together."""
    latency_s: tuple[float, ...]
    """Every sample in the window, in order of completion, in seconds."""
    cpu_s: float | None = None
    """CPU seconds that the container burnt in that time; None where it cannot be seen."""
    memory_peak_bytes: int | None = None
    request_bytes: float
    """Mean body size of a request."""
    response_bytes: float
    """Mean body size of a response."""
    disturbed_share: float | None = None
    """Share of this machine's CPU time, 0 to 1, that other programs and the hypervisor took in the window; the load
    generator does not count. None where the container's own part cannot be seen."""
    throttled_s: float | None = None
    """Seconds that a CPU quota halted the container's threads in the window, summed; None: it has no quota."""
    ready_threads: float | None = None
    """Threads of the container that ran or stood ready for a CPU, on average: how many CPUs it could have used. None
    where that cannot be seen."""
    active_threads: int | None = None
    """Threads that did a tenth of its work or more."""
    active_processes: int | None = None
    """Processes that those belong to: threads of one may share an interpreter lock."""
    reference_s: float | None = None
    """CPU seconds of a fixed computation (`planner.profiling.reference`) on the container's CPUs right before the
    window: how fast the machine was. None in older profiles, and for a server elsewhere."""
    unsteadiness: float = REPEATABILITY
    """Standard deviation of ln X from window to window that the machine alone makes where CPUs are the limit, by the
    fixed computation's times until then; at least what windows differ by on a quiet machine."""
    unexplained: float = 1.0
    """Part of `unsteadiness` by which windows of one session still differ; less than 1 once they were brought to one
    speed of the CPUs (`planner.profiling.one_speed`)."""
    core_speed: float | None = None
    """Mean speed of the container's CPUs in the window, in iterations of a fixed loop per CPU second
    (`planner.profiling.core_speed`). None in older profiles, for a server elsewhere and on systems other than Linux."""
    warnings: tuple[str, ...] = ()

    @property
    def throughput_requests_per_s(self) -> float:
        """Requests completed per second."""
        return self.throughput_records_per_s / self.records_per_request

    @property
    def repeat_log_sd(self) -> float:
        """Standard deviation of ln X for the point as such.

        It is that of its interval, and, where that is of a single window, what differs from window to window.
        """
        interval = self.throughput_interval_records_per_s
        own = math.log(interval.high / interval.low) / (2 * Z90) if interval.low > 0 else math.inf
        return own if self.windows > 1 else math.hypot(own, self.between_windows_log_sd)

    @property
    def between_windows_log_sd(self) -> float:
        """What differs from window to window and no single one can see, as a standard deviation of ln X.

        The machine's unsteadiness moves the part of the time in which the container computes.
        """
        return max(REPEATABILITY, self.computing_share * self.unexplained * self.unsteadiness)

    @property
    def cpus_busy(self) -> float | None:
        """CPUs that the container kept busy, on average; None where that cannot be seen."""
        return None if self.cpu_s is None else self.cpu_s / self.duration_s

    @property
    def computing_share(self) -> float:
        """Share of the time, 0 to 1, in which the container computes; all of it where that cannot be seen."""
        busy = self.cpus_busy
        return 1.0 if busy is None else min(1.0, busy / min(self.cpus, self.concurrency))

    @property
    def session_log_sd(self) -> float:
        """What all windows of a session are off by together, beyond REPEATABILITY: a standard deviation of ln X.

        Bringing them to one speed changes nothing about it: that of another session is another.
        """
        alone = max(REPEATABILITY, self.computing_share * self.unsteadiness)
        return math.sqrt(max(0.0, (SHARED * alone) ** 2 - REPEATABILITY**2))

    @property
    def mean_latency_s(self) -> float:
        """Mean of the latency samples."""
        return sum(self.latency_s) / len(self.latency_s)

    @property
    def cpu_s_per_record(self) -> float | None:
        """CPU seconds per record; None where CPU use cannot be seen."""
        return None if self.cpu_s is None else self.cpu_s / (self.requests * self.records_per_request)


class BodyProbe(Value, frozen=True, kw_only=True):
    """One request sent alone to find the largest body that the container takes."""

    request_bytes: int
    records: int
    accepted: bool
    """Answered with 2xx and, where that can be counted, one result per record."""
    status: int | None = None
    """None: no answer came."""
    reason: str = ""
    """Why it does not count as accepted."""
    latency_s: float = 0.0
    response_bytes: int | None = None
    memory_peak_bytes: int | None = None


class BestPoint(Value, frozen=True, kw_only=True):
    """The measured point that is recommended on the profiled host."""

    records_per_request: int
    concurrency: int
    workers: int | None = None
    """Where another worker count than the container's own measured better; None: its own."""
    throughput_records_per_s: Interval
    """Where measuring it once more, here and in the same way, would find it nine times in ten; at the session's mean
    speed of the CPUs, to which a measurement may not be brought yet (`planner.profiling.one_speed`)."""
    latency_s: float
    """Mean."""
    objective: Literal["throughput", "plan"]
    """Highest throughput on this host (least latency within 1 % of it), or the point of the cheapest plan."""


class LoadGenerator(Value, frozen=True, kw_only=True):
    """What the measuring itself costs, measured against a null server before the session."""

    cpu_s_per_request: float
    latency_s: float
    """Median latency against the null server: the floor below which nothing can be told apart."""


class UsualSpeed(Value, frozen=True, kw_only=True):
    """The speed of the container's CPUs over several sessions like this one (`planner.campaign.usual_speed`)."""

    core_speed: float
    """Geometric mean, in iterations of the sampled loop per CPU second."""
    session_core_speed: float
    """This session's own."""
    sessions: int
    """How many, this one included."""

    @property
    def faster(self) -> float:
        """By how much ln of this session's speed exceeds that of the usual one."""
        return math.log(self.session_core_speed / self.core_speed)

    @property
    def words(self) -> str:
        """How this session's speed compares: ``0.7% faster``."""
        return f"{abs(math.expm1(self.faster)):.1%} {'faster' if self.faster > 0 else 'slower'}"


class Profile(Document, frozen=True, kw_only=True, tag="profile"):
    """Measurements of one container on one host with one sample."""

    host: Host
    container: ContainerDescription
    execution_parameters: ExecutionParameters | None = None
    usage_source: str | None = None
    """Where CPU seconds and memory were read: cgroup-v1, cgroup-v2 or process-tree; None: not visible."""
    payload: Payload
    startup_s: float | None = None
    """From start to the first /ping with 200; None for a server that was already running."""
    first_invocation_s: float | None = None
    """Latency of the very first request: loading that /ping did not wait for shows here."""
    idle_memory_bytes: int | None = None
    load_generator: LoadGenerator | None = None
    measurements: tuple[Measurement, ...]
    usual_speed: UsualSpeed | None = None
    """What predictions bring the measured rates to; None: they stay at this session's mean speed."""
    bodies: tuple[BodyProbe, ...] = ()
    """Ever larger bodies, each sent alone once."""
    largest_body_bytes: int | None = None
    """Largest request that was accepted, in the measurements or alone."""
    refused_body_bytes: int | None = None
    """Smallest request that was refused for its size or ended the container; None: none was, up to what was sent."""
    refused_body_status: int | None = None
    tuning: Tuning | None = None
    best: BestPoint | None = None
    """None in partial profiles and where the points to measure were given."""
    complete: bool = True
    """False for the partial file of an interrupted session, which `--resume` goes on from."""
    warnings: tuple[str, ...] = ()

    @property
    def loading_s(self) -> float | None:
        """Seconds of the first request beyond what such a request takes later: loading that /ping did not wait for.

        None where one record alone in flight was not measured.
        """
        alone = [row for row in self.measurements if row.records_per_request == row.concurrency == 1]
        if self.first_invocation_s is None or not alone:
            return None
        return max(0.0, self.first_invocation_s - median(alone[-1].latency_s))
