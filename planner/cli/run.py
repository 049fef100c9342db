"""`planner run`: the job on this machine, as the service would run it."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from planner.cli.options import (
    COMPRESSION_TYPES,
    CONTAINER_CHOICE,
    DURATION,
    SPLIT_TYPES,
    OutputFormat,
    container_options,
    emit,
    instance_opener,
    refuse_unclear_container,
    stderr_console,
)

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.progress import Progress as ProgressBar

    from planner.jobs.local import JobSettings, RunDocument, RunProgress


def _job_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add one option per field of the request; each is None unless given, and then stands above the plan's."""
    choice = click.Choice
    options = [
        click.option("--content-type", metavar="TYPE", help="MIME type of each request. [default: from the suffixes]"),
        click.option(
            "--accept", metavar="TYPE", help="MIME type asked of each response. [default: as sent, for lines]"
        ),
        click.option(
            "--split-type",
            type=choice(SPLIT_TYPES),
            help="What a record is. [default: Line]",
        ),
        click.option("--compression-type", type=choice(COMPRESSION_TYPES), help="[default: Gzip if all end in .gz]"),
        click.option(
            "--assemble-with",
            type=choice(("None", "Line")),
            help="Line adds a line break after each response. [default: Line with --split-type Line]",
        ),
        click.option(
            "--batch-strategy",
            type=choice(("MultiRecord", "SingleRecord")),
            help="As many records in a request as fit, or one. [default: the container's wish, else MultiRecord]",
        ),
        click.option(
            "--max-payload-mb",
            type=click.IntRange(0, 100),
            metavar="N",
            help="Largest request, in MB of 2**20 bytes; 0: of any size, in HTTP chunks. [default: the container's "
            "wish, else 6]",
        ),
        click.option(
            "--max-concurrent-transforms",
            type=click.IntRange(1),
            metavar="N",
            help="Requests in flight to each container. [default: the container's wish, else 1]",
        ),
        click.option(
            "--instance-count", type=click.IntRange(1, 100), metavar="N", help="Containers side by side. [default: 1]"
        ),
        click.option("--invocations-timeout", type=DURATION, help="For each request, 1s to 1h. [default: 600s]"),
        click.option(
            "--invocations-max-retries",
            type=click.IntRange(0, 3),
            help="How often a request that got 5xx or no answer is sent again. [default: 3]",
        ),
        click.option("--input-filter", metavar="JSONPATH", help="What of each record is sent, such as '$[1:]'."),
        click.option("--output-filter", metavar="JSONPATH", help="What of each (joined) result is kept: '$[0,-1]'."),
        click.option("--join-source", type=choice(("None", "Input")), help="Input: put each result to its record."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


@click.command(
    "run",
    epilog="""\b
Examples:
  planner run --model-dir model.tar.gz --input input/ --output output/ --max-concurrent-transforms 2
  planner run my-image:1 --model-dir model.tar.gz --input input/ --output output/ --instance-count 2
  planner run --command "python serve.py" --input input/ --output output/ --plan plan.json --instance-count 2
  planner run --url http://127.0.0.1:8080 --input in.csv --output output/ --join-source Input --resume

Exit code 80: some objects failed; they have no output, the others have. After any interruption, the same command with
--resume goes on without doing finished objects again.""",
)
@container_options
@click.option("--input", "source", required=True, metavar="DIR", help="Folder, file or manifest of input objects.")
@click.option(
    "--output", "folder", required=True, type=click.Path(file_okay=False, path_type=Path), help="Where <key>.out goes."
)
@click.option(
    "--plan",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Run what this says: a plan, a transform_job document or a bare CreateTransformJob request (JSON).",
)
@click.option(
    "--profile",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A profile measured on this machine: its prediction of this very run is shown beside what was measured.",
)
@_job_options
@click.option("--resume", is_flag=True, help="Keep what an earlier run finished under the same settings.")
@click.option(
    "-o",
    "--document",
    "output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the run document (JSON) to this file, whole or not at all; also of a run that is ended early.",
)
@click.option("--format", "format_", type=click.Choice(["text", "json"]), default="text", show_default=True)
def command(
    *,
    source: str,
    folder: Path,
    plan: Path | None,
    profile: Path | None,
    resume: bool,
    output: Path | None,
    format_: OutputFormat,
    invocations_timeout: float | None,
    **options: Any,
) -> None:
    """Run the transform job on this machine: the same requests, the same bytes, the same files.

    Objects below --input are dealt to the containers in key order, cut into records and requests by SplitType,
    BatchStrategy and MaxPayloadInMB, sent with MaxConcurrentTransforms in flight, and each object's answers stored in
    order as KEY.out, which appears only when the whole object has succeeded. --cpus and --memory are for each instance.
    """
    from planner.documents import read_document, refuse_unwritable
    from planner.jobs.local import raise_if_failed, run_job
    from planner.jobs.local.asked import asked_for
    from planner.profiling.profile import Profile
    from planner.records.listing import list_objects

    container = {name: options.pop(name) for name in CONTAINER_CHOICE}
    refuse_unclear_container(**container)
    timeout_s = None if invocations_timeout is None else _whole_seconds(invocations_timeout)
    if output is not None:
        refuse_unwritable(output)
    listing = list_objects(source)
    fields = {**options, "invocations_timeout_s": timeout_s}
    asked = asked_for(listing, plan=plan, fields=fields, environment=container["env"])
    known_profile = None if profile is None else read_document(profile, Profile)
    _echo(asked.settings, len(listing.objects), asked.notes)
    with _progress_bar(listing.stored_bytes) as (bar, on_progress):

        def broken_off(run: "RunDocument") -> None:
            bar.stop()
            _show(run, output=output, format_=format_)

        with _told_how_to_go_on():
            run = run_job(
                source,
                folder,
                asked.settings,
                instance_opener(container),
                cpus=container["cpus"],
                memory_bytes=container["memory"],
                resume=resume,
                plan=asked.plan,
                profile=known_profile,
                progress=on_progress,
                broken_off=broken_off,
            )
        bar.stop()
    _show(run, output=output, format_=format_)
    raise_if_failed(run)


@contextlib.contextmanager
def _told_how_to_go_on() -> Iterator[None]:
    """Ctrl-C carries what to do next."""
    try:
        yield
    except KeyboardInterrupt as interruption:
        interruption.add_note("The same command with --resume goes on without doing finished objects again.")
        raise


def _whole_seconds(seconds: float) -> int:
    if not 1 <= seconds <= 3600 or seconds != int(seconds):
        raise click.BadParameter(
            f"{seconds:g} s is not a whole number of seconds from 1 to 3600", param_hint="--invocations-timeout"
        )
    return int(seconds)


def _echo(settings: "JobSettings", objects: int, notes: tuple[str, ...]) -> None:
    """Say on stderr what was resolved."""
    console = stderr_console()
    given = [
        f"{settings.content_type or 'no content type'}",
        f"SplitType {settings.split_type}",
        f"CompressionType {settings.compression_type}",
        f"AssembleWith {settings.assemble_with}",
    ]
    counted = "1 object" if objects == 1 else f"{objects:,} objects"
    told = f"{counted}, {', '.join(given)}; instances: {settings.instance_count}"
    console.print(told, markup=False, soft_wrap=True)
    for note in notes:
        console.print(f"Warning: {note}", markup=False, soft_wrap=True)


class _progress_bar:  # noqa: N801 - used as a function, in a with statement
    """A bar over the stored bytes of the input, on a terminal only."""

    def __init__(self, total: int) -> None:
        self._total = total

    def __enter__(self) -> "tuple[ProgressBar, Callable[[RunProgress], None]]":
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

        console = stderr_console()
        columns = (BarColumn(), DownloadColumn(binary_units=True), TimeRemainingColumn())
        self._bar = Progress(
            TextColumn("{task.description}"), *columns, console=console, transient=True, disable=not console.is_terminal
        )
        self._bar.start()
        task = self._bar.add_task("Starting", total=self._total)

        def show(progress: "RunProgress") -> None:
            failed = f", {progress.failed_objects:,} failed" if progress.failed_objects else ""
            description = f"{progress.requests:,} requests, {progress.objects:,} objects{failed}"
            self._bar.update(task, completed=progress.stored_bytes, description=description)

        return self._bar, show

    def __exit__(self, *_: object) -> None:
        self._bar.stop()


def _show(run: "RunDocument", *, output: Path | None, format_: OutputFormat) -> None:
    def rendered() -> "RenderableType":
        from planner.report.run import render

        return render(run)

    emit(run, rendered, output=output, format_=format_)
