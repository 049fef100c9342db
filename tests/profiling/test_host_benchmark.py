import shutil
from pathlib import Path

import pytest

from planner.errors import MissingDependencyError, ProfileError
from planner.profiling.host_benchmark import measure_host
from planner.profiling.profile import HostBenchmark

needs_stress_ng = pytest.mark.skipif(shutil.which("stress-ng") is None, reason="stress-ng is not installed")


@pytest.fixture(name="programs")
def _programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return folder


def a_program(folder: Path, body: str) -> None:
    path = folder / "stress-ng"
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)


ANSWERS = """[ "$1" = --version ] && echo "stress-ng, version 0.17.08 (gcc)" && exit 0
threads=$3
while [ "$1" != --yaml ]; do shift; done
echo "      bogo-ops-per-second-real-time: $((threads * 1000)).5" > "$2"
"""


def test_without_stress_ng_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingDependencyError, match="apt-get install stress-ng"):
        measure_host(2)


def measured(cpus: int, seconds: float = 3.0) -> HostBenchmark:
    """The benchmark; the test is skipped where other programs keep the machine busy, which is refused as it should."""
    try:
        return measure_host(cpus, seconds=seconds)
    except ProfileError as error:
        if "other programs" not in str(error):
            raise
        pytest.skip("the machine is busy")


def test_the_rates_of_one_thread_and_of_all_cpus_are_read(programs: Path) -> None:
    a_program(programs, ANSWERS)
    found = measured(4)
    assert found.tool == "stress-ng 0.17.08"
    assert found.one_thread_per_s.mid == 1000.5
    assert found.all_cpus_per_s.mid == 4000.5


def test_a_version_that_counts_otherwise_is_refused(programs: Path) -> None:
    a_program(programs, 'echo "stress-ng, version 0.13.05 (gcc)"')
    with pytest.raises(MissingDependencyError, match=r"0\.14\.02 or later"):
        measure_host(2)


def test_a_run_without_a_rate_shows_what_it_said(programs: Path) -> None:
    a_program(
        programs, '[ "$1" = --version ] && echo "stress-ng, version 0.17.08" && exit 0\necho "no such cpu" >&2\nexit 3'
    )
    with pytest.raises(ProfileError, match=r"status 3.*no such cpu"):
        measure_host(2)


@needs_stress_ng
def test_the_real_stress_ng_answers() -> None:
    found = measured(1, seconds=1)
    assert found.tool.startswith("stress-ng 0.")
    assert 100 < found.one_thread_per_s.mid < 20_000
