"""`planner endpoint` as a program."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import boto3
import pytest
from click.testing import CliRunner

from planner.cli.endpoint import command
from tests.jobs.endpoints import client_of, create_model, request, test_server

PROGRAM = "from planner.cli.endpoint import command; command()"


@contextmanager
def _program(*options: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """The running program and the port that it printed."""
    arguments = [sys.executable, "-c", PROGRAM, *options]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process, int(process.stdout.readline())
        finally:
            process.kill()


@pytest.mark.parametrize("signal_", [signal.SIGINT, signal.SIGKILL])
def test_the_end_of_the_program_ends_its_jobs(tmp_path: Path, signal_: signal.Signals) -> None:
    (tmp_path / "buckets" / "bucket" / "in").mkdir(parents=True)
    (tmp_path / "buckets" / "bucket" / "in" / "a").write_text("SLOW\n" * 9)
    log = tmp_path / "log"
    image = f"*={test_server(log)[0].server}"
    with _program("--bucket-root", str(tmp_path / "buckets"), "--image", image) as (process, port):
        client = client_of(port)
        create_model(client)
        client.create_transform_job(**request(BatchStrategy="SingleRecord"))
        while not log.exists():
            time.sleep(0.05)
        process.send_signal(signal_)
        _, errors = process.communicate(timeout=30)
        server = json.loads(log.read_text().splitlines()[0])["server"]
        deadline = time.monotonic() + 20
        while Path(f"/proc/{server}").exists() or list((tmp_path / "buckets").glob(".planner-endpoint-*")):
            assert time.monotonic() < deadline
            time.sleep(0.05)
    assert process.returncode == (0 if signal_ == signal.SIGINT else -signal_)
    assert not (tmp_path / "buckets" / "bucket" / "out").exists()
    assert "score: started" in errors
    assert ("score: Stopped" in errors) == (signal_ == signal.SIGINT)


def test_it_says_what_it_serves_and_how_to_reach_it(tmp_path: Path) -> None:
    with _program("--bucket-root", str(tmp_path), "--quota", "ml.m5.xlarge=0") as (process, port):
        client = client_of(port)
        create_model(client)
        with pytest.raises(client.exceptions.ResourceLimitExceeded):
            client.create_transform_job(**request())
        process.send_signal(signal.SIGINT)
        rest, errors = process.communicate(timeout=30)
    assert rest == ""
    assert f"SageMaker at http://127.0.0.1:{port}, S3 at {tmp_path}" in errors
    shown = next(line.strip() for line in errors.splitlines() if "boto3.client" in line)
    eval(shown, {"boto3": boto3}).close()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "exactly one of --bucket-root or --s3-endpoint-url"),
        (("--bucket-root", ".", "--s3-endpoint-url", "http://127.0.0.1:1"), "exactly one of"),
        (("--s3-endpoint-url", "127.0.0.1:5000"), "is no URL such as http://127.0.0.1:5000"),
        (("--s3-endpoint-url", "http://127.0.0.1:x"), "is no URL such as"),
        (("--bucket-root", ".", "--quota", "ml.m5.xlarge"), "is not TYPE=N"),
        (("--bucket-root", ".", "--quota", "ml.m5.xlarge=-1"), "is not TYPE=N"),
        (("--bucket-root", ".", "--image", "x"), "is not NAME=COMMAND"),
        (("--bucket-root", "./no-such-folder"), "does not exist"),
    ],
)
def test_wrong_usage_is_named(options: tuple[str, ...], message: str) -> None:
    result = CliRunner().invoke(command, options)
    assert result.exit_code == 2
    assert message in result.stderr


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    with _program("--bucket-root", str(tmp_path)) as (_, port):
        result = CliRunner().invoke(command, ("--bucket-root", str(tmp_path), "--port", str(port)))
    assert result.exit_code == 2
    assert f"{port}: " in result.stderr
