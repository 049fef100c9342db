"""`planner compare`: several plans side by side."""

from pathlib import Path
from typing import Any

import click

from planner.cli.options import OutputFormat, emit, output_options


@click.command(
    "compare",
    epilog="""\b
Examples:
  planner compare 90m.json 2h.json
  planner compare us-east-1.json eu-west-1.json savings.json --csv regions.csv -o comparison.json

Reads nothing but the plans; make them with `planner recommend ... -o`.""",
)
@click.argument("plans", nargs=-1, required=True, type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--csv",
    "csv_path",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write every plan's choice, alternatives, front and types to this file, for a spreadsheet.",
)
@output_options
def command(*, plans: tuple[Path, ...], csv_path: Path | None, output: Path | None, format_: OutputFormat) -> None:
    """Show PLANS side by side: what each chose, what that costs beside the first, and what was asked differently."""
    from planner.documents import read_document
    from planner.planning.comparison import compare
    from planner.planning.plan import Plan

    if len({path.resolve() for path in plans}) < max(2, len(plans)):
        raise click.UsageError("Name two or more different plans.")
    read = {str(path): read_document(path, Plan) for path in plans}
    document = compare(read)
    if csv_path is not None:
        from planner.report.spreadsheet import write_plans

        write_plans(csv_path, read)

    def rendered() -> Any:
        from planner.report.comparison import render

        return render(document)

    emit(document, rendered, output=output, format_=format_)
