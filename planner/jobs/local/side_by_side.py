"""How much the instances of a local job and the runner slow each other down, measured with stand-ins for the container.

A profile is taken of one container, by a load generator that has a CPU to itself where there is one. In a job several
containers run side by side, and the runner reads, cuts, sends, receives and writes for all of them on what CPUs are
left, or on theirs. What that costs depends on the machine, its scheduler and the job, so it is measured on stand-ins
(`stand_in`), which take the CPU time of a request that the profile says, and wait as long as it then takes to have its
latency: first one of them under the profile's load generator, then under the runner with a small job of the same
requests, then as many as the job has instances. The first rate over the others is the slowdown. Nothing of the job
itself is run. Because they burn a given CPU time and not a given work, they cannot see that the machine needs more of
it for a request than it did in the profile: `trial` can.
"""

import contextlib
import functools
import math
import shlex
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from planner.container.contract import Limits
from planner.container.process import ProcessContainer
from planner.jobs.local.run import run_job
from planner.jobs.local.run_document import RunDocument
from planner.jobs.local.settings import JobSettings
from planner.jobs.sharing import SideBySide
from planner.profiling.http1 import prepare_request
from planner.profiling.load import ClosedLoop
from planner.records.dataset import BatchStrategy

_CONTENT_TYPE: Final = "application/octet-stream"
_MOST_BODIES: Final = 1000
_SERVER: Final = Path(__file__).with_name("stand_in.py")
_DURATION_S: Final = 1.0
"""About so long each of the three takes."""
_LEAST_ROUNDS, _MOST_REQUESTS = 12, 20_000
_OBJECT_BYTES: Final = 2**25
_SPARE_WORKERS: Final = 4
_NOTABLE_WAIT: Final = 0.03
"""Of the latency: less is within what a measurement repeats."""
_BODIES_BYTES: Final = 2**25
_TIMEOUT_S: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class StandIn:
    """What one instance of the job does with a request, and what the requests are."""

    batch_strategy: BatchStrategy
    max_payload_mb: int
    max_concurrent_transforms: int
    records_per_request: float
    record_bytes: float
    response_bytes: float
    """Of one answer."""
    cpu_s_per_request: float
    requests_per_s: float
    """Of one container alone, with that many requests in flight."""
    keeps_connections: bool = True
    wait_s: float = 0.0
    """What it sleeps besides."""

    def waiting_for(self, busy_requests_per_s: float) -> "StandIn":
        """The same with the wait that brings its latency to the profile's, from its rate without one (Little's law)."""
        in_flight = self.max_concurrent_transforms
        wait_s = in_flight / self.requests_per_s - in_flight / busy_requests_per_s
        return replace(self, wait_s=wait_s) if wait_s * self.requests_per_s > _NOTABLE_WAIT * in_flight else self


def measure_side_by_side(what: StandIn, *, instance_count: int, cpus: float) -> SideBySide:
    """The slowdown of `instance_count` such containers with so many CPUs each; takes about five seconds.

    Raises what `run_job` raises: ContainerLimitError for CPUs that this machine has not, ContainerStartError.
    """
    as_profiled = _profiled_rate(what, cpus)
    waiting = what.waiting_for(as_profiled)
    if waiting is not what:
        what, as_profiled = waiting, _profiled_rate(waiting, cpus)
    alone = _job(what, 1, cpus)
    together = alone if instance_count == 1 else _job(what, instance_count, cpus)
    return SideBySide(
        instances=instance_count,
        cpus=cpus,
        profiled_requests_per_s=as_profiled,
        alone_requests_per_s=_rate(alone),
        together_requests_per_s=_rate(together),
        client_cpu_s_per_request=together.client_cpu_s / together.requests,
        requests=together.requests,
        keeps_connections=what.keeps_connections,
    )


def _rate(run: RunDocument) -> float:
    """Requests per second of one instance while it is at work."""
    return run.requests / sum(row.busy_s for row in run.instances)


def _profiled_rate(what: StandIn, cpus: float) -> float:
    """Requests per second of one stand-in under the load that profiles are taken with."""
    body = _line(what) * max(1, round(what.records_per_request))
    count = max(1, min(_MOST_BODIES, _BODIES_BYTES // len(body)))
    with stand_in_container(what, {}, Limits(cpus=cpus)) as container:
        requests = [
            prepare_request(container.address, body + b"x" * number, content_type=_CONTENT_TYPE, accept=None)
            for number in range(count)
        ]
        loop = ClosedLoop(container.address, requests, concurrency=what.max_concurrent_transforms, timeout_s=_TIMEOUT_S)
        trace = loop.run(should_stop=lambda _: False, checkpoint_s=_DURATION_S, at_most_s=_DURATION_S)
    return len(trace.end_s) / (trace.end_s[-1] - trace.start_s[0])


def _job(what: StandIn, instances: int, cpus: float) -> RunDocument:
    """The runner's own job of such requests, the same number for each instance."""
    settings = JobSettings(
        content_type=_CONTENT_TYPE,
        split_type="Line",
        assemble_with="Line",
        batch_strategy=what.batch_strategy,
        max_payload_mb=what.max_payload_mb,
        max_concurrent_transforms=what.max_concurrent_transforms,
        instance_count=instances,
    )
    with _input(what, instances) as folder:
        return run_job(folder / "in", folder / "out", settings, functools.partial(stand_in_container, what), cpus=cpus)


def stand_in_container(what: StandIn, environment: Mapping[str, str], limits: Limits) -> ProcessContainer:
    """A stand-in, not yet started."""
    told = {
        "STAND_IN_CPU_S": str(what.cpu_s_per_request),
        "STAND_IN_WAIT_S": str(what.wait_s),
        "STAND_IN_RESPONSE_BYTES": str(round(what.response_bytes)),
        "STAND_IN_CLOSES": "0" if what.keeps_connections else "1",
        "STAND_IN_WORKERS": str(what.max_concurrent_transforms + _SPARE_WORKERS),
    }
    command = shlex.join([sys.executable, "-I", "-S", str(_SERVER)])
    return ProcessContainer(command, environment={**environment, **told}, limits=limits)


def _line(what: StandIn) -> bytes:
    return b"x" * max(0, round(what.record_bytes) - 1) + b"\n"


@contextlib.contextmanager
def _input(what: StandIn, instances: int) -> Iterator[Path]:
    """A folder with equally large objects of such records, as many for each instance; all are one file."""
    wanted = min(_MOST_REQUESTS, math.ceil(_DURATION_S * what.requests_per_s))
    requests = max(wanted, _LEAST_ROUNDS * what.max_concurrent_transforms)
    line = _line(what)
    records = math.ceil(requests * what.records_per_request)
    objects = max(1, records * len(line) // _OBJECT_BYTES)
    with tempfile.TemporaryDirectory(prefix="batch-transform-planner-") as scratch:
        folder = Path(scratch)
        (folder / "in").mkdir()
        first = folder / "in" / "0"
        first.write_bytes(line * math.ceil(records / objects))
        for number in range(1, objects * instances):
            (folder / "in" / str(number)).hardlink_to(first)
        yield folder
