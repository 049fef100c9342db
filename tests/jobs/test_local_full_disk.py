import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from planner.errors import OutputError
from tests.jobs.local_jobs import asked, expected, outputs, plain_payloads, start_command, whole_outputs, write_lines


def _mounted(place: Path, options: str) -> bool:
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system that holds some of the outputs, and not all."""
    disk = tmp_path / "disk"
    disk.mkdir()
    try:
        if not _mounted(disk, "size=8m"):
            pytest.skip("mounting a file system takes root")
    except FileNotFoundError:
        pytest.skip("there is no mount command")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


def test_a_disk_that_fills_up_loses_no_finished_object_and_resume_goes_on_when_there_is_room(
    tmp_path: Path, small_disk: Path
) -> None:
    for number in range(10):
        write_lines(tmp_path / "in" / f"part-{number}", 1500, seed=number)
    output = small_disk / "out"
    process = start_command(tmp_path, output=output)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == OutputError.exit_code, errors
    assert ".out: cannot be written: No space left on device" in errors
    finished = whole_outputs(tmp_path, output)
    assert 0 < len(finished) < 10
    assert not list((output / ".planner-run").glob("parts"))

    assert _mounted(small_disk, "remount,size=64m")
    (tmp_path / "log").unlink()
    again = start_command(tmp_path, "--resume", output=output)
    _, errors = again.communicate(timeout=60)
    assert again.returncode == 0, errors
    assert outputs(tmp_path, output) == expected(tmp_path)
    left = {key for key in expected(tmp_path) if key not in finished}
    assert {row["first"].split(":")[0] for row in asked(tmp_path)} == left
    sent = [plain_payloads((tmp_path / "in" / key).read_bytes(), 2**20) for key in left]
    assert len(asked(tmp_path)) == sum(len(payloads) for payloads in sent)
