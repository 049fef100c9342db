import json
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest
from click.testing import CliRunner, Result

from planner.cli.request import KINDS, command
from planner.documents import read_document, replace, write_document
from planner.errors import DocumentError, InputMissingError, RequestRejectedError
from planner.jobs import EmitKind, TransformJobDocument, check_request
from planner.planning.plan import NewLayout
from tests.jobs.examples import PLAN, draft

NAMES = ("--model-name", "my-model", "--input-uri", "s3://bucket/in/", "--output-uri", "s3://bucket/out/")


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    path = tmp_path / "plan.json"
    write_document(path, PLAN)
    return path


def run(plan: Path, *arguments: str) -> Result:
    return CliRunner().invoke(command, [str(plan), *NAMES, *arguments])


def test_text_shows_every_field_that_is_set_and_that_it_was_checked(plan: Path) -> None:
    shown = run(plan, "--accept", "text/[red]x[/red]")
    assert shown.exit_code == 0
    assert "TransformResources.InstanceType" in shown.stdout
    assert "ml.c5.2xlarge" in shown.stdout
    assert "text/[red]x[/red]" in shown.stdout
    assert "Passed botocore's validator" in shown.stdout


def test_emit_json_prints_the_bare_request_and_nothing_else(plan: Path) -> None:
    shown = run(plan, "--emit", "json", "--input-uri", "s3://bucket/in")
    request = json.loads(shown.stdout)
    assert request["ModelName"] == "my-model"
    assert {f.severity for f in check_request(request)} == {"warning"}
    assert "Warning: TransformInput.DataSource.S3DataSource.S3Uri" in shown.stderr


def test_emit_json_into_a_file_is_what_the_aws_command_line_takes(plan: Path, tmp_path: Path) -> None:
    target = tmp_path / "request.json"
    shown = run(plan, "--emit", "json", "-o", str(target), "--format", "json", "--job-name", "job-1")
    assert json.loads(target.read_text()) == json.loads(shown.stdout)["request"]
    assert json.loads(shown.stdout)["kind"] == "transform_job"
    assert json.loads(target.read_text())["TransformJobName"] == "job-1"


def test_without_emit_the_file_is_the_document(plan: Path, tmp_path: Path) -> None:
    target = tmp_path / "job.json"
    shown = run(plan, "-o", str(target), "--format", "json")
    document = read_document(target, TransformJobDocument)
    assert json.loads(shown.stdout) == json.loads(target.read_text())
    assert document.region == "eu-west-1"
    assert document.findings == ()


@pytest.mark.parametrize("kind", KINDS)
def test_every_form_can_be_asked_for(plan: Path, kind: str) -> None:
    shown = run(plan, "--emit", kind)
    assert shown.exit_code == 0
    assert "ml.c5.2xlarge" in shown.stdout


def test_the_forms_offered_are_those_that_the_library_makes() -> None:
    assert get_args(EmitKind) == KINDS


def test_emit_and_json_cannot_share_stdout(plan: Path) -> None:
    shown = run(plan, "--emit", "cli", "--format", "json")
    assert shown.exit_code == 2
    assert "both want stdout" in shown.stderr


def test_a_refused_request_leaves_the_file_as_it_was_and_names_every_error(plan: Path, tmp_path: Path) -> None:
    target = tmp_path / "request.json"
    target.write_text("before")
    shown = run(plan, "--model-name", "my model", "--output-uri", "out/", "--emit", "json", "-o", str(target))
    assert isinstance(shown.exception, RequestRejectedError)
    assert len(shown.exception.findings) == 2
    assert target.read_text() == "before"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["plan.json", "request.json"]


def test_a_plan_without_content_type_is_refused_until_it_is_given(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    write_document(path, replace(PLAN, transform_job=draft(content_type=None)))
    assert isinstance(run(path).exception, RequestRejectedError)
    assert run(path, "--content-type", "text/csv").exit_code == 0


def test_a_file_that_is_no_plan_is_refused_with_the_path_of_the_fault(plan: Path, tmp_path: Path) -> None:
    assert isinstance(run(tmp_path / "none.json").exception, InputMissingError)
    plan.write_text(plan.read_text().replace('"objects": 40', '"objects": "many"'))
    ended = run(plan).exception
    assert isinstance(ended, DocumentError)
    assert "$.workload.objects" in str(ended)


def test_the_program_ends_with_the_exit_code_of_a_refusal(plan: Path) -> None:
    arguments = [sys.executable, "-m", "planner", "request", str(plan), *NAMES, "--job-name", "a_b"]
    ended = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert ended.returncode == 70
    assert ended.stdout == ""
    assert "TransformJobName: 'a_b' does not match" in ended.stderr


def test_help_does_not_load_what_only_the_work_needs() -> None:
    code = "import sys, planner.cli.request; print([m for m in ('botocore', 'numpy', 'rich') if m in sys.modules])"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout == "[]\n"


def test_a_plan_that_needs_another_layout_says_the_step_before_the_job(tmp_path: Path) -> None:
    command_line = "planner reshard input/ --output resharded/ --objects 100"
    layout = NewLayout(
        objects=100,
        object_bytes=20_000_000,
        objects_now=1,
        command=command_line,
        without=None,
        saving_usd=None,
        saving_s=None,
    )
    path = tmp_path / "plan.json"
    write_document(path, replace(PLAN, layout=layout))
    for arguments in ((), ("--emit", "json")):
        shown = run(path, *arguments)
        assert shown.exit_code == 0
        assert f"First: {command_line}" in " ".join(shown.stderr.split())
        assert "First:" not in shown.stdout
