"""`planner inspect`: what the input of a job is made of."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from planner.cli.options import COMPRESSION_TYPES, SPLIT_TYPES, OutputFormat, emit, output_options, stderr_console

if TYPE_CHECKING:
    from rich.console import RenderableType

    from planner.records.dataset import CompressionType, Dataset, SplitType


def inspect_with_progress(source: str, **options: Any) -> "Dataset":
    """`planner.records.inspect` with a progress bar on stderr where that is a terminal."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    from planner.records import inspect

    console = stderr_console()
    columns = (BarColumn(), DownloadColumn(binary_units=True), TransferSpeedColumn(), TimeRemainingColumn())
    progress = Progress(
        TextColumn("Reading"), *columns, console=console, transient=True, disable=not console.is_terminal
    )
    with progress:
        task = progress.add_task("Reading", total=None)
        return inspect(
            source, progress=lambda done, total: progress.update(task, completed=done, total=total), **options
        )


@click.command(
    "inspect",
    epilog="""\b
Examples:
  planner inspect input/ -o dataset.json
  planner inspect input/ --max-payload-mb 6
  planner inspect images/ --split-type None --content-type image/jpeg
  planner inspect keys.manifest --compression-type Gzip --format json""",
)
@click.argument("source", metavar="INPUT")
@click.option(
    "--split-type",
    type=click.Choice(SPLIT_TYPES),
    default="Line",
    show_default=True,
    help="What a record is, as in CreateTransformJob: a line, a RecordIO or TFRecord frame, or (None) a whole object.",
)
@click.option("--content-type", help="MIME type of the records. Default: from the suffixes .csv, .jsonl, .ndjson.")
@click.option(
    "--compression-type",
    type=click.Choice(COMPRESSION_TYPES),
    help="How objects are stored. Default: Gzip if every object ends in .gz, else None.",
)
@click.option(
    "--max-payload-mb",
    type=click.IntRange(1, 100),
    metavar="N",
    help="Fail if a record is larger than N MiB, the payload limit that the job is to have.",
)
@click.option(
    "--validate/--no-validate",
    default=True,
    show_default=True,
    help="Check that every line is UTF-8 and, for JSON Lines, JSON. Only with --split-type Line.",
)
@output_options
def command(
    source: str,
    *,
    split_type: "SplitType",
    content_type: str | None,
    compression_type: "CompressionType | None",
    max_payload_mb: int | None,
    validate: bool,
    output: Path | None,
    format_: OutputFormat,
) -> None:
    """Count objects, records and their sizes in INPUT.

    INPUT is a local folder (read with its subfolders), a single file, or an S3 manifest file whose prefix is a local
    folder. Every object is read once; memory use does not grow with the input. The result says how many requests the
    input makes at every MaxPayloadInMB, exactly, and warns of what tends to fail in a job.
    """
    dataset = inspect_with_progress(
        source,
        split_type=split_type,
        content_type=content_type,
        compression_type=compression_type,
        max_payload_mb=max_payload_mb,
        validate=validate,
    )

    def rendered() -> "RenderableType":
        from planner.report.dataset import render

        return render(dataset)

    emit(dataset, rendered, output=output, format_=format_)
