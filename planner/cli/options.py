"""What several commands share: where results go, which container, values with units."""

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import click

from planner.documents import Document, to_json, write_document
from planner.units import parse_bytes, parse_seconds

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from planner.container.contract import Container, Limits

C = TypeVar("C", bound=Callable[..., Any])
OutputFormat = Literal["text", "json"]


class _Duration(click.ParamType[float]):
    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, (int, float)):
            return float(value)
        try:
            return parse_seconds(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class _Size(click.ParamType[int]):
    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        try:
            return parse_bytes(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class _CountList(click.ParamType[tuple[int, ...]]):
    name = "n,n,..."

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        if isinstance(value, tuple):
            return value
        try:
            counts = tuple(sorted({int(part) for part in value.split(",")}))
        except ValueError:
            self.fail(f"{value!r} is not a list of whole numbers such as 1,16,256", param, ctx)
        if counts[0] < 1:
            self.fail(f"{counts[0]} is below 1", param, ctx)
        return counts


class _CpuList(click.ParamType[tuple[float, ...]]):
    name = "n,n,..."

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[float, ...]:
        if isinstance(value, tuple):
            return value
        try:
            limits = tuple(sorted({float(part) for part in value.split(",")}))
        except ValueError:
            self.fail(f"{value!r} is not a number of CPUs or a list of them such as 0.5,1,2", param, ctx)
        if not limits[0] > 0 or not math.isfinite(limits[-1]):
            self.fail(f"{value!r}: a container needs more than 0 CPUs", param, ctx)
        return limits


SPLIT_TYPES = ("None", "Line", "RecordIO", "TFRecord")
COMPRESSION_TYPES = ("None", "Gzip")
"""Those of `planner.records.dataset`, spelt out because importing it would make `--help` wait for numpy."""

PIPED_WIDTH = 120
"""Columns of text output that does not go to a terminal."""

DURATION = _Duration()
"""``90m``, ``1h30m``, ``45s``, ``3600`` (bare numbers are seconds) -> seconds."""
SIZE = _Size()
"""``2g``, ``512m``, ``6MiB`` -> bytes."""
COUNT_LIST = _CountList()
"""``1,16,256`` -> ascending tuple of distinct counts."""

CPU_LIST = _CpuList()
"""``2`` or ``0.5,1,2`` -> ascending tuple of distinct CPU limits."""
CPUS_HELP = (
    "CPUs the container may use. It is pinned to a whole number; a fraction is a quota on top, which halts it within "
    "each 100 ms, and takes an IMAGE or root on Linux."
)


def stderr_console() -> "Console":
    """The console for everything that is not the result: progress, warnings, what was resolved.

    Sentences are folded for a terminal only: a log keeps one to a line, to be searched.
    """
    from rich.console import Console

    console = Console(stderr=True, highlight=False)
    return console if console.is_terminal else Console(stderr=True, highlight=False, soft_wrap=True)


def stdout_console() -> "Console":
    """The console for results; wide enough for their tables where stdout is a file or a pipe."""
    from rich.console import Console

    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=PIPED_WIDTH)


def output_options(command: C) -> C:
    """Add ``-o/--output`` and ``--format`` to a command."""
    command = click.option(
        "-o",
        "--output",
        type=click.Path(dir_okay=False, path_type=Path),
        help="Write the result document (JSON) to this file, whole or not at all.",
    )(command)
    return click.option(
        "--format",
        "format_",
        type=click.Choice(["text", "json"]),
        default="text",
        show_default=True,
        help="What stdout shows: text for people, or the JSON document.",
    )(command)


def emit(
    document: Document, rendered: "Callable[[], RenderableType]", *, output: Path | None, format_: OutputFormat
) -> None:
    """Write the document where it was asked for, and show it on stdout as text or JSON."""
    if output is not None:
        write_document(output, document)
    if format_ == "json":
        click.echo(to_json(document), nl=False)
    else:
        stdout_console().print(rendered())
    if output is not None:
        stderr_console().print(f"Written to {output}", markup=False)


def _pairs(ctx: click.Context, param: click.Parameter, value: tuple[str, ...] | None) -> dict[str, str]:
    pairs = {}
    for text in value or ():
        name, equals, rest = text.partition("=")
        if not equals or not name:
            raise click.BadParameter(f"{text!r} is not NAME=VALUE", ctx=ctx, param=param)
        pairs[name] = rest
    return pairs


def pair_option(*names: str, help_: str) -> Callable[[C], C]:
    """A repeatable NAME=VALUE option that arrives as a dict."""
    return click.option(*names, multiple=True, metavar="NAME=VALUE", callback=_pairs, help=help_)


def container_options(command: C) -> C:
    """Add the argument and options that say which container to use: `CONTAINER_CHOICE`, for `opened_container`."""
    return _container_options(
        command, click.option("--cpus", type=click.FloatRange(min=0, min_open=True), help=CPUS_HELP)
    )


def measured_container_options(command: C) -> C:
    """The same where several CPU limits and worker counts may be listed: `cpus` is a tuple then, and `workers` too."""
    workers = click.option(
        "--workers",
        type=COUNT_LIST,
        help="Worker processes to measure with, by the variable that sets them: most points with the container's own "
        "number (else the nearest to it), a few with each other one.",
    )
    cpus = click.option(
        "--cpus",
        type=CPU_LIST,
        help=f"{CPUS_HELP} Of a list such as 0.5,1,2 the largest gets most points and each other one a few, from "
        "which the model learns how throughput grows with CPUs.",
    )
    return _container_options(workers(command), cpus)


def _container_options(command: C, cpus: Callable[[C], C]) -> C:
    options: list[Callable[[C], C]] = [
        click.argument("image", required=False),
        click.option(
            "--model-dir",
            type=click.Path(path_type=Path),
            metavar="DIR|model.tar.gz",
            help="With IMAGE: the model that it finds in /opt/ml/model. Alone: a SageMaker model archive or directory "
            "with inference.py (model_fn, input_fn, predict_fn, output_fn), served here by gunicorn. Needs the [serve] "
            "extra.",
        ),
        click.option(
            "--command",
            "command_line",
            metavar='"CMD"',
            help="A command that starts a server; it is told its port in SAGEMAKER_BIND_TO_PORT.",
        ),
        click.option("--url", help="A server that already runs, such as http://127.0.0.1:8080."),
        pair_option("--env", help_="Environment variable for the container; repeatable."),
        click.option(
            "--network",
            is_flag=True,
            help="Let an IMAGE reach the network; without it only this machine is reached from inside.",
        ),
        cpus,
        click.option("--memory", type=SIZE, help="Memory the container may use, such as 2g."),
        click.option(
            "--startup-timeout",
            type=DURATION,
            default="120s",
            show_default=True,
            help="How long the container may take to answer /ping with 200.",
        ),
    ]
    for option in reversed(options):
        command = option(command)
    return command


CONTAINER_CHOICE = (
    "image",
    "model_dir",
    "command_line",
    "url",
    "env",
    "network",
    "cpus",
    "memory",
    "startup_timeout",
)
"""Keyword arguments that a command gets from `container_options`."""


def refuse_unclear_container(
    *, image: str | None, model_dir: Path | None, command_line: str | None, url: str | None, network: bool, **_: Any
) -> None:
    """Raise click.UsageError unless exactly one container is named."""
    own_model = model_dir if image is None else None
    if sum(way is not None for way in (image, own_model, command_line, url)) != 1:
        raise click.UsageError(
            "Say which container: exactly one of IMAGE (with or without a --model-dir to mount), --model-dir, "
            "--command or --url."
        )
    if network and image is None:
        raise click.UsageError("--network is for an IMAGE.")


def opened_container(
    *,
    image: str | None,
    model_dir: Path | None,
    command_line: str | None,
    url: str | None,
    env: dict[str, str],
    network: bool,
    cpus: float | None,
    memory: int | None,
    startup_timeout: float,
    limits: "Limits | None" = None,
) -> "Container":
    """The container that the options name, not yet started; `limits` stand for those of the options.

    Raises click.UsageError unless exactly one is named.
    """
    refuse_unclear_container(image=image, model_dir=model_dir, command_line=command_line, url=url, network=network)
    from planner.container import open_container
    from planner.container.contract import Limits

    return open_container(
        image=image,
        model_dir=model_dir,
        command=command_line,
        url=url,
        environment=env,
        limits=limits or Limits(cpus=cpus, memory_bytes=memory),
        startup_timeout_s=startup_timeout,
        network=network,
    )


def instance_opener(options: Mapping[str, Any]) -> "Callable[[Mapping[str, str], Limits], Container]":
    """Makes the container of one instance; a server that already runs is left where it is."""

    def open_instance(environment: "Mapping[str, str]", limits: "Limits") -> "Container":
        own = {} if options["url"] is not None else {"limits": limits}
        return opened_container(**{**options, "env": dict(environment), **own})

    return open_instance
