import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from planner.cli.place import command
from planner.documents import read_document, write_document
from planner.errors import MissingDependencyError, ProfileError
from planner.performance.placing import HostPlacement
from tests.performance.synthetic import synthetic_profile


def test_this_machine_is_placed_by_its_name_or_number(tmp_path: Path) -> None:
    written = tmp_path / "host.json"
    shown = CliRunner().invoke(command, ["-o", str(written)], catch_exceptions=False)
    assert shown.exit_code == 0
    assert "fp_simd" in shown.stdout
    assert "ml.m5.xlarge" in shown.stdout
    assert read_document(written, HostPlacement).host.benchmark is None


def test_json_is_the_document() -> None:
    shown = CliRunner().invoke(command, ["--format", "json"], catch_exceptions=False)
    assert json.loads(shown.stdout)["kind"] == "host_placement"


def test_a_profile_without_the_benchmark_is_a_usage_error(tmp_path: Path) -> None:
    shown = CliRunner().invoke(command, ["--profile", str(tmp_path / "profile.json")])
    assert shown.exit_code == 2
    assert "--stress-ng" in shown.stderr


def test_less_than_a_second_is_refused_since_stress_ng_would_round_it_up() -> None:
    shown = CliRunner().invoke(command, ["--stress-ng", "--seconds", "300ms"])
    assert shown.exit_code == 2
    assert "at least 1s" in shown.stderr


def test_a_profile_of_another_machine_is_refused_before_anything_runs(tmp_path: Path) -> None:
    path = tmp_path / "profile.json"
    write_document(path, synthetic_profile())
    with pytest.raises(ProfileError, match="where the profile was measured"):
        CliRunner().invoke(command, ["--stress-ng", "--profile", str(path)], catch_exceptions=False)


def test_without_stress_ng_the_error_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingDependencyError, match="apt-get install stress-ng"):
        CliRunner().invoke(command, ["--stress-ng"], catch_exceptions=False)
