"""Whether `planner run` keeps a server as busy as wrk does: ``python benchmarks/run_vs_wrk.py``.

One loopback server with a fixed number of workers that each take so many milliseconds; against it, in turn, the whole
local job (files read, split and packed, answers ordered, outputs written and flushed) at MaxConcurrentTransforms c, and
wrk with c connections and the same bodies. Throughput of the run is its requests over its makespan. The table holds the
median ratio over pairs; the aim is 0.95 at 2 ms or more. Needs wrk (Debian package wrk).
"""

import argparse
import contextlib
import json
import platform
import re
import socketserver
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from planner.container import UrlContainer
from planner.jobs.local import JobSettings, run_job
from planner.profiling.host import read_host

RESULTS: Final = Path(__file__).parent / "results" / "run_vs_wrk.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One server and one way to load it."""

    service_ms: float
    workers: int
    concurrency: int
    body_bytes: int

    @property
    def requests_per_s(self) -> float:
        """What the server can do at most."""
        return min(self.workers, self.concurrency) / self.service_ms * 1e3


CASES: Final = (
    Case(service_ms=2, workers=4, concurrency=1, body_bytes=1_000),
    Case(service_ms=2, workers=4, concurrency=4, body_bytes=1_000),
    Case(service_ms=2, workers=4, concurrency=8, body_bytes=1_000),
    Case(service_ms=5, workers=4, concurrency=4, body_bytes=64_000),
    Case(service_ms=20, workers=8, concurrency=8, body_bytes=256_000),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """One run and one turn of wrk, one after the other."""

    case: Case
    requests: int
    run_requests_per_s: float
    wrk_requests_per_s: float
    run_in_flight: float
    run_cpu_us_per_request: float
    """The runner's own CPU time, everything included."""

    @property
    def ratio(self) -> float:
        """Throughput of the run over that of wrk."""
        return self.run_requests_per_s / self.wrk_requests_per_s


class _Working(socketserver.StreamRequestHandler):
    """Answers each request when one of the server's workers has had it for the service time."""

    disable_nagle_algorithm = True

    def handle(self) -> None:
        with contextlib.suppress(ConnectionError):
            self._answer_all()

    def _answer_all(self) -> None:
        service_s: float = self.server.service_s  # type: ignore[attr-defined]
        workers: threading.Semaphore = self.server.workers  # type: ignore[attr-defined]
        while request := self.rfile.readline():
            length = 0
            while (line := self.rfile.readline()).strip():
                if line.lower().startswith(b"content-length:"):
                    length = int(line.partition(b":")[2])
            self.rfile.read(length)
            if request.startswith(b"GET /execution-parameters"):
                self.wfile.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
                continue
            if request.startswith(b"POST"):
                with workers:
                    time.sleep(service_s)
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n")


def serve(service_s: float, workers: int) -> None:
    """Print a port and serve on it until killed."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Working) as server:
        server.daemon_threads = True
        server.service_s = service_s  # type: ignore[attr-defined]
        server.workers = threading.Semaphore(workers)  # type: ignore[attr-defined]
        print(server.server_address[1], flush=True)
        server.serve_forever()


@contextlib.contextmanager
def working_server(case: Case) -> Iterator[str]:
    command = [sys.executable, __file__, "--serve", str(case.service_ms / 1e3), str(case.workers)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.kill()


def local_run(case: Case, url: str, folder: Path) -> tuple[float, float, float]:
    """Requests/s, mean requests in flight, and the runner's CPU microseconds per request, of the whole job."""
    settings = JobSettings(
        content_type="text/csv",
        split_type="Line",
        assemble_with="None",
        batch_strategy="SingleRecord",
        max_payload_mb=1,
        max_concurrent_transforms=case.concurrency,
    )
    run = run_job(
        folder / "in", folder / "out", settings, lambda environment, _: UrlContainer(url, environment=environment)
    )
    assert run.state == "Completed"
    assert run.retried_requests == 0
    return run.requests / run.makespan_s, run.instances[0].mean_in_flight, 1e6 * run.client_cpu_s / run.requests


def wrk(case: Case, url: str, seconds: float) -> float:
    """Requests/s."""
    report = 'done = function(s, l, r) io.write(string.format("R %d %f\\n", s.requests, s.duration)) end'
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(f'wrk.method = "POST"\nwrk.body = string.rep("x", {case.body_bytes - 1}) .. "\\n"\n')
        script.write(f'wrk.headers["Content-Type"] = "text/csv"\n{report}\n')
        script.flush()
        command = ["wrk", "-t1", f"-c{case.concurrency}", f"-d{max(1, round(seconds))}s", "-s", script.name]
        out = subprocess.run([*command, f"{url}/invocations"], check=True, capture_output=True, text=True).stdout
    found = re.search(r"^R (\d+) ([\d.]+)$", out, re.MULTILINE)
    assert found is not None, out
    return int(found[1]) / float(found[2]) * 1e6


def measure(seconds: float, pairs: int) -> list[Pair]:
    measured = []
    for case in CASES:
        requests = max(case.concurrency, round(case.requests_per_s * seconds * 0.85))
        with tempfile.TemporaryDirectory() as place, working_server(case) as url:
            folder = Path(place)
            (folder / "in").mkdir()
            line = b"x" * (case.body_bytes - 1) + b"\n"
            for number in range(4):
                with (folder / "in" / f"part-{number}").open("wb") as stream:
                    stream.writelines(line for _ in range(requests // 4))
            for _ in range(pairs):
                ours, in_flight, cpu_us = local_run(case, url, folder)
                measured.append(
                    Pair(
                        case=case,
                        requests=requests // 4 * 4,
                        run_requests_per_s=ours,
                        wrk_requests_per_s=wrk(case, url, seconds),
                        run_in_flight=in_flight,
                        run_cpu_us_per_request=cpu_us,
                    )
                )
    return measured


def show(measured: list[Pair]) -> None:
    header = f"{'service':>7} {'workers':>7} {'c':>2} {'body':>8}  {'run/s':>8} {'wrk/s':>8} {'ratio':>6}  "
    print(header + f"{'in flight':>9} CPU us")
    for case in CASES:
        pairs = [pair for pair in measured if pair.case == case]
        ours, theirs = (
            statistics.median(p.run_requests_per_s for p in pairs),
            statistics.median(p.wrk_requests_per_s for p in pairs),
        )
        ratio = statistics.median(pair.ratio for pair in pairs)
        in_flight = statistics.median(pair.run_in_flight for pair in pairs)
        cpu_us = statistics.median(pair.run_cpu_us_per_request for pair in pairs)
        print(
            f"{case.service_ms:>5g}ms {case.workers:>7} {case.concurrency:>2} {case.body_bytes:>8,}  "
            f"{ours:>8,.1f} {theirs:>8,.1f} {ratio:>6.3f}  {in_flight:>9.2f} {cpu_us:>6.0f}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=2.0, help="per turn")
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--serve", nargs=2, type=float, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve is not None:
        serve(arguments.serve[0], int(arguments.serve[1]))
        return
    measured = measure(arguments.seconds, arguments.pairs)
    show(measured)
    host = read_host()
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(
        json.dumps(
            {
                "command": " ".join(["python", "benchmarks/run_vs_wrk.py", *sys.argv[1:]]),
                "machine": f"{host.cpu_model}, {host.logical_cpus} CPUs, {host.system}",
                "python": platform.python_version(),
                "pairs": [{**asdict(pair), "ratio": pair.ratio} for pair in measured],
            },
            indent=1,
        )
        + "\n"
    )


if __name__ == "__main__":
    main()
