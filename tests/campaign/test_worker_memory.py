"""What workers share and what each holds, told apart by a real server that forks, and by one that loads in each."""

import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from planner.campaign.across import profile_across
from planner.container import Container, Limits, ProcessContainer
from planner.performance.memory import fit_memory
from planner.units import MIB
from tests.container.test_process import needs_cgroup

VARIABLE = "SAGEMAKER_MODEL_SERVER_WORKERS"
MODEL_MIB = 48

FORKING = """
import os, socket
from http.server import BaseHTTPRequestHandler, HTTPServer

def load():
    return bytearray(os.urandom(2**20)) * int(os.environ["MODEL_MIB"])

class Handler(BaseHTTPRequestHandler):
    def answer(self, body):
        self.send_response(200)
        self.send_header("Content-Type", "text/csv")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.answer(b"")

    def do_POST(self):
        self.answer(self.rfile.read(int(self.headers["Content-Length"])))

    def log_message(self, *_):
        pass

address = ("127.0.0.1", int(os.environ["SAGEMAKER_BIND_TO_PORT"]))
model = load() if os.environ["PRELOAD"] == "1" else None
listener = socket.create_server(address)
for _ in range(int(os.environ["SAGEMAKER_MODEL_SERVER_WORKERS"])):
    if os.fork() == 0:
        model = model or load()
        server = HTTPServer(address, Handler, bind_and_activate=False)
        server.socket = listener
        server.serve_forever()
os.wait()
"""


@needs_cgroup
@pytest.mark.parametrize("preload", [True, False], ids=["preload", "own"])
def test_a_real_servers_shared_memory_is_told_from_what_each_worker_holds(tmp_path: Path, *, preload: bool) -> None:
    script, sample = tmp_path / "serve.py", tmp_path / "sample.csv"
    script.write_text(FORKING)
    sample.write_bytes(b"".join(b"%d,%d\n" % (i, i) for i in range(100)))

    def open_at(cpus: float | None, more: Mapping[str, str]) -> Container:
        environment = {VARIABLE: "1", "PRELOAD": str(int(preload)), "MODEL_MIB": str(MODEL_MIB), **more}
        return ProcessContainer(
            f"{sys.executable} {script}", environment=environment, limits=Limits(cpus=cpus), startup_timeout_s=20
        )

    found = profile_across(
        open_at,
        workers=(1, 2, 4),
        payload=sample,
        content_type="text/csv",
        time_budget_s=3.0,
        records_per_request=(1, 64),
        concurrency=(1, 2),
    )
    memory = fit_memory(found, 1.0)
    assert memory is not None
    assert list(memory.measured_workers) == [1, 2, 4]
    if preload:
        assert memory.worker_bytes < MODEL_MIB * MIB / 3
        assert memory.shared_bytes > MODEL_MIB * MIB * 0.8
    else:
        assert 0.8 * MODEL_MIB * MIB < memory.worker_bytes < 1.5 * MODEL_MIB * MIB
