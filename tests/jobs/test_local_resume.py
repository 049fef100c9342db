import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from planner.documents import read_document, replace
from planner.errors import ContainerDiedError, OutputError
from planner.jobs.local import RunDocument
from planner.jobs.local.journal import OutputFolder
from tests.jobs.local_jobs import (
    LINES,
    asked,
    expected,
    outputs,
    plain_payloads,
    run_here,
    start_command,
    unfinished,
    whole_outputs,
    write_lines,
)

OBJECTS = 12
FILE_LIMIT = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (3_000_000, 3_000_000)); "
"""A disk that is full after 3 MB: writing further fails as ENOSPC does."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in range(OBJECTS):
        write_lines(tmp_path / "in" / f"part-{number:02d}", 1500, seed=number)
    return tmp_path


@pytest.fixture
def started(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A run in a process of its own that has finished some objects and is in the middle of others."""
    process = start_command(folder, "--env", "DELAY_MS=150")
    try:
        deadline = time.monotonic() + 60
        while len(list((folder / "out").glob("*.out"))) < 3:
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.01)
        yield process
    finally:
        process.kill()
        process.communicate()


def _servers(folder: Path) -> list[int]:
    return [pid for pid in {row["server"] for row in asked(folder)} if psutil.pid_exists(pid)]


def _wait_for_servers_to_end(folder: Path) -> None:
    deadline = time.monotonic() + 20
    while _servers(folder):
        assert time.monotonic() < deadline, "a server outlived the runner"
        time.sleep(0.05)


def test_a_runner_killed_with_sigkill_leaves_only_whole_outputs_and_resume_does_the_rest(
    folder: Path, started: subprocess.Popen[str]
) -> None:
    started.send_signal(signal.SIGKILL)
    started.wait()
    _wait_for_servers_to_end(folder)
    finished = whole_outputs(folder)
    assert 3 <= len(finished) < OBJECTS
    journalled = _journalled(folder)
    (folder / "log").unlink()
    again = start_command(folder, "--resume", "--env", "DELAY_MS=150")
    _, errors = again.communicate(timeout=90)
    assert again.returncode == 0, errors
    assert outputs(folder) == expected(folder)
    assert not unfinished(folder)
    redone = _redone(folder)
    assert redone == set(expected(folder)) - set(journalled)
    left = sum(len(plain_payloads((folder / "in" / key).read_bytes(), 2**20)) for key in redone)
    assert len(asked(folder)) == left
    assert journalled.items() <= _journalled(folder).items()


def test_a_server_killed_with_sigkill_ends_the_run_and_resume_does_the_rest(
    folder: Path, started: subprocess.Popen[str]
) -> None:
    os.kill(_servers(folder)[0], signal.SIGKILL)
    _, errors = started.communicate(timeout=60)
    assert started.returncode == ContainerDiedError.exit_code, errors
    assert "SIGKILL" in errors
    assert not _servers(folder)
    assert not unfinished(folder)
    finished = whole_outputs(folder)
    assert 3 <= len(finished) < OBJECTS
    (folder / "log").unlink()
    again = start_command(folder, "--resume", "--env", "DELAY_MS=150")
    _, errors = again.communicate(timeout=90)
    assert again.returncode == 0, errors
    assert outputs(folder) == expected(folder)
    assert _redone(folder) == set(expected(folder)) - finished


def test_a_job_killed_again_and_again_at_any_moment_never_shows_a_part_and_ends_whole(folder: Path) -> None:
    moment = random.Random(1)
    finished: dict[str, int] = {}
    for _ in range(6):
        process = start_command(folder, "--resume", "--env", "DELAY_MS=150")
        time.sleep(moment.uniform(0.5, 1.5))
        process.kill()
        process.communicate()
        _wait_for_servers_to_end(folder)
        whole_outputs(folder)
        assert finished.items() <= _journalled(folder).items()
        finished = _journalled(folder)
    last = start_command(folder, "--resume", "--env", "DELAY_MS=150")
    _, errors = last.communicate(timeout=90)
    assert last.returncode == 0, errors
    assert outputs(folder) == expected(folder)
    assert not unfinished(folder)
    assert finished.items() <= _journalled(folder).items()


def test_ctrl_c_ends_with_130_stops_the_servers_and_keeps_finished_objects(
    folder: Path, started: subprocess.Popen[str]
) -> None:
    started.send_signal(signal.SIGINT)
    _, errors = started.communicate(timeout=30)
    assert started.returncode == 130, errors
    assert not _servers(folder)
    assert len(whole_outputs(folder)) >= 3
    assert not unfinished(folder)


