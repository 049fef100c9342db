"""`planner demo`: the whole way on a bundled model and real records."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from planner.cli.options import DURATION, OutputFormat, emit, output_options, stderr_console, stdout_console
from planner.cli.session_progress import shown_progress

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console, RenderableType

    from planner.campaign.profiler import Progress


class _Shown:
    """Shows each step under its title, numbered."""

    def __init__(self, console: "Console", show_progress: "Callable[[Progress], None]") -> None:
        self._console = console
        self._show_progress = show_progress
        self._steps = 0

    def step(self, title: str, result: "RenderableType") -> None:
        from rich.text import Text

        self._steps += 1
        self._console.print(Text(f"\n{self._steps}. {title}", style="bold"))
        if isinstance(result, str):
            self._console.out(result)
        else:
            self._console.print(result)

    def progress(self, step: "Progress") -> None:
        self._show_progress(step)


@contextlib.contextmanager
def _narrator(format_: OutputFormat) -> Iterator[_Shown]:
    """Steps on stdout; on stderr where stdout is for the JSON document."""
    errors = stderr_console()
    with shown_progress(errors) as show_progress:
        yield _Shown(errors if format_ == "json" else stdout_console(), show_progress)


@click.command(
    "demo",
    epilog="""\b
Examples:
  planner demo
  planner demo --trees 800            # a model four times as slow: another plan
  planner demo --deadline 15m --folder urgent""",
)
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    default="demo-output",
    show_default=True,
    help="Where the model, its input and the documents are left.",
)
@click.option(
    "--trees",
    type=click.IntRange(1, 5000),
    default=200,
    show_default=True,
    help="Size of the random forest: how slow the model is.",
)
@click.option("--deadline", type=DURATION, default="1h", show_default=True, help="When the job has to be finished.")
@click.option(
    "--repeat",
    type=click.IntRange(min=1),
    default=2000,
    show_default=True,
    help="How many times over the input on disk (12 objects, 314,136 records) is planned for.",
)
@click.option("--time-budget", type=DURATION, default="40s", show_default=True, help="Time for the profile's load.")
@click.option("--region", default="us-east-1", show_default=True, help="Where the job is to run.")
@output_options
def command(
    *,
    folder: Path,
    trees: int,
    deadline: float,
    repeat: int,
    time_budget: float,
    region: str,
    output: Path | None,
    format_: OutputFormat,
) -> None:
    """Go the whole way once, on this machine: no Docker, no AWS.

    Trains a small scikit-learn model, serves it from its model.tar.gz, profiles it under load, inspects the input of
    a job, checks one prediction against a measurement, recommends the cheapest configuration for a larger job of the
    same kind, and emits its CreateTransformJob request. Takes about a minute. -o writes the plan.
    """
    from rich.text import Text

    from planner.demo.walkthrough import walk_through

    with _narrator(format_) as narrator:
        walk = walk_through(
            folder,
            narrator,
            trees=trees,
            repeat=repeat,
            deadline_s=deadline,
            time_budget_s=time_budget,
            region=region,
        )
    left = f"\nThe documents are in {folder}/: profile.json, dataset.json, plan.json, transform_job.json, request.json"
    if format_ == "json" or output is not None:
        emit(walk.plan, lambda: Text(left), output=output, format_=format_)
    else:
        click.echo(left)
