"""`planner reshard`: the input in as many objects as a plan wants."""

from pathlib import Path
from typing import Any

import click

from planner.cli.options import COMPRESSION_TYPES, OutputFormat, emit


@click.command(
    "reshard",
    epilog="""\b
Examples:
  planner reshard input/ --objects 100 --output even/
  planner reshard input/ --objects 40 --output even/ --compress Gzip -o resharding.json
  planner reshard frames/ --objects 20 --output even/ --split-type TFRecord

`planner recommend` says which number of objects pays. What stood in which object is in the document (-o). To use the
result in a job, copy it: aws s3 sync even/ s3://bucket/even/. Outputs are then named after the new objects.""",
)
@click.argument("source", metavar="INPUT")
@click.option("--objects", type=click.IntRange(min=1), required=True, help="How many objects to write.")
@click.option(
    "--output",
    "folder",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for part-00000, part-00001, ...; new or empty.",
)
@click.option(
    "--split-type",
    type=click.Choice(["Line", "RecordIO", "TFRecord"]),
    default="Line",
    show_default=True,
    help="What a record is.",
)
@click.option(
    "--compression-type", type=click.Choice(COMPRESSION_TYPES), help="Of the input. [default: Gzip if all end in .gz]"
)
@click.option(
    "--compress", type=click.Choice(COMPRESSION_TYPES), help="How to store the new objects. [default: as the input]"
)
@click.option("--force", is_flag=True, help="Replace the part-* of an earlier run in the folder.")
@click.option(
    "-o",
    "output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write what came from where (JSON) to this file, whole or not at all.",
)
@click.option("--format", "format_", type=click.Choice(["text", "json"]), default="text", show_default=True)
def command(
    *,
    source: str,
    folder: Path,
    objects: int,
    split_type: Any,
    compression_type: Any,
    compress: Any,
    force: bool,
    output: Path | None,
    format_: OutputFormat,
) -> None:
    """Rewrite INPUT (a folder, file or manifest) into objects of nearly equal size, cut between records, in order.

    An object is never divided over instances, so few or uneven objects leave instances idle, and many tiny ones make
    requests that are mostly empty. Records stay as they are; a last line without line feed gets one where another
    follows. The folder appears when everything is written, or not at all.
    """
    from planner.records.reshard import reshard

    document = reshard(
        source,
        folder,
        objects=objects,
        split_type=split_type,
        compression_type=compression_type,
        output_compression_type=compress,
        force=force,
    )

    def rendered() -> Any:
        from planner.report.reshard import render

        return render(document)

    emit(document, rendered, output=output, format_=format_)
