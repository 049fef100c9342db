"""The images in containers/, where an engine has them (containers/engine.sh build)."""

import json
import os
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

from planner.cli.profile import command
from planner.container.contract import Container, ExecutionParameters, Limits
from planner.container.docker import DockerContainer
from planner.container.docker_engine import connect
from planner.documents import read_document
from planner.profiling.profile import Profile
from tests.container.docker_image import IMAGE, engine_traces, has_image, why_not
from tests.container.traces import MODEL

if why_not():
    pytest.skip(why_not(), allow_module_level=True)
DIGITS = "batch-transform-planner/sklearn-digits"
FILES = "batch-transform-planner/magika-onnx"
MISSING = [image for image in (DIGITS, FILES) if not has_image(image)]
if MISSING:
    pytest.skip(f"no image {' '.join(MISSING)}: containers/engine.sh build", allow_module_level=True)
_REAL_CONNECT = socket.socket.connect


@pytest.fixture(autouse=True)
def _loopback_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stands for the guard of all other tests: containers have addresses of their own, on this machine only."""
    monkeypatch.setattr(socket.socket, "connect", _REAL_CONNECT)


@pytest.fixture(scope="module")
def digits() -> Iterator[Container]:
    with DockerContainer(DIGITS, limits=Limits(cpus=1)) as container:
        yield container


def sample(image: str) -> list[bytes]:
    with closing(connect()) as engine:
        text: bytes = engine.client.containers.run(image, ["sample"], remove=True, network_mode="none")
    return text.splitlines(keepends=True)


def test_the_digits_are_told_apart(digits: Container) -> None:
    rows = sample(DIGITS)
    assert len(rows) == 1797
    answer = digits.invoke(b"".join(rows[:10]), content_type="text/csv")
    assert answer.status == 200
    assert [line.split(b",")[0] for line in answer.body.splitlines()] == [b"%d" % digit for digit in range(10)]


def test_the_digits_server_refuses_what_it_cannot_read_and_says_its_wishes(digits: Container) -> None:
    assert digits.invoke(b"1,2\n", content_type="text/csv").status == 400
    assert digits.invoke(b"{}\n", content_type="application/json").status == 415
    assert digits.execution_parameters() == ExecutionParameters(
        max_concurrent_transforms=1, batch_strategy="MultiRecord", max_payload_mb=6
    )


def test_kinds_of_files_are_told_apart() -> None:
    program = "import os\n\n\ndef main() -> None:\n    for name in os.listdir('.'):\n        print(name)\n" * 5
    page = "<!DOCTYPE html><html><head><title>t</title></head><body><p>text</p></body></html>\n" * 5
    body = "".join(f"{json.dumps({'content': text})}\n" for text in (program, page)).encode()
    with DockerContainer(FILES) as container:
        answer = container.invoke(body, content_type="application/jsonlines")
        assert [json.loads(line)["label"] for line in answer.body.splitlines()] == ["python", "html"]
        assert container.invoke(b"[]\n", content_type="application/jsonlines").status == 400
        assert container.execution_parameters() is None


def test_an_image_is_profiled_and_the_profile_says_which(tmp_path: Path) -> None:
    before = engine_traces(os.getpid())  # the server that the tests of this file share
    payload, output = tmp_path / "digits.csv", tmp_path / "profile.json"
    payload.write_bytes(b"".join(sample(DIGITS)[:200]))
    points = ["--records-per-request", "64", "--concurrency", "1", "--time-budget", "2s", "--cpus", "1"]
    result = CliRunner().invoke(command, [DIGITS, "--payload", str(payload), *points, "-o", str(output)])
    assert result.exit_code == 0, result.output
    profile = read_document(output, Profile)
    assert (profile.container.backend, profile.container.target) == ("docker", DIGITS)
    assert (profile.container.digest or "").startswith("sha256:")
    assert profile.usage_source in {"cgroup-v1", "cgroup-v2", "engine"}
    assert [row.records_per_request for row in profile.measurements] == [64]
    assert (profile.measurements[0].cpu_s or 0) > 0
    assert (profile.measurements[0].memory_peak_bytes or 0) > 2**20
    assert engine_traces(os.getpid()) == before


def test_a_profile_under_a_quota_says_that_it_was_throttled(tmp_path: Path) -> None:
    payload = tmp_path / "numbers.jsonl"
    payload.write_bytes(b"1\n" * 3000)
    points = ["--records-per-request", "1000", "--concurrency", "2", "--time-budget", "2s", "--cpus", "0.2"]
    arguments = [IMAGE, "--model-dir", str(MODEL), "--payload", str(payload), *points, "--format", "json"]
    result = CliRunner().invoke(command, arguments)
    assert result.exit_code == 0, result.output
    row = json.loads(result.stdout)["measurements"][0]
    assert row["throttled_s"] > 0.1
    assert any("throttled: the CPU quota halted" in warning for warning in row["warnings"])
