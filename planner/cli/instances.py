"""`planner instances`: what CreateTransformJob accepts, what it costs, how fast it is."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from planner.cli.options import OutputFormat, emit, output_options

if TYPE_CHECKING:
    from rich.console import RenderableType


WORKLOAD_CLASSES = ("scalar", "fp_simd", "int8_dnn", "mem_bandwidth", "unknown")
"""Those of `planner.performance`, spelt out because importing it would make `--help` wait for numpy."""


@click.command(
    "instances",
    epilog="""\b
Examples:
  planner instances
  planner instances --instance-type 'c?i.*' --instance-type 'm5.*' --region eu-west-1
  planner instances --relative-to ml.c5.2xlarge --workload-class fp_simd
  planner instances --format json -o instances.json""",
)
@click.option("--region", default="us-east-1", show_default=True, help="AWS region whose prices to show.")
@click.option(
    "--instance-type",
    "globs",
    multiple=True,
    metavar="GLOB",
    help="Only types that match, with or without 'ml.'; repeatable. Default: all 116.",
)
@click.option(
    "--relative-to",
    default="ml.m5.xlarge",
    show_default=True,
    metavar="TYPE",
    help="The type that speeds are relative to: the wider the jump from it, the wider the spread.",
)
@click.option(
    "--workload-class",
    type=click.Choice(WORKLOAD_CLASSES),
    default="unknown",
    show_default=True,
    help="Which speeds the table shows: everyday integer code, floating-point vectors, 8-bit networks, memory-bound.",
)
@output_options
def command(
    *,
    region: str,
    globs: tuple[str, ...],
    relative_to: str,
    workload_class: str,
    output: Path | None,
    format_: OutputFormat,
) -> None:
    """List instance types with size, accelerator, price and CPU speed.

    Prices are USD per hour, on demand, from a packaged snapshot: each carries its date and whether a SageMaker price
    was observed or derived from the region's EC2 price. Speeds come from public benchmarks by workload class, each with
    a 90 % interval. Nothing is asked of AWS.
    """
    from planner.performance.listing import instance_listing

    listing = instance_listing(region, globs, relative_to)

    def rendered() -> "RenderableType":
        from planner.report.instances import render

        return render(listing, workload_class)

    emit(listing, rendered, output=output, format_=format_)
