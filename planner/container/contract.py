"""The hosting contract, seen from the planner: start, /ping, /execution-parameters, /invocations, usage, stop.

Source: AWS developer guide, "Use Your Own Inference Code with Batch Transform" (your-algorithms-batch-code).
Every way to have a model server (docker, process, url, model directory) implements `Container` and passes the
one contract-test suite in tests/container/.
"""

from collections.abc import Mapping
from types import TracebackType
from typing import Literal, Protocol, Self, runtime_checkable

from planner.documents import Value


class Limits(Value, frozen=True, kw_only=True):
    """What the container may use of the host."""

    cpus: float | None = None
    """Whole CPUs it is pinned to; None: all of the host's. A fraction is a quota: the share of each 100 ms after which
    the container is halted; it takes Docker, or root on Linux."""
    memory_bytes: int | None = None
    cpu_set: tuple[int, ...] | None = None
    """Numbers of those CPUs, where the caller chooses them (several containers side by side); None: the last ones."""


class ExecutionParameters(Value, frozen=True, kw_only=True):
    """What ``GET /execution-parameters`` answered; a field that was not there is None."""

    max_concurrent_transforms: int | None = None
    batch_strategy: Literal["MultiRecord", "SingleRecord"] | None = None
    """Both spellings seen in the wild ("MULTI_RECORD", "MultiRecord") are read."""
    max_payload_mb: int | None = None


class Address(Value, frozen=True, kw_only=True):
    """Where the server listens."""

    host: str
    port: int
    base_path: str = ""
    """Path before /ping and /invocations; empty or starting with '/' and not ending with it."""


class Startup(Value, frozen=True, kw_only=True):
    """How long the container took to be ready."""

    ping_s: float
    """From start to the first ``/ping`` that answered 200."""


class ThreadTimes(Value, frozen=True, kw_only=True):
    """What one thread has done since it began."""

    ran_s: float
    waited_s: float
    """Ready to run, and no CPU free (or its quota used up)."""
    process: int | None = None
    """Number of the process that it belongs to."""


class Usage(Value, frozen=True, kw_only=True):
    """What the container has used up to now."""

    cpu_s: float
    """CPU seconds, user and system, of all its processes since the start, ended ones included."""
    memory_bytes: int
    """In use now."""
    memory_peak_bytes: int
    """Highest value since the start or the last `reset_memory_peak`."""
    throttled_periods: int | None = None
    """Periods of 100 ms in which a CPU quota halted it, since the start; None: it has no quota."""
    throttled_s: float | None = None
    """Seconds that its threads stood still for the quota, summed; None: it has no quota."""
    threads: Mapping[int, ThreadTimes] | None = None
    """Of each thread that runs now, by its number; None where that cannot be seen."""
    source: Literal["cgroup-v1", "cgroup-v2", "process-tree", "engine"]
    """Where these were read; "engine" is the Docker engine's own statistics."""


class ContainerDescription(Value, frozen=True, kw_only=True):
    """What ran: enough to tell whether two profiles are of the same thing."""

    backend: Literal["docker", "process", "url", "model-dir"]
    target: str
    """Image, command line, URL or model path, as given."""
    digest: str | None = None
    """Image id, sha256 of the model directory's content, or both where a model is mounted into an image; None where
    the planner cannot know (url, command)."""
    environment: Mapping[str, str]
    """What the user set; never the caller's own environment."""
    limits: Limits
    workers: int | None = None
    """Worker processes, where known (SAGEMAKER_MODEL_SERVER_WORKERS or the backend's own choice)."""
    worker_variable: str | None = None
    """Environment variable that sets `workers`, where known: what a plan may set on another instance type."""
    cpu_set: tuple[int, ...] | None = None
    """Numbers of the CPUs it is pinned to, as sched_setaffinity counts them; None: not pinned, or not known."""


class Response(Value, frozen=True, kw_only=True):
    """One answer of ``POST /invocations``."""

    status: int
    content_type: str | None
    body: bytes


@runtime_checkable
class Container(Protocol):
    """A model server that keeps the hosting contract; a context manager that starts and stops it.

    ``with container: ...`` starts on entry and stops on every way out. Nothing outlives `stop`: no process,
    no port, no temporary folder.
    """

    @property
    def description(self) -> ContainerDescription:
        """What this is; available before start."""
        ...

    @property
    def address(self) -> Address:
        """Where to send requests; valid after `start`."""
        ...

    def start(self) -> Startup:
        """Start and wait until /ping answers 200.

        Raises ContainerStartError (with the log's tail) if it ends or stays silent past its time limit.
        """
        ...

    def execution_parameters(self) -> ExecutionParameters | None:
        """The container's own wishes; None when it has no such route (404) or the answer is not usable."""
        ...

    def invoke(self, body: bytes, *, content_type: str, accept: str | None = None, timeout_s: float = 60) -> Response:
        """POST one body and return the answer, whatever its status. Raises InvocationError on no answer."""
        ...

    def usage(self) -> Usage | None:
        """What it has used; None where that cannot be seen (a remote URL)."""
        ...

    def reset_memory_peak(self) -> None:
        """Start a new memory peak from what is in use now."""
        ...

    def check_alive(self) -> None:
        """Raise ContainerDiedError (with the log's tail) if the server has ended."""
        ...

    def log_tail(self, lines: int = 20) -> str:
        """The last lines that it wrote to stdout and stderr; empty where they cannot be seen."""
        ...

    def stop(self) -> None:
        """End it: SIGTERM, then SIGKILL. Safe to call twice, or before start."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> None: ...
