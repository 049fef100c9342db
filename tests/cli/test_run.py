import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from planner.cli.run import command
from planner.documents import read_document, replace, write_document
from planner.errors import ContainerDiedError, ContainerLimitError, DocumentError, JobFailedError, OutputError
from planner.jobs import request
from planner.jobs.local import RunDocument
from tests.container.traces import eventually
from tests.jobs import examples
from tests.jobs.local_jobs import asked, command_of, outputs, plain_output, write_lines
from tests.performance.synthetic import synthetic_profile


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in range(3):
        write_lines(tmp_path / "in" / f"part-{number}.jsonl", 200, seed=number)
    return tmp_path


def _run(folder: Path, *more: str) -> Result:
    places = ["--input", str(folder / "in"), "--output", str(folder / "out")]
    return CliRunner().invoke(command, ["--command", command_of(folder / "log"), *places, *more])


def test_by_hand_lines_of_json_are_the_default_and_the_report_names_every_object(folder: Path) -> None:
    result = _run(folder, "-o", str(folder / "run.json"))
    assert result.exit_code == 0, result.output
    run = read_document(folder / "run.json", RunDocument)
    assert (run.settings.split_type, run.settings.assemble_with) == ("Line", "Line")
    assert run.settings.content_type == run.settings.accept == "application/jsonlines"
    assert all(f"part-{number}.jsonl" in result.stdout for number in range(3))
    assert outputs(folder) == {p.name: plain_output(p.read_bytes(), 6 * 2**20) for p in (folder / "in").iterdir()}


def test_the_document_on_stdout_has_the_fields_that_scripts_read(folder: Path) -> None:
    result = _run(folder, "--format", "json")
    document = json.loads(result.stdout)
    assert document["kind"] == "run"
    assert (document["requests"], document["records"], document["failed_requests"]) == (3, 600, 0)
    assert document["makespan_s"] > 0
    assert document["output_bytes"] == sum(len(content) for content in outputs(folder).values())
    assert [row["key"] for row in document["objects"]] == [f"part-{number}.jsonl" for number in range(3)]


def test_failed_objects_are_reported_before_the_error_and_its_exit_code(folder: Path) -> None:
    write_lines(folder / "in" / "part-1.jsonl", 3, seed=1, extra={1: "REFUSED"})
    result = _run(folder, "-o", str(folder / "run.json"))
    assert isinstance(result.exception, JobFailedError)
    assert result.exception.exit_code == 80
    assert "ClientError: 413" in str(result.exception)
    assert "failed" in result.stdout
    assert read_document(folder / "run.json", RunDocument).state == "Failed"


def test_a_run_that_a_dying_container_ends_leaves_its_document_and_its_own_exit_code(folder: Path) -> None:
    write_lines(folder / "in" / "part-1.jsonl", 3, seed=1, extra={1: "DIE"})
    result = _run(folder, "--document", str(folder / "run.json"), "--invocations-max-retries", "0")
    assert isinstance(result.exception, ContainerDiedError)
    run = read_document(folder / "run.json", RunDocument)
    assert run.state == "Failed"
    assert run.failure == str(result.exception)
    assert {row.key: row.state for row in run.objects}["part-2.jsonl"] == "unfinished"
    assert "Ended early" in result.stdout
    assert "not finished" in result.stdout


def test_a_plan_is_run_as_it_stands_and_its_figures_are_shown_as_those_of_other_machines(folder: Path) -> None:
    write_document(folder / "plan.json", examples.PLAN)
    options = ("--plan", str(folder / "plan.json"), "--instance-count", "1", "-o", str(folder / "run.json"))
    result = _run(folder, *options)
    assert result.exit_code == 0, result.output
    run = read_document(folder / "run.json", RunDocument)
    assert run.effective is not None
    assert (run.effective.max_payload_mb, run.effective.max_concurrent_transforms) == (5, 8)
    assert run.settings.environment == examples.CONFIGURATION.environment
    assert run.planned is not None
    assert run.planned.requests == 400
    assert any("made for another input" in warning for warning in run.warnings)
    assert "not comparable" in " ".join(result.stdout.split())


def test_a_plan_for_more_instances_than_cpus_asks_how_many_are_to_run_here(folder: Path) -> None:
    crowded = examples.draft()
    crowded["TransformResources"]["InstanceCount"] = 100
    write_document(folder / "plan.json", replace(examples.PLAN, transform_job=crowded))
    error = _run(folder, "--plan", str(folder / "plan.json")).exception
    assert isinstance(error, ContainerLimitError)
    assert "Give --instance-count" in str(error)


