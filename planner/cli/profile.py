"""`planner profile`: measure a model container here."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from planner.cli.options import (
    COUNT_LIST,
    DURATION,
    OutputFormat,
    container_options,
    emit,
    opened_container,
    output_options,
    stderr_console,
)

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from planner.campaign.session import Progress
    from planner.container.contract import Container
    from planner.records.dataset import SplitType

SPLIT_TYPES = ("None", "Line", "RecordIO", "TFRecord")
CONTENT_TYPES = {
    ".jsonl": "application/jsonlines",
    ".ndjson": "application/jsonlines",
    ".json": "application/json",
    ".csv": "text/csv",
}
"""What a payload file's suffix says when --content-type does not."""


def content_type_of(payload: Path) -> str:
    """The content type that the suffix stands for. Raises click.UsageError when it stands for none."""
    if payload.suffix.lower() not in CONTENT_TYPES:
        known = ", ".join(CONTENT_TYPES)
        raise click.UsageError(
            f"Say --content-type: the suffix of {payload.name} does not tell it (known suffixes: {known})."
        )
    return CONTENT_TYPES[payload.suffix.lower()]


@contextlib.contextmanager
def shown_progress(console: "Console") -> "Iterator[Callable[[Progress], None]]":
    """A progress bar on a terminal; elsewhere nothing. Yields what `planner.profile` takes as `progress`."""
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as ProgressBar

    from planner.report.profile import one_line

    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.fields[last]}", markup=False))
    bar = ProgressBar(
        TextColumn("{task.description}"), *columns, console=console, transient=True, disable=not console.is_terminal
    )
    with bar:
        task = bar.add_task("", total=None, last="")

        def show(step: "Progress") -> None:
            last = one_line(step.measurement) if step.measurement is not None else ""
            bar.update(task, description=step.doing, completed=step.measured, total=step.planned or None, last=last)

        yield show


def _resolved(container: "Container", payload: Path, content_type: str, split_type: str, time_budget: float) -> str:
    """What is about to be measured, in one line."""
    from planner.units import show_bytes, show_seconds

    about = container.description
    limits = [
        f"{about.limits.cpus:g} CPU" if about.limits.cpus is not None else "all CPUs",
        *([show_bytes(about.limits.memory_bytes)] if about.limits.memory_bytes is not None else []),
        *([f"{about.workers} workers"] if about.workers is not None else []),
    ]
    return (
        f"Profiling {about.backend} {about.target} ({', '.join(limits)}) with {payload} "
        f"({content_type}, SplitType {split_type}) for {show_seconds(time_budget)}"
    )


@click.command(
    "profile",
    epilog="""\b
Examples:
  planner profile my-image:1 --model-dir model.tar.gz --payload sample.csv --cpus 2 --memory 4g -o profile.json
  planner profile --model-dir model.tar.gz --payload sample.jsonl -o profile.json
  planner profile --model-dir model/ --payload sample.csv --cpus 1 --env OMP_NUM_THREADS=1 -o profile.json
  planner profile --command "python serve.py" --payload images/ --split-type None --content-type image/jpeg
  planner profile --url http://127.0.0.1:8080 --payload sample.jsonl --records-per-request 1,64 --concurrency 1,2,4

A session that was interrupted is gone on from by the same command with --resume.""",
)
@container_options
@click.option(
    "--payload",
    type=click.Path(path_type=Path),
    required=True,
    metavar="FILE|DIR",
    help="Sample of real input: a file of records, or a folder of files. Some thousand typical records are best; "
    "requests are cut from it in turn.",
)
@click.option("--content-type", help="MIME type of the records. Default: from the suffix (.jsonl, .csv, .json).")
@click.option("--accept", help="MIME type to ask the container for. Default: no Accept header.")
@click.option(
    "--split-type",
    type=click.Choice(SPLIT_TYPES),
    default="Line",
    show_default=True,
    help="What a record is: a line, a RecordIO or TFRecord frame, or (None) a whole file.",
)
@click.option(
    "--time-budget",
    type=DURATION,
    default="60s",
    show_default=True,
    help="Time under load, shared out over the points, from when the container is ready.",
)
@click.option(
    "--records-per-request",
    type=COUNT_LIST,
    help="Measure these sizes only. Default: from 1 to what fits into 6 MiB, in steps of about 8.",
)
@click.option(
    "--concurrency",
    type=COUNT_LIST,
    help="Measure these numbers of requests in flight only. Default: from 1 to 4 per worker, in powers of two.",
)
@click.option("--resume", is_flag=True, help="Go on from the points that the --output file of a killed session holds.")
@output_options
def command(
    *,
    payload: Path,
    content_type: str | None,
    accept: str | None,
    split_type: "SplitType",
    time_budget: float,
    records_per_request: tuple[int, ...] | None,
    concurrency: tuple[int, ...] | None,
    resume: bool,
    output: Path | None,
    format_: OutputFormat,
    **container_choice: Any,
) -> None:
    """Measure a model container on this machine.

    The container is started, checked against the hosting contract with one and two records, and put under load with
    a fixed number of requests in flight, as Batch Transform does, at a choice of payload sizes and concurrencies.
    The profile keeps throughput with its 90 % interval, every latency, CPU seconds, memory and what is suspicious.

    IMAGE is run by Docker as the service runs it: `docker run IMAGE serve`, the model read-only in /opt/ml/model. It
    has to be on the engine (DOCKER_HOST, or this machine's): nothing is pulled.
    """
    if resume and output is None:
        raise click.UsageError("--resume needs --output, the file that the killed session was writing.")
    from planner.campaign.profiler import profile

    content_type = content_type or content_type_of(payload)
    container = opened_container(**container_choice)
    console = stderr_console()
    console.print(_resolved(container, payload, content_type, split_type, time_budget), markup=False)
    with shown_progress(console) as progress:
        document = profile(
            container,
            payload=payload,
            content_type=content_type,
            accept=accept,
            split_type=split_type,
            time_budget_s=time_budget,
            records_per_request=records_per_request,
            concurrency=concurrency,
            output=output,
            resume=resume,
            progress=progress,
        )

    def rendered() -> "RenderableType":
        from planner.report.profile import render

        return render(document)

    emit(document, rendered, output=output, format_=format_)
