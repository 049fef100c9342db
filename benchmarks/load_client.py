"""What the load generator costs and whether it tells the same latency as wrk: ``python benchmarks/load_client.py``.

Each client sends POSTs over keep-alive connections to one and the same loopback server, in turn within each round,
several rounds; the table holds medians over the rounds. CPU is user + system time of the client alone. wrk
(Debian package wrk) takes part when it is installed, Python's http.client in threads always. Machine, versions and
every round go to benchmarks/results/load_client.json.
"""

import argparse
import contextlib
import http.client
import json
import platform
import re
import resource
import shutil
import socketserver
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from planner.container.contract import Address
from planner.profiling.calibrate import null_server
from planner.profiling.host import read_host
from planner.profiling.http1 import prepare_request
from planner.profiling.load import ClosedLoop

RESULTS = Path(__file__).parent / "results" / "load_client.json"
CASES = ((1_000, 1, 0.0), (1_000, 4, 0.0), (1_000_000, 1, 0.0), (1_000_000, 4, 0.0), (1_000, 4, 0.001))
"""Body bytes, concurrency, seconds that the server waits before it answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One client in one round of one case."""

    client: str
    body_bytes: int
    concurrency: int
    delay_s: float
    requests: int
    cpu_us_per_request: float
    requests_per_s: float
    latency_mean_us: float


Client = Callable[[Address, int, int, float], tuple[int, float, float, float]]
"""Address, body bytes, concurrency, seconds -> requests, CPU seconds, seconds, mean latency in seconds."""


def our_loop(address: Address, size: int, concurrency: int, seconds: float) -> tuple[int, float, float, float]:
    requests = [
        prepare_request(address, bytes([65 + i]) * size, content_type="text/csv", accept=None) for i in range(8)
    ]
    cpu_s = time.thread_time()
    trace = ClosedLoop(address, requests, concurrency=concurrency, timeout_s=10).run(
        should_stop=lambda _: False, checkpoint_s=seconds / 16, at_most_s=seconds
    )
    cpu_s = time.thread_time() - cpu_s
    assert not trace.failures, trace.failures[0]
    latencies = [end - start for start, end in zip(trace.start_s, trace.end_s, strict=True)]
    return len(latencies), cpu_s, trace.end_s[-1] - trace.began_s, statistics.fmean(latencies)


