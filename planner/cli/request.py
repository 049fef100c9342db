"""`planner request`: a plan as a CreateTransformJob request that has been checked."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from planner.cli.options import OutputFormat, emit, output_options, pair_option, stderr_console

if TYPE_CHECKING:
    from planner.jobs import EmitKind, TransformJobDocument

KINDS = ("json", "cli", "boto3", "stepfunctions", "terraform")
"""Those of `planner.jobs.EmitKind`, spelt out because importing it would make `--help` wait for numpy."""


@click.command(
    "request",
    epilog="""\b
Examples:
  planner request plan.json --model-name my-model \\
      --input-uri s3://bucket/in/ --output-uri s3://bucket/out/ --emit json -o request.json
  aws sagemaker create-transform-job --cli-input-json file://request.json

Nothing is sent to AWS. A request that breaks a rule is not written: every error is listed, exit code 70.""",
)
@click.argument("plan", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--model-name", required=True, help="An existing SageMaker Model in the job's account and region.")
@click.option(
    "--input-uri",
    required=True,
    metavar="S3URI",
    help="Where the input objects are. A prefix matches as text: end it with '/' or it takes the neighbours in.",
)
@click.option("--output-uri", required=True, metavar="S3URI", help="Below which each object's .out is written.")
@click.option(
    "--job-name",
    help="1 to 63 letters, digits and hyphens; can never be used twice in an account and region. "
    "[default: model name and UTC time]",
)
@click.option(
    "--s3-data-type",
    type=click.Choice(["S3Prefix", "ManifestFile"]),
    default="S3Prefix",
    show_default=True,
    help="Whether --input-uri is a key prefix or a manifest that lists the objects.",
)
@click.option("--content-type", metavar="TYPE", help="MIME type of each request. [default: the plan's]")
@click.option("--accept", metavar="TYPE", help="MIME type asked of each response. [default: the plan's]")
@click.option("--output-kms-key", metavar="KEY", help="KMS key that encrypts the output in S3.")
@click.option("--volume-kms-key", metavar="KEY", help="KMS key for the instances' volumes; not with local NVMe disks.")
@pair_option("--tag", help_="Tag of the job; repeatable. The planner adds its version and the plan's digest.")
@click.option(
    "--emit",
    "kind",
    type=click.Choice(KINDS),
    help="json: the bare request, for --cli-input-json. cli: the aws command. boto3: a Python script. "
    "stepfunctions: a state machine that runs the job and waits. terraform: that state machine and its role "
    "(.tf.json). It goes to stdout, or to FILE with -o. Without --emit, -o writes the transform_job document "
    "(request, warnings, plan digest), which --format json shows.",
)
@output_options
def command(
    *,
    plan: Path,
    tag: dict[str, str],
    kind: "EmitKind | None",
    output: Path | None,
    format_: OutputFormat,
    **job: Any,
) -> None:
    """Turn PLAN into a CreateTransformJob request, ready to run and checked.

    Every field that matters is set: batch strategy, payload (MB of 2**20 bytes), concurrency, time-out and retries
    from the predicted latency, worker settings, split and assembly, tags. It is checked by botocore's validator,
    against the enums, patterns and limits of the service model, and against the rules that only the documentation
    states. Warnings go to stderr.
    """
    from planner.documents import read_document
    from planner.jobs import request
    from planner.planning.plan import Plan

    if kind is not None and format_ == "json" and output is None:
        raise click.UsageError("--emit and --format json both want stdout: give --emit a file with -o.")
    # The remaining options carry the names of request's own parameters.
    planned = read_document(plan, Plan)
    document = request(planned, tags=tag, **job)
    if planned.layout is not None:
        step = f"First: {planned.layout.command}; the plan is for {planned.layout.objects:,} objects, which it makes."
        stderr_console().print(step, markup=False)
    _show(document, kind=kind, output=output, format_=format_)


def _show(
    document: "TransformJobDocument", *, kind: "EmitKind | None", output: Path | None, format_: OutputFormat
) -> None:
    """Bring the request out in the form and to the place that were asked for."""
    from planner.jobs import emitted, write_emitted
    from planner.report.request import render

    if kind is None:
        emit(document, lambda: render(document), output=output, format_=format_)
        return
    if output is None:
        for finding in document.findings:
            stderr_console().print(f"Warning: {finding}", markup=False)
        click.echo(emitted(document, kind), nl=False)
        return
    write_emitted(output, document, kind)
    emit(document, lambda: render(document), output=None, format_=format_)
    stderr_console().print(f"Written to {output}", markup=False)
