"""What tests of local runs share: servers to run against, inputs, and the plain sequential way to the same outputs."""

import json
import random
import shlex
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from planner.container import Container, Limits, ProcessContainer
from planner.jobs.local import JobSettings, RunDocument, run_job
from planner.jobs.local.run import BrokenOff
from planner.jobs.local.settings import Assembly
from tests.jobs.local_server import answer_to

SERVER = Path(__file__).parent / "local_server.py"
LINES = JobSettings(
    content_type="application/jsonlines",
    accept="application/jsonlines",
    split_type="Line",
    assemble_with="Line",
    max_payload_mb=1,
    batch_strategy="MultiRecord",
)


def command_of(log: Path) -> str:
    """The command line of the test server."""
    return shlex.join([sys.executable, str(SERVER), str(log)])


def opener(log: Path, **variables: str) -> Callable[[Mapping[str, str], Limits], Container]:
    """Makes test servers that write to the log; variables steer them."""

    def open_instance(environment: Mapping[str, str], limits: Limits) -> Container:
        return ProcessContainer(command_of(log), environment={**environment, **variables}, limits=limits)

    return open_instance


def run_here(
    folder: Path,
    settings: JobSettings,
    *,
    resume: bool = False,
    broken_off: BrokenOff | None = None,
    **variables: str,
) -> RunDocument:
    """Run the objects in folder/in to folder/out; the server's log is folder/log."""
    servers = opener(folder / "log", **variables)
    return run_job(folder / "in", folder / "out", settings, servers, resume=resume, broken_off=broken_off)


def start_command(folder: Path, *more: str, output: Path | None = None, before: str = "") -> subprocess.Popen[str]:
    """`planner run` of the same in a process of its own; before: Python statements that come first."""
    fixed = ["--command", command_of(folder / "log"), "--input", str(folder / "in")]
    places = [*fixed, "--output", str(output or folder / "out")]
    settings = ["--max-payload-mb", "1", "--max-concurrent-transforms", "2", "--content-type", "application/jsonlines"]
    program = [sys.executable, "-c", f"{before}from planner.cli import main; main()"]
    command = [*program, "run", *places, *settings, "--batch-strategy", "MultiRecord", *more]
    return subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)


def asked(folder: Path) -> list[dict[str, Any]]:
    """What the servers were asked, in order."""
    log = folder / "log"
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


def write_lines(path: Path, count: int, *, seed: int, most_bytes: int = 2000, extra: Mapping[int, str] = {}) -> None:
    """Lines of random length that name their object and number; extra replaces some, by number."""
    chosen = random.Random(seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as stream:
        for number in range(count):
            filler = "ab" * chosen.randint(1, most_bytes // 2)
            stream.write(extra.get(number, f"{path.name}:{number}:{filler}") + "\n")


def plain_payloads(content: bytes, limit_bytes: int) -> list[bytes]:
    """The reference packer: lines, greedily, as the public job logs show it."""
    payloads: list[bytes] = []
    current = b""
    for line in content.splitlines(keepends=True):
        if current and len(current) + len(line) > limit_bytes:
            payloads.append(current)
            current = b""
        current += line
    return [*payloads, current] if current else payloads


def plain_output(content: bytes, limit_bytes: int = 2**20, assemble_with: Assembly = "Line") -> bytes:
    """The output of an object, one payload after the other."""
    separator = b"\n" if assemble_with == "Line" else b""
    return b"".join(answer_to(payload) + separator for payload in plain_payloads(content, limit_bytes))


def outputs(folder: Path, output: Path | None = None) -> dict[str, bytes]:
    """Every file of the output folder that is not hidden, by its key."""
    out = output or folder / "out"
    found = {path.relative_to(out).as_posix(): path for path in out.rglob("*") if path.is_file()}
    return {key.removesuffix(".out"): path.read_bytes() for key, path in found.items() if not key.startswith(".")}


def expected(folder: Path, limit_bytes: int = 2**20) -> dict[str, bytes]:
    """What the outputs are when everything is done."""
    return {path.name: plain_output(path.read_bytes(), limit_bytes) for path in (folder / "in").iterdir()}


def whole_outputs(folder: Path, output: Path | None = None) -> set[str]:
    """The keys of the outputs, each of which is what it must be."""
    found = outputs(folder, output)
    assert found.items() <= expected(folder).items()
    return set(found)


def unfinished(folder: Path) -> list[Path]:
    """What is left of files that were being written."""
    return [path for path in (folder / "out").rglob("*") if path.suffix == ".part" or path.name == "parts"]
