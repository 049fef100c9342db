"""The command line: parse, one library call, render. Only this room prints and exits."""

import signal
import sys
from difflib import get_close_matches
from importlib import import_module
from types import FrameType
from typing import Final, NoReturn

import click

from planner.documents import planner_version
from planner.errors import PlannerError

_COMMANDS: Final = (
    "demo",
    "inspect",
    "reshard",
    "profile",
    "predict",
    "place",
    "recommend",
    "explain",
    "compare",
    "simulate",
    "request",
    "run",
    "endpoint",
    "instances",
    "prices",
)
"""One module of this package each, in the order that a job goes through them."""

INTERRUPTED_EXIT_CODE: Final = 130
"""What a shell reports for a program that Ctrl-C ended (128 + SIGINT)."""


class _Commands(click.Group):
    """The commands, each imported when it is asked for, so that `planner --help` and typing errors are instant."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        if cmd_name not in _COMMANDS:
            return None
        command = import_module(f"planner.cli.{cmd_name}").command
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            nearest = get_close_matches(args[0], _COMMANDS, n=1)
            if not nearest:
                raise
            raise click.UsageError(f"{error.message} Did you mean {nearest[0]!r}?", ctx) from error


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="""\b
The usual way:
  planner profile --model-dir model.tar.gz --payload sample.jsonl -o profile.json
  planner inspect input/ -o dataset.json
  planner recommend --profile profile.json --dataset dataset.json --deadline 90m -o plan.json
  planner request plan.json --model-name my-model --input-uri s3://bucket/in/ --output-uri s3://bucket/out/

Everything runs on this machine; nothing reaches AWS and nothing is spent.
`planner demo` shows the whole way on a bundled model.""",
)
@click.version_option(planner_version(), prog_name="planner")
def root() -> None:
    """Plan SageMaker Batch Transform jobs.

    Measure a model container here, find the cheapest instance type, count, payload size and concurrency that
    meet a deadline, and get the CreateTransformJob request for it.
    """


def _end_on_sigterm(_signal: int, _frame: FrameType | None) -> NoReturn:
    """Let `kill` unwind like Ctrl-C, so that containers are stopped and temporary files removed."""
    raise KeyboardInterrupt


def main() -> NoReturn:
    """Run the command line and exit: the one place that does."""
    signal.signal(signal.SIGTERM, _end_on_sigterm)
    try:
        root.main(standalone_mode=False)
    except PlannerError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort) as interruption:
        notes = getattr(interruption.__cause__ or interruption, "__notes__", ())  # click raises its own from Python's
        click.echo(" ".join(filter(None, ("Interrupted. Nothing was left running.", *notes))), err=True)
        sys.exit(INTERRUPTED_EXIT_CODE)
    except BrokenPipeError:
        # The reader of our stdout (head, less) has left: not an error, and nothing more can be written there.
        sys.stderr.close()
        sys.exit(0)
    sys.exit(0)