def test_a_full_disk_is_an_output_error_and_leaves_nothing_half_written(folder: Path) -> None:
    write_lines(folder / "in" / "part-05", 5000, seed=5)
    process = start_command(folder, "--document", str(folder / "run.json"), before=FILE_LIMIT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == OutputError.exit_code, errors
    assert "part-05.out: cannot be written" in errors
    run = read_document(folder / "run.json", RunDocument)
    assert "part-05.out: cannot be written" in str(run.failure)
    assert "part-05" not in {row.key for row in run.objects if row.state == "finished"}
    finished = whole_outputs(folder)
    assert "part-00" in finished
    assert "part-05" not in finished
    assert not unfinished(folder)


def _journal(folder: Path) -> Path:
    return folder / "out" / ".planner-run" / "journal.jsonl"


def _journalled(folder: Path) -> dict[str, int]:
    """The objects that the journal has as finished, and when each output was made."""
    lines = _journal(folder).read_text().splitlines() if _journal(folder).exists() else []
    keys = [line.split('"key":"')[1].split('"')[0] for line in lines]
    return {key: (folder / "out" / f"{key}.out").stat().st_mtime_ns for key in keys}


@pytest.fixture
def done(tmp_path: Path) -> Path:
    """A finished run of three small objects, whose log is empty again."""
    for number in range(3):
        write_lines(tmp_path / "in" / f"part-{number}", 5, seed=number)
    run_here(tmp_path, LINES)
    (tmp_path / "log").unlink()
    return tmp_path


def _redone(folder: Path) -> set[str]:
    return {row["first"].split(":")[0] for row in asked(folder)}


def test_resuming_a_finished_run_sends_nothing_and_still_says_what_the_job_made(done: Path) -> None:
    run = run_here(done, LINES, resume=True)
    assert not asked(done)
    assert [row.state for row in run.objects] == ["kept"] * 3
    assert (run.state, run.requests, run.records, run.requests_sent) == ("Completed", 3, 15, 0)
    assert run.output_bytes == sum(len(content) for content in outputs(done).values())


def test_without_resume_everything_is_done_again(done: Path) -> None:
    run_here(done, LINES)
    assert len(_redone(done)) == 3


@pytest.mark.parametrize(
    "settings",
    [
        replace(LINES, max_payload_mb=2),
        replace(LINES, assemble_with="None"),
        replace(LINES, environment={"MODEL": "another"}),
    ],
    ids=["payload", "assembly", "environment"],
)
def test_outputs_of_other_settings_are_never_kept(done: Path, settings: object) -> None:
    assert isinstance(settings, type(LINES))
    run_here(done, settings, resume=True)
    assert len(_redone(done)) == 3


def test_outputs_are_kept_when_only_the_pace_changes(done: Path) -> None:
    faster = replace(LINES, max_concurrent_transforms=4, instance_count=2, invocations_max_retries=0)
    run_here(done, faster, resume=True)
    assert not asked(done)


def test_an_object_whose_input_or_output_changed_is_done_again(done: Path) -> None:
    write_lines(done / "in" / "part-0", 6, seed=7)
    (done / "out" / "part-1.out").write_text("tampered with")
    run_here(done, LINES, resume=True)
    assert _redone(done) == {"part-0", "part-1"}
    assert outputs(done) == expected(done)


def test_a_journal_line_that_was_cut_short_is_no_line(done: Path) -> None:
    lines = _journal(done).read_bytes().splitlines(keepends=True)
    _journal(done).write_bytes(b"".join(lines[:2]) + lines[2][:40])
    run_here(done, LINES, resume=True)
    assert len(_redone(done)) == 1
    assert outputs(done) == expected(done)


def test_an_output_without_a_journal_line_is_not_trusted(done: Path) -> None:
    _journal(done).write_bytes(b"")
    run_here(done, LINES, resume=True)
    assert len(_redone(done)) == 3


def test_what_a_killed_run_was_writing_is_removed_at_the_next_start(done: Path) -> None:
    left = done / "out" / ".planner-run" / "parts" / "7.part"
    left.parent.mkdir(exist_ok=True)
    left.write_text("half of an output")
    run_here(done, LINES, resume=True)
    assert not unfinished(done)


def test_a_failed_object_of_a_rerun_leaves_no_output_of_the_run_before(done: Path) -> None:
    write_lines(done / "in" / "part-1", 3, seed=1, extra={1: "POISON"})
    run_here(done, replace(LINES, invocations_max_retries=0), resume=True)
    assert set(outputs(done)) == {"part-0", "part-2"}


def test_two_runs_do_not_write_to_one_folder(done: Path) -> None:
    with OutputFolder(done / "out", digest="x"), pytest.raises(OutputError, match="another planner run"):
        run_here(done, LINES)


@pytest.mark.parametrize("key", ["../outside", "a/../../outside", "/etc/outside"])
def test_keys_that_lead_out_of_the_output_folder_are_refused(tmp_path: Path, key: str) -> None:
    with pytest.raises(OutputError, match="leads out of the output folder"):
        OutputFolder(tmp_path, digest="x").output_of(key)


def test_an_input_that_changes_while_the_job_runs_is_done_again(done: Path) -> None:
    write_lines(done / "in" / "part-1", 1, seed=1, extra={0: "SLOW"})
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(run_here, done, LINES, resume=True)
        while not asked(done):
            assert not running.done()
            time.sleep(0.01)
        write_lines(done / "in" / "part-1", 2, seed=2)
        running.result()
    (done / "log").unlink()
    run_here(done, LINES, resume=True)
    assert _redone(done) == {"part-1"}
    assert outputs(done) == expected(done)
