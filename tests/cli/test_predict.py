import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from planner.cli.predict import command
from planner.documents import read_document, replace, write_document
from planner.errors import CatalogueError, ProfileError
from planner.performance.prediction import Prediction
from tests.performance.synthetic import synthetic_profile


@pytest.fixture(name="path")
def _path(tmp_path: Path) -> Path:
    path = tmp_path / "profile.json"
    write_document(path, synthetic_profile())
    return path


def test_the_text_names_the_question_the_interval_and_what_limits(path: Path) -> None:
    asked = [str(path), "--records-per-request", "64", "--concurrency", "4", "--explain"]
    shown = CliRunner().invoke(command, asked, catch_exceptions=False)
    assert shown.exit_code == 0
    assert "64 records per request, 4 in flight, the profiled host: 2 CPUs, 2 workers" in shown.stdout
    assert "Limited by cpu" in shown.stdout
    assert "inside the measured range" in shown.stdout
    assert "service time" in shown.stdout


def test_json_carries_the_intervals_that_scripts_read(path: Path, tmp_path: Path) -> None:
    written = tmp_path / "prediction.json"
    asked = [str(path), "--records-per-request", "64", "--concurrency", "4", "--format", "json", "-o", str(written)]
    shown = CliRunner().invoke(command, asked, catch_exceptions=False)
    document = json.loads(shown.stdout)
    assert document["kind"] == "prediction"
    assert document["extrapolated"] is False
    for field in ("throughput_records_per_s", "latency_s", "cpu_s_per_record"):
        assert document[field]["low"] <= document[field]["mid"] <= document[field]["high"]
    assert read_document(written, Prediction).throughput_records_per_s.mid == pytest.approx(
        document["throughput_records_per_s"]["mid"]
    )


def test_an_instance_type_is_predicted_by_its_speed_and_says_so(path: Path) -> None:
    asked = [str(path), "--records-per-request", "64", "--concurrency", "16", "--instance-type", "ml.c5.4xlarge"]
    shown = CliRunner().invoke(command, asked, catch_exceptions=False)
    assert "ml.c5.4xlarge: 16 CPUs, 16 workers" in shown.stdout
    assert "other hardware" in " ".join(shown.stdout.split())


def test_a_point_far_outside_is_called_extrapolation_without_a_promise(path: Path) -> None:
    shown = CliRunner().invoke(command, [str(path), "--records-per-request", "9000", "--concurrency", "4"])
    assert "no 90 % is promised" in " ".join(shown.stdout.split())


def test_two_machines_at_once_are_refused(path: Path) -> None:
    asked = [
        str(path),
        "--records-per-request",
        "1",
        "--concurrency",
        "1",
        "--cpus",
        "2",
        "--instance-type",
        "m5.large",
    ]
    shown = CliRunner().invoke(command, asked)
    assert shown.exit_code == 2
    assert "not both" in shown.stderr


def test_an_unknown_type_and_a_thin_profile_end_with_their_own_errors(path: Path, tmp_path: Path) -> None:
    asked = ["--records-per-request", "1", "--concurrency", "1"]
    unknown = CliRunner().invoke(command, [str(path), *asked, "--instance-type", "ml.m5.huge"])
    assert isinstance(unknown.exception, CatalogueError)
    thin = tmp_path / "thin.json"
    write_document(thin, synthetic_profile(points=[(1, 1), (2, 1)]))
    assert isinstance(CliRunner().invoke(command, [str(thin), *asked]).exception, ProfileError)


def test_a_second_profile_goes_with_an_instance_type_and_narrows_it(path: Path, tmp_path: Path) -> None:
    profile = synthetic_profile()
    second = tmp_path / "second.json"
    host = replace(profile.host, cpu_model="Intel(R) Xeon(R) Platinum 8488C", cpu_vendor="GenuineIntel")
    write_document(second, replace(profile, host=host))
    asked = [str(path), "--records-per-request", "64", "--concurrency", "8", "--format", "json"]
    refused = CliRunner().invoke(command, [*asked, "--also", str(second)])
    assert refused.exit_code == 2
    assert "--instance-type" in refused.stderr
    there = [*asked, "--instance-type", "ml.m7i.2xlarge"]
    alone, both = (
        json.loads(CliRunner().invoke(command, arguments, catch_exceptions=False).stdout)
        for arguments in (there, [*there, "--also", str(second)])
    )
    widths = [
        each["throughput_records_per_s"]["high"] / each["throughput_records_per_s"]["low"] for each in (alone, both)
    ]
    assert widths[1] < widths[0]
    assert "Sharpened by a profile" in both["regime"]
    assert "Workload class: unknown" in alone["regime"]


def test_a_second_profile_of_another_sample_is_refused(path: Path, tmp_path: Path) -> None:
    profile = synthetic_profile()
    second = tmp_path / "second.json"
    write_document(second, replace(profile, payload=replace(profile.payload, digest="f" * 64)))
    asked = [str(path), "--records-per-request", "64", "--concurrency", "8", "--instance-type", "m5.large"]
    refused = CliRunner().invoke(command, [*asked, "--also", str(second)])
    assert isinstance(refused.exception, ProfileError)
    assert "sample" in str(refused.exception)
