import gzip
import shlex
import sys
from pathlib import Path

import pytest

from planner.container import ProcessContainer
from planner.container.cpus import available_cpus
from planner.documents import replace
from planner.errors import InputMissingError, JobFailedError
from planner.jobs.local.settings import JobSettings
from planner.jobs.local.trial import Trial, try_containers
from planner.jobs.simulation.here import JobHere, tried_here
from planner.records.layout import describe
from tests.performance.synthetic import synthetic_profile

SERVER = Path(__file__).with_name("local_server.py")
SETTINGS = JobSettings(
    content_type="text/plain",
    split_type="Line",
    assemble_with="Line",
    batch_strategy="SingleRecord",
    max_payload_mb=1,
    max_concurrent_transforms=2,
    instance_count=min(2, len(available_cpus())),
)


def _trial(sample: Path, log: Path, settings: JobSettings = SETTINGS) -> Trial:
    command = shlex.join([sys.executable, str(SERVER), str(log)])
    return Trial(
        open_instance=lambda environment, limits: ProcessContainer(command, environment=environment, limits=limits),
        sample=sample,
        settings=settings,
        cpus=1.0,
    )


def _bodies(log: Path) -> list[str]:
    return log.read_text().splitlines()


def test_single_records_of_the_sample_are_sent_in_turn_and_a_quarter_of_them_is_not_counted(tmp_path: Path) -> None:
    sample = tmp_path / "sample.txt"
    sample.write_bytes(b"one\ntwo\nthree")
    found = try_containers(_trial(sample, tmp_path / "log"), expected_requests_per_s=10.0)
    assert found.records_per_request == 1.0
    assert found.requests == SETTINGS.instance_count * 30
    assert found.alone_requests_per_s > 0
    assert found.together_requests_per_s > 0
    assert found.keeps_connections
    assert len(_bodies(tmp_path / "log")) == 20 + SETTINGS.instance_count * 40


@pytest.mark.parametrize("split_type", ["Line", "None"])
def test_requests_are_packed_as_the_jobs_are_and_a_smaller_last_one_is_left_out(
    tmp_path: Path, split_type: str
) -> None:
    sample = tmp_path / "sample.txt.gz"
    sample.write_bytes(gzip.compress((b"x" * 1023 + b"\n") * 900))
    settings = replace(SETTINGS, split_type=split_type, batch_strategy="MultiRecord", assemble_with="None")
    found = try_containers(_trial(sample, tmp_path / "log", settings), expected_requests_per_s=1.0)
    assert found.records_per_request == (900 if split_type == "Line" else 1)
    assert found.requests == SETTINGS.instance_count * 6


def test_that_the_first_request_takes_longer_is_told_and_not_taken_for_a_low_rate(tmp_path: Path) -> None:
    sample = tmp_path / "sample.txt"
    sample.write_bytes(b"WAKING\n")
    one_by_one = replace(SETTINGS, max_concurrent_transforms=1)
    found = try_containers(_trial(sample, tmp_path / "log", one_by_one), expected_requests_per_s=10.0)
    assert found.warming_s > 0.25


def test_a_first_request_that_is_answered_last_leaves_a_rate(tmp_path: Path) -> None:
    sample = tmp_path / "sample.txt"
    sample.write_bytes(b"WAKING\n")
    assert try_containers(_trial(sample, tmp_path / "log"), expected_requests_per_s=1.0).together_requests_per_s > 0


def test_a_sample_without_records_and_a_request_that_fails_are_errors(tmp_path: Path) -> None:
    sample = tmp_path / "sample.txt"
    sample.write_bytes(b"")
    with pytest.raises(InputMissingError, match="no record"):
        try_containers(_trial(sample, tmp_path / "log"), expected_requests_per_s=1.0)
    with pytest.raises(InputMissingError, match="cannot be read"):
        try_containers(_trial(tmp_path / "nothing", tmp_path / "log"), expected_requests_per_s=1.0)
    sample.write_bytes(b"REFUSED\n")
    with pytest.raises(JobFailedError):
        try_containers(_trial(sample, tmp_path / "log"), expected_requests_per_s=1.0)


def test_what_was_tried_stands_beside_what_the_profile_foretells_for_the_same_requests(tmp_path: Path) -> None:
    sample = tmp_path / "sample.txt"
    sample.write_bytes(b"x" * 99 + b"\n")
    profile, data = synthetic_profile(), describe(1000, 100, 4)
    trial = _trial(sample, tmp_path / "log")
    job = JobHere(batch_strategy="SingleRecord", max_payload_mb=1, max_concurrent_transforms=2, cpus=1.0)
    found = tried_here(profile, data, job, trial.open_instance, sample)
    assert (found.tried, found.instances, found.cpus) == ("containers", 1, 1.0)
    assert found.slowdown == found.profiled_requests_per_s / found.together_requests_per_s
    assert found.slowdowns() == pytest.approx((found.slowdown,))