def http_client(address: Address, size: int, concurrency: int, seconds: float) -> tuple[int, float, float, float]:
    latencies: list[float] = []
    spent: list[float] = []
    until = time.perf_counter() + seconds

    def send() -> None:
        connection = http.client.HTTPConnection(address.host, address.port)
        body, began = b"A" * size, time.thread_time()
        while (start := time.perf_counter()) < until:
            connection.request("POST", "/invocations", body=body, headers={"Content-Type": "text/csv"})
            connection.getresponse().read()
            latencies.append(time.perf_counter() - start)
        spent.append(time.thread_time() - began)
        connection.close()

    threads = [threading.Thread(target=send) for _ in range(concurrency)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(latencies), sum(spent), seconds, statistics.fmean(latencies)


def wrk(address: Address, size: int, concurrency: int, seconds: float) -> tuple[int, float, float, float]:
    report = 'done = function(s, l, r) io.write(string.format("R %d %f %f\\n", s.requests, s.duration, l.mean)) end'
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(f'wrk.method = "POST"\nwrk.body = string.rep("A", {size})\n')
        script.write(f'wrk.headers["Content-Type"] = "text/csv"\n{report}\n')
        script.flush()
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        command = ["wrk", "-t1", f"-c{concurrency}", f"-d{max(1, round(seconds))}s", "-s", script.name]
        url = f"http://{address.host}:{address.port}/invocations"
        out = subprocess.run([*command, url], check=True, capture_output=True, text=True).stdout
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    found = re.search(r"^R (\d+) ([\d.]+) ([\d.]+)$", out, re.MULTILINE)
    assert found is not None, out
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return int(found[1]), cpu_s, float(found[2]) / 1e6, float(found[3]) / 1e6


class _Waiting(socketserver.StreamRequestHandler):
    """Answers each request after the server's delay."""

    disable_nagle_algorithm = True

    def handle(self) -> None:
        with contextlib.suppress(ConnectionError):
            self._answer_all()

    def _answer_all(self) -> None:
        delay_s: float = self.server.delay_s  # type: ignore[attr-defined]
        while self.rfile.readline():
            length = 0
            while (line := self.rfile.readline()).strip():
                if line.lower().startswith(b"content-length:"):
                    length = int(line.partition(b":")[2])
            self.rfile.read(length)
            time.sleep(delay_s)
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


def serve(delay_s: float) -> None:
    """Print a port and serve on it until killed."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Waiting) as server:
        server.daemon_threads = True
        server.delay_s = delay_s  # type: ignore[attr-defined]
        print(server.server_address[1], flush=True)
        server.serve_forever()


@contextlib.contextmanager
def waiting_server(delay_s: float) -> Iterator[Address]:
    command = [sys.executable, __file__, "--serve", str(delay_s)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            yield Address(host="127.0.0.1", port=int(process.stdout.readline()))
        finally:
            process.kill()


def measure(seconds: float, rounds: int) -> list[Round]:
    clients: dict[str, Client] = {"planner": our_loop, "http.client": http_client}
    if shutil.which("wrk"):
        clients = {"planner": our_loop, "wrk": wrk, "http.client": http_client}
    measured = []
    for size, concurrency, delay_s in CASES:
        with waiting_server(delay_s) if delay_s else null_server() as address:
            for _ in range(rounds):
                for name, client in clients.items():
                    requests, cpu_s, took_s, latency_s = client(address, size, concurrency, seconds)
                    measured.append(
                        Round(
                            client=name,
                            body_bytes=size,
                            concurrency=concurrency,
                            delay_s=delay_s,
                            requests=requests,
                            cpu_us_per_request=1e6 * cpu_s / requests,
                            requests_per_s=requests / took_s,
                            latency_mean_us=1e6 * latency_s,
                        )
                    )
    return measured


def show(measured: list[Round]) -> None:
    print(f"{'body':>9} {'c':>2} {'server':>6}  {'client':<11} {'CPU us/request':>14} {'x planner':>9} ", end="")
    print(f"{'requests/s':>10} {'latency us':>10} {'x planner':>9}")
    for size, concurrency, delay_s in CASES:
        case = [r for r in measured if (r.body_bytes, r.concurrency, r.delay_s) == (size, concurrency, delay_s)]
        ours = [r for r in case if r.client == "planner"]
        for name in dict.fromkeys(r.client for r in case):
            rows = [r for r in case if r.client == name]
            cpu = statistics.median(r.cpu_us_per_request for r in rows)
            latency = statistics.median(r.latency_mean_us for r in rows)
            rate = statistics.median(r.requests_per_s for r in rows)
            cpu_ratio = cpu / statistics.median(r.cpu_us_per_request for r in ours)
            latency_ratio = latency / statistics.median(r.latency_mean_us for r in ours)
            print(
                f"{size:>9,} {concurrency:>2} {1e3 * delay_s:>4.0f}ms  {name:<11} {cpu:>14.1f} {cpu_ratio:>9.2f} ",
                end="",
            )
            print(f"{rate:>10,.0f} {latency:>10,.1f} {latency_ratio:>9.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=2.0, help="per client and round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--serve", type=float, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve is not None:
        serve(arguments.serve)
        return
    measured = measure(arguments.seconds, arguments.rounds)
    show(measured)
    host = read_host()
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(
        json.dumps(
            {
                "command": " ".join(["python", "benchmarks/load_client.py", *sys.argv[1:]]),
                "machine": f"{host.cpu_model}, {host.logical_cpus} CPUs, {host.system}",
                "python": platform.python_version(),
                "rounds": [asdict(r) for r in measured],
            },
            indent=1,
        )
        + "\n"
    )


if __name__ == "__main__":
    main()