def test_a_transform_job_document_is_run_too(folder: Path) -> None:
    document = request(examples.PLAN, model_name="m", input_uri="s3://bucket/in/", output_uri="s3://bucket/out/")
    write_document(folder / "job.json", document)
    result = _run(folder, "--plan", str(folder / "job.json"), "--instance-count", "1", "--format", "json")
    assert json.loads(result.stdout)["effective"]["max_payload_mb"] == 5


def test_a_bare_request_is_run_as_it_stands(folder: Path) -> None:
    bare = {
        "MaxConcurrentTransforms": 2,
        "MaxPayloadInMB": 1,
        "BatchStrategy": "SingleRecord",
        "Environment": {"SAGEMAKER_MODEL_SERVER_WORKERS": "1"},
        "ModelClientConfig": {"InvocationsTimeoutInSeconds": 30, "InvocationsMaxRetries": 1},
        "TransformInput": {"ContentType": "text/plain", "SplitType": "Line"},
        "TransformOutput": {"AssembleWith": "Line"},
        "TransformResources": {"InstanceCount": 1},
    }
    (folder / "request.json").write_text(json.dumps(bare))
    result = _run(folder, "--plan", str(folder / "request.json"), "--env", "EXTRA=1", "--format", "json")
    assert result.exit_code == 0, result.output
    settings = json.loads(result.stdout)["settings"]
    assert settings["environment"] == {"SAGEMAKER_MODEL_SERVER_WORKERS": "1", "EXTRA": "1"}
    assert (settings["invocations_timeout_s"], settings["invocations_max_retries"]) == (30, 1)
    assert (settings["content_type"], settings["accept"]) == ("text/plain", None)
    assert len(asked(folder)) == 600


def test_options_stand_above_the_request(folder: Path) -> None:
    (folder / "request.json").write_text('{"TransformInput": {"SplitType": "Line"}, "MaxPayloadInMB": 9}')
    result = _run(folder, "--plan", str(folder / "request.json"), "--max-payload-mb", "2", "--format", "json")
    assert json.loads(result.stdout)["effective"]["max_payload_mb"] == 2


@pytest.mark.parametrize("content", ["[]", "{}", "nothing", '{"TransformInput": {"SplitType": "Paragraph"}}'])
def test_a_file_that_is_no_request_is_a_document_error(folder: Path, content: str) -> None:
    (folder / "request.json").write_text(content)
    assert isinstance(_run(folder, "--plan", str(folder / "request.json")).exception, DocumentError)


def test_a_document_that_cannot_be_written_is_refused_before_the_run(folder: Path) -> None:
    result = _run(folder, "-o", str(folder / "in" / "part-0.jsonl" / "run.json"))
    assert isinstance(result.exception, OutputError)
    assert not (folder / "log").exists()
    assert not (folder / "out").exists()


def test_ctrl_c_leaves_no_process_and_says_how_to_go_on(folder: Path) -> None:
    write_lines(folder / "in" / "part-3.jsonl", 9, seed=3, extra=dict.fromkeys(range(9), "SLOW"))
    places = ["--input", str(folder / "in"), "--output", str(folder / "out"), "--batch-strategy", "SingleRecord"]
    words = [sys.executable, "-m", "planner", "run", "--command", command_of(folder / "log"), *places]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert eventually((folder / "out" / "part-2.jsonl.out").exists)
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=30)
        finally:
            process.kill()
    assert process.returncode == 130
    assert errors.splitlines()[-1] == (
        "Interrupted. Nothing was left running. The same command with --resume goes on without doing finished objects "
        "again."
    )
    assert not Path(f"/proc/{asked(folder)[0]['server']}").exists()


@pytest.mark.parametrize("options", [["--url", "http://127.0.0.1:9"], ["--invocations-timeout", "2h"]])
def test_contradicting_or_impossible_options_are_wrong_usage(folder: Path, options: list[str]) -> None:
    assert _run(folder, *options).exit_code == 2


def test_a_profile_of_this_machine_adds_what_it_predicts_for_this_very_run(folder: Path) -> None:
    write_document(folder / "profile.json", synthetic_profile())
    result = _run(folder, "--profile", str(folder / "profile.json"), "-o", str(folder / "run.json"))
    assert result.exit_code == 0, result.output
    predicted = read_document(folder / "run.json", RunDocument).predicted
    assert predicted is not None
    assert predicted.makespan_s.mid == pytest.approx(600 / predicted.throughput_records_per_s.mid)
    assert any("another machine" in note for note in predicted.notes)
    assert "predicted for here" in result.stdout
