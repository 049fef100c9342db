import ast
import contextlib
import io
import json
import runpy
import shlex
import subprocess
from pathlib import Path
from typing import Any, get_args

import boto3
import pytest
from botocore.stub import Stubber

from planner.documents import replace
from planner.errors import OutputError, RequestRejectedError
from planner.jobs import EmitKind, TransformJobDocument, emitted, write_emitted
from planner.jobs.emit import state_machine
from planner.jobs.service_model import fields
from tests.jobs.examples import changed, setting
from tests.jobs.test_request import planned

AWKWARD = """it's "quoted" $HOME `id` \\ ${var.x} %{if} é\n2"""
KINDS: tuple[EmitKind, ...] = get_args(EmitKind)


def awkward() -> TransformJobDocument:
    """A checked request with everything in it that a shell, Python, JSON or Terraform could trip over."""
    document = planned()
    document.request["Environment"]["AWKWARD"] = AWKWARD
    return document


def test_json_is_the_bare_request() -> None:
    assert json.loads(emitted(awkward(), "json")) == awkward().request


def test_the_command_is_quoted_for_the_shell() -> None:
    line = emitted(awkward(), "cli")
    words = shlex.split(line)
    assert words[:5] == ["aws", "sagemaker", "create-transform-job", "--region", "eu-west-1"]
    assert json.loads(words[6]) == awkward().request
    # A real shell is the judge: printf instead of aws shows what the command would be told.
    shown = subprocess.run(["sh", "-c", line.replace("aws", "printf '%s\\0'", 1)], capture_output=True, check=True)
    assert json.loads(shown.stdout.decode().split("\0")[5]) == awkward().request


def test_the_script_starts_exactly_this_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "start.py"
    write_emitted(script, awkward(), "boto3")
    client = boto3.client("sagemaker", "eu-west-1", aws_access_key_id="x", aws_secret_access_key="x")
    arn = "arn:aws:sagemaker:eu-west-1:123456789012:transform-job/my-model"

    def stubbed(service: str, *, region_name: str) -> Any:
        assert (service, region_name) == ("sagemaker", "eu-west-1")
        return client

    monkeypatch.setattr(boto3, "client", stubbed)
    with Stubber(client) as stub, contextlib.redirect_stdout(io.StringIO()) as shown:
        stub.add_response("create_transform_job", {"TransformJobArn": arn}, awkward().request)
        runpy.run_path(str(script), run_name="__main__")
        stub.assert_no_pending_responses()
    assert shown.getvalue() == f"{arn}\n"


def test_importing_the_script_starts_nothing(tmp_path: Path) -> None:
    script = tmp_path / "start.py"
    write_emitted(script, awkward(), "boto3")
    assert runpy.run_path(str(script))["REQUEST"] == awkward().request


def test_the_state_machine_runs_the_job_to_its_end_under_a_new_name_each_time() -> None:
    machine = json.loads(emitted(awkward(), "stepfunctions"))
    state = machine["States"][machine["StartAt"]]
    assert state["Type"] == "Task"
    assert state["Resource"] == "arn:aws:states:::sagemaker:createTransformJob.sync"
    assert state["End"] is True
    name = state["Parameters"].pop("TransformJobName.$")
    assert name == "States.Format('my-model-20260131-235959-{}', States.UUID())"
    expected = {k: v for k, v in awkward().request.items() if k != "TransformJobName"}
    assert state["Parameters"] == expected
    # Every remaining parameter is a field of the operation, and none is a path that Step Functions would resolve.
    assert set(expected) <= set(fields())
    assert not any(key.endswith(".$") for key in _keys(expected))


def _keys(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [*value, *(key for part in value.values() for key in _keys(part))]
    return [key for part in value for key in _keys(part)] if isinstance(value, list) else []


@pytest.mark.parametrize(
    ("region", "partition"),
    [("eu-west-1", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")],
)
def test_the_integration_is_named_in_the_regions_partition(region: str, partition: str) -> None:
    state = state_machine(replace(planned(), region=region))["States"]["Transform"]
    assert state["Resource"].startswith(f"arn:{partition}:states:::")


@pytest.mark.parametrize("name", ["a" * 63, "a" * 25 + "-" + "b" * 20, "x"])
def test_the_name_of_an_execution_fits_whatever_the_name_of_the_job(name: str) -> None:
    call = state_machine(planned(job_name=name))["States"]["Transform"]["Parameters"]["TransformJobName.$"]
    prefix = call.removeprefix("States.Format('").partition("{}")[0]
    assert len(prefix) + 36 <= 63
    assert name.startswith(prefix.removesuffix("-"))
    assert not prefix.endswith("--")


def test_terraform_gets_the_state_machine_and_a_role_that_may_run_it() -> None:
    config = json.loads(emitted(awkward(), "terraform"))
    resources = config["resource"]
    assert set(resources) == {"aws_iam_role", "aws_iam_role_policy", "aws_sfn_state_machine"}
    definition = resources["aws_sfn_state_machine"]["transform"]["definition"]
    # What Terraform makes of the template, $${ and %%{ being its escapes, is the definition itself.
    assert "${" not in definition.replace("$${", "")
    assert json.loads(definition.replace("$${", "${").replace("%%{", "%{")) == state_machine(awkward())
    policy = json.loads(resources["aws_iam_role_policy"]["transform"]["policy"])
    allowed = {action for statement in policy["Statement"] for action in statement["Action"]}
    assert {"sagemaker:CreateTransformJob", "sagemaker:StopTransformJob", "sagemaker:AddTags"} <= allowed
    assert all("*" not in action for action in allowed)
    assert all(r.endswith(("transform-job/my-model-20260131-235959*", "JobsRule")) for r in _resources(policy))
    assert json.loads(resources["aws_iam_role"]["transform"]["assume_role_policy"])


def _resources(policy: Any) -> list[str]:
    return [resource for statement in policy["Statement"] for resource in statement["Resource"]]


@pytest.mark.parametrize("kind", KINDS)
def test_a_document_that_was_spoilt_after_its_check_is_never_written(kind: EmitKind, tmp_path: Path) -> None:
    target = tmp_path / "out"
    target.write_text("before")
    spoilt = replace(planned(), request=changed(setting("ModelName", "REPLACE-WITH-MODEL-NAME")))
    with pytest.raises(RequestRejectedError, match="placeholder"):
        write_emitted(target, spoilt, kind)
    assert target.read_text() == "before"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("kind", KINDS)
def test_every_form_is_text_that_ends_with_a_newline_and_says_the_same_twice(kind: EmitKind) -> None:
    first = emitted(awkward(), kind)
    assert first.endswith("\n")
    assert first == emitted(awkward(), kind)
    if kind == "boto3":
        ast.parse(first)


def test_a_file_that_cannot_be_written_is_an_output_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        write_emitted(tmp_path / "file" / "out.json", planned(), "json")
