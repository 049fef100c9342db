"""Options of `planner profile` that say what the points are chosen for, and which settings are tried."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from planner.cli.options import DURATION

if TYPE_CHECKING:
    from planner.campaign.deciding import Question
    from planner.profiling.profile import Profile

C = TypeVar("C", bound=Callable[..., Any])

PLAN_CHOICE = ("dataset_path", "deadline", "budget", "region", "instance_types", "objective")
"""Keyword arguments that a command gets from `plan_options`."""


def plan_options(command: C) -> C:
    """Add the options that make the points those of a plan: `PLAN_CHOICE`, for `asked_plan`."""
    options = [
        click.option(
            "--dataset",
            "dataset_path",
            type=click.Path(dir_okay=False, path_type=Path),
            help="What `planner inspect` found in the input: points are then chosen for the cheapest plan for it.",
        ),
        click.option("--deadline", type=DURATION, help="... that ends within this time, such as 90m."),
        click.option(
            "--budget", type=click.FloatRange(min=0, min_open=True), help="... that costs at most so many USD."
        ),
        click.option("--region", help="... at this region's prices. [default: us-east-1]"),
        click.option(
            "--instance-type", "instance_types", multiple=True, metavar="GLOB", help="... on these types; repeatable."
        ),
        click.option(
            "--objective", type=click.Choice(["cost", "time"]), help="... the cheapest, or the fastest. [default: cost]"
        ),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def asked_plan(choice: dict[str, Any]) -> "Question | None":
    """The question that the points are chosen for; None without --dataset."""
    path, deadline = choice.pop("dataset_path"), choice.pop("deadline")
    budget = choice.pop("budget")
    goal = {name: value for name, value in choice.items() if value}
    if path is None:
        if goal or deadline is not None or budget is not None:
            raise click.UsageError("--deadline, --budget and what else describes a plan need --dataset.")
        return None
    from functools import partial

    from planner.documents import read_document
    from planner.planning.recommend import recommend
    from planner.records.dataset import Dataset

    dataset = read_document(path, Dataset)
    return partial(recommend, dataset=dataset, deadline_s=deadline, budget_usd=budget, **goal)


def _spaces(ctx: click.Context, param: click.Parameter, value: tuple[str, ...] | None) -> dict[str, tuple[str, ...]]:
    space = {}
    for text in value or ():
        from planner.campaign.knobs import parse_values

        name, equals, values = text.partition("=")
        if not equals or not name:
            raise click.BadParameter(f"{text!r} is not NAME=1,2,4 or NAME=1:8", ctx=ctx, param=param)
        try:
            space[name] = parse_values(values)
        except ValueError as error:
            raise click.BadParameter(f"{text!r}: {error}", ctx=ctx, param=param) from error
    return space


def tuning_options(command: C) -> C:
    """Add ``--tune`` and ``--tune-trials``."""
    command = click.option(
        "--tune-trials",
        type=click.IntRange(min=1),
        default=16,
        show_default=True,
        help="Settings to try at most; a smaller space is tried whole, a larger one searched (TPE).",
    )(command)
    return click.option(
        "--tune",
        multiple=True,
        metavar="NAME=1,2,4|NAME=1:8",
        callback=_spaces,
        help="Environment variable to find the best value of, by restarting the container with each setting and "
        "loading it for a tenth of the time budget; repeatable. The profile is then measured under the best setting. "
        "Goes on after a kill with --resume.",
    )(command)


def speed_option(command: C) -> C:
    """Add ``--usual-speed/--this-speed``, for `at_asked_speed`."""
    return click.option(
        "--usual-speed/--this-speed",
        "usual_speed",
        default=True,
        show_default=True,
        help="Let predictions bring the rates to the mean speed that this machine's CPUs had in your sessions of 30 "
        "days with this container, sample and limits, or leave them at this session's: a shared machine is faster "
        "in some minutes than in others. Speeds are kept in core-speeds.jsonl in your state folder "
        "(XDG_STATE_HOME/batch-transform-planner).",
    )(command)


def at_asked_speed(profile: "Profile", *, usual_speed: bool) -> "Profile":
    """The profile, with the usual speed of the CPUs unless that is not wanted."""
    if not usual_speed:
        return profile
    from platformdirs import user_state_path

    from planner.campaign.usual_speed import with_usual_speed

    return with_usual_speed(profile, user_state_path("batch-transform-planner") / "core-speeds.jsonl")
