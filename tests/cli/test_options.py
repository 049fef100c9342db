from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from rich.text import Text

from planner.cli.options import COUNT_LIST, DURATION, SIZE, container_options, emit, opened_container, output_options
from planner.errors import MissingDependencyError
from planner.records.dataset import Dataset, RecordSizes

DATASET = Dataset(
    input="here",
    split_type="Line",
    objects=(),
    record_sizes=RecordSizes(count=0, total_bytes=0, smallest=0, largest=0, quantiles=()),
)


@click.command()
@click.option("--deadline", type=DURATION)
@click.option("--memory", type=SIZE)
@click.option("--ladder", type=COUNT_LIST)
def values(deadline: float | None, memory: int | None, ladder: tuple[int, ...] | None) -> None:
    click.echo(f"{deadline} {memory} {ladder}")


@click.command()
@output_options
def result(output: Path | None, format_: str) -> None:
    emit(
        DATASET,
        lambda: Text("three [red]words[/red] here"),
        output=output,
        format_="json" if format_ == "json" else "text",
    )


@click.command()
@container_options
def container(**options: object) -> None:
    opened_container(**options)  # type: ignore[arg-type]


def test_values_come_with_their_units() -> None:
    run = CliRunner().invoke(values, ["--deadline", "90m", "--memory", "2g", "--ladder", "16,1,16"])
    assert run.output == "5400.0 2147483648 (1, 16)\n"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--deadline", "soon"], "'soon' is not a quantity such as 90m"),
        (["--memory", "much"], "'much' is not a quantity such as 2g"),
        (["--ladder", "1,two"], "not a list of whole numbers"),
        (["--ladder", "0,1"], "0 is below 1"),
    ],
)
def test_a_value_without_sense_is_a_usage_error_that_shows_one_with(arguments: list[str], complaint: str) -> None:
    run = CliRunner().invoke(values, arguments)
    assert run.exit_code == 2
    assert complaint in run.output


def test_a_result_goes_to_its_file_and_to_stdout_as_asked(tmp_path: Path) -> None:
    path = tmp_path / "d.json"
    shown = CliRunner().invoke(result, ["-o", str(path), "--format", "json"])
    assert shown.stdout == path.read_text()
    assert str(path) in shown.stderr.replace("\n", "")
    assert CliRunner().invoke(result, []).stdout == "three [red]words[/red] here\n"


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--url", "http://127.0.0.1:1", "--command", "true"],
        ["some-image:1", "--command", "true"],
        ["some-image:1", "--model-dir", "model", "--url", "http://127.0.0.1:1"],
    ],
)
def test_exactly_one_container_has_to_be_named(arguments: list[str]) -> None:
    run = CliRunner().invoke(container, arguments)
    assert run.exit_code == 2
    assert "exactly one of IMAGE" in run.output


def test_an_image_is_named_by_itself_and_a_network_is_only_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    run = CliRunner().invoke(container, ["some-image:1", "--model-dir", "model", "--network"])
    assert isinstance(run.exception, MissingDependencyError)
    assert "/nowhere/docker.sock" in str(run.exception)
    run = CliRunner().invoke(container, ["--url", "http://127.0.0.1:1", "--network"])
    assert "--network is for an IMAGE" in run.output


def test_an_environment_variable_without_a_value_sign_is_a_usage_error() -> None:
    run = CliRunner().invoke(container, ["--url", "http://127.0.0.1:1", "--env", "OMP_NUM_THREADS"])
    assert "'OMP_NUM_THREADS' is not NAME=VALUE" in run.output
