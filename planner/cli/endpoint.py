"""`planner endpoint`: a local SageMaker API for any AWS client."""

import contextlib
import logging
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from planner.cli.options import DURATION

if TYPE_CHECKING:
    from planner.jobs.endpoint import Execution, Quotas


def _counts(ctx: click.Context, param: click.Parameter, value: tuple[str, ...]) -> dict[str, int]:
    counts = {}
    for text in value:
        name, _, count = text.partition("=")
        if not name or not count.isdecimal():
            raise click.BadParameter(f"{text!r} is not TYPE=N, such as ml.m5.xlarge=4", ctx=ctx, param=param)
        counts[name] = int(count)
    return counts


def _rules(ctx: click.Context, param: click.Parameter, value: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    rules = []
    for text in value:
        image, _, server = text.partition("=")
        if not image or not server.strip():
            raise click.BadParameter(f"{text!r} is not NAME=COMMAND or NAME=model-dir", ctx=ctx, param=param)
        rules.append((image, server))
    return tuple(rules)


def _http_url(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    if value is not None:
        try:
            parts = urlsplit(value)
            is_usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            is_usable = False
        if not is_usable:
            raise click.BadParameter(f"{value!r} is no URL such as http://127.0.0.1:5000", ctx=ctx, param=param)
    return value


@click.command(
    "endpoint",
    epilog="""\b
Examples:
  planner endpoint --port 8123 --bucket-root buckets/ --image '*=model-dir'
  planner endpoint --s3-endpoint-url http://127.0.0.1:5000 --image 'my/image:1=python serve.py' --quota ml.m5.xlarge=4

\b
Then, with any credentials (signatures are not verified), for instance:
  aws sagemaker create-transform-job --endpoint-url http://127.0.0.1:8123 --cli-input-json file://job.json
  boto3.client("sagemaker", endpoint_url="http://127.0.0.1:8123", region_name="eu-west-1")

Serves CreateModel, DescribeModel, ListModels, DeleteModel, CreateTransformJob, DescribeTransformJob, ListTransformJobs
and StopTransformJob; everything is forgotten at the end. Ctrl-C stops all jobs and their containers. stdout has one
line: the port.""",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    show_default="0, a free one",
    help="Port on 127.0.0.1; no other address is served.",
)
@click.option(
    "--bucket-root",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="DIR",
    help="Folders stand for buckets: s3://bucket/key is DIR/bucket/key.",
)
@click.option(
    "--s3-endpoint-url",
    metavar="URL",
    callback=_http_url,
    help="An S3 server, with the credentials of the environment or else with stand-ins.",
)
@click.option(
    "--image",
    "images",
    multiple=True,
    metavar="NAME=SERVER",
    callback=_rules,
    help="What runs in place of a Model's Image, whose NAME may have wildcards: a command (its port is in "
    "SAGEMAKER_BIND_TO_PORT, the unpacked ModelDataUrl in SM_MODEL_DIR), or model-dir for the ModelDataUrl served by "
    "gunicorn, or a model folder or archive of this machine. Repeatable. [default: Docker runs the image]",
)
@click.option(
    "--quota",
    "quotas",
    multiple=True,
    metavar="TYPE=N",
    callback=_counts,
    help="Most instances of a type that running jobs may have, such as ml.m5.xlarge=4. Repeatable. [default: no limit]",
)
@click.option("--total-quota", type=click.IntRange(0), metavar="N", help="The same for all types together.")
@click.option(
    "--startup-delay",
    type=DURATION,
    default="0s",
    show_default=True,
    help="Between CreationTime and TransformStartTime, where the service takes minutes to provision.",
)
@click.option(
    "--startup-timeout",
    type=DURATION,
    default="120s",
    show_default=True,
    help="How long a container may take to answer /ping with 200. The service gives it 30 minutes.",
)
@click.option(
    "--network",
    is_flag=True,
    help="Let images that Docker runs reach the network, as the service does; other servers have it anyway.",
)
def command(
    *,
    port: int,
    bucket_root: Path | None,
    s3_endpoint_url: str | None,
    images: tuple[tuple[str, str], ...],
    quotas: dict[str, int],
    total_quota: int | None,
    startup_delay: float,
    startup_timeout: float,
    network: bool,
) -> None:
    """Serve a local SageMaker API whose transform jobs run for real, on this machine.

    Requests are checked as strictly as the service is documented to check them; jobs are run as by `planner run`, each
    instance a container, whatever its type: speed is this machine's. Objects come from and go to --bucket-root or
    --s3-endpoint-url as s3://OUTPUT/KEY.out, KEY being what follows the last '/' of the input prefix.
    """
    if (bucket_root is None) == (s3_endpoint_url is None):
        raise click.UsageError("Say where S3 is: exactly one of --bucket-root or --s3-endpoint-url.")
    from planner.jobs.endpoint import Execution, ImageRule, Quotas, StorageSettings

    execution = Execution(
        storage=StorageSettings(
            bucket_root=None if bucket_root is None else str(bucket_root.resolve()), s3_endpoint_url=s3_endpoint_url
        ),
        images=tuple(ImageRule(image=image, server=server) for image, server in images),
        startup_delay_s=startup_delay,
        container_startup_timeout_s=startup_timeout,
        network=network,
    )
    _serve(execution, Quotas(by_type=quotas, total=total_quota), port)


def _serve(execution: "Execution", quotas: "Quotas", port: int) -> None:
    from planner.jobs.endpoint import open_endpoint

    _log_to_stderr()
    with contextlib.ExitStack() as stack:
        try:
            server = stack.enter_context(open_endpoint(execution, quotas=quotas, port=port))
        except OSError as error:
            raise click.BadParameter(f"{port}: {error.strerror}", param_hint="--port") from error
        click.echo(server.port)
        where = execution.storage.bucket_root or execution.storage.s3_endpoint_url
        click.echo(
            f"SageMaker at http://127.0.0.1:{server.port}, S3 at {where}; Ctrl-C ends it and all jobs. For example:\n"
            f'  boto3.client("sagemaker", endpoint_url="http://127.0.0.1:{server.port}", region_name="us-east-1", '
            'aws_access_key_id="x", aws_secret_access_key="x")',
            err=True,
        )
        server.serve_forever()


def _log_to_stderr() -> None:
    """A line for each refusal, for each step of a job, and for what a job says at its end."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
    log = logging.getLogger("planner.endpoint")
    log.setLevel(logging.INFO)
    log.addHandler(handler)
