"""`planner predict`: throughput and latency at a point that was not measured."""

from pathlib import Path
from typing import Any

import click

from planner.cli.options import OutputFormat, emit, output_options
from planner.cli.planning_options import also_option, workload_class_option


@click.command(
    "predict",
    epilog="""\b
Examples:
  planner predict profile.json --records-per-request 500 --concurrency 4
  planner predict profile.json --records-per-request 500 --concurrency 64 --instance-type ml.c5.4xlarge --explain
  planner predict profile.json --records-per-request 500 --concurrency 64 --instance-type ml.c7i.4xlarge \\
      --also profile-on-c6i.json

Every number comes as low, mid, high: a 90 % interval. Outside the measured range it is called extrapolation,
and no 90 % is promised. Too few points in the profile: exit code 40.""",
)
@click.argument("profile", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--records-per-request",
    type=click.IntRange(min=1),
    required=True,
    help="Records in one request; in a job it follows from MaxPayloadInMB and the records' size.",
)
@click.option(
    "--concurrency",
    type=click.IntRange(min=1),
    required=True,
    help="Requests in flight to one container; in a job at most MaxConcurrentTransforms.",
)
@click.option(
    "--cpus",
    type=click.FloatRange(min=0, min_open=True),
    help="CPUs of the profiled host to predict for. [default: those of the profile]",
)
@click.option("--instance-type", metavar="TYPE", help="Predict for this type, such as ml.m5.xlarge, by its speed.")
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    help="Worker processes. [default: the profile's; on an instance type as many a vCPU as the profile had a CPU]",
)
@workload_class_option
@also_option
@click.option("--explain", is_flag=True, help="Show the terms that the numbers are made of.")
@output_options
def command(
    *,
    profile: Path,
    records_per_request: int,
    concurrency: int,
    cpus: float | None,
    instance_type: str | None,
    workers: int | None,
    workload_class: Any,
    also: tuple[Path, ...],
    explain: bool,
    output: Path | None,
    format_: OutputFormat,
) -> None:
    """Predict throughput, latency, CPU time and memory at any records per request and concurrency.

    PROFILE is what `planner profile` wrote. The prediction is for the profiled host unless --instance-type or
    --cpus says otherwise.
    """
    if cpus is not None and instance_type is not None:
        raise click.UsageError("Say which machine: --cpus of the profiled host, or --instance-type, not both.")
    from planner.documents import read_document
    from planner.performance import predict
    from planner.profiling.profile import Profile
    from planner.report.prediction import render

    if instance_type is None and (also or workload_class):
        name = "--also" if also else "--workload-class"
        raise click.UsageError(f"{name} is of the step to other hardware: it goes with --instance-type.")
    prediction = predict(
        read_document(profile, Profile),
        workload_class=workload_class,
        also=tuple(read_document(path, Profile) for path in also),
        records_per_request=records_per_request,
        concurrency=concurrency,
        cpus=cpus,
        instance_type=instance_type,
        workers=workers,
    )
    emit(prediction, lambda: render(prediction, explain=explain), output=output, format_=format_)
