"""What measuring itself costs: the load generator against a server that does nothing."""

import contextlib
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from planner.container.contract import Address
from planner.errors import ProfileError
from planner.profiling.http1 import prepare_request
from planner.profiling.load import ClosedLoop
from planner.profiling.profile import LoadGenerator

_SERVER: Final = Path(__file__).with_name("null_server.py")
_CONCURRENCY: Final = 1
"""One request in flight gives the latency floor; more only lower the CPU time per request."""


@contextlib.contextmanager
def null_server() -> Iterator[Address]:
    """The address of a server that reads each request and answers two bytes; ended on every way out."""
    command = [sys.executable, "-I", "-S", str(_SERVER)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:  # noqa: S603 - our own file
        try:
            assert process.stdout is not None
            port = process.stdout.readline().strip()
            if not port.isdigit():
                raise ProfileError(f"the null server for calibration did not start: {' '.join(command)}")
            yield Address(host="127.0.0.1", port=int(port))
        finally:
            process.kill()


def calibrate(body: bytes, *, duration_s: float = 0.2) -> LoadGenerator:
    """CPU seconds per request and median latency of the load generator, sending this body to a null server."""
    with null_server() as address:
        loop = ClosedLoop(
            address,
            [prepare_request(address, body, content_type="application/octet-stream", accept=None)],
            concurrency=_CONCURRENCY,
            timeout_s=5,
        )
        trace = loop.run(should_stop=lambda _: False, checkpoint_s=duration_s / 4, at_most_s=duration_s)
    if not trace.end_s:
        raise ProfileError(f"calibration against the null server failed: {trace.failures[0][1]}")
    spent_s = trace.checkpoints[-1].client_cpu_s - trace.checkpoints[0].client_cpu_s
    latencies = [end - start for start, end in zip(trace.start_s, trace.end_s, strict=True)]
    return LoadGenerator(cpu_s_per_request=spent_s / len(latencies), latency_s=statistics.median(latencies))
