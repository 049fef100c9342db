"""Options that say what is planned, for what, and under which terms: shared by one job and a table of jobs."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from planner.cli.options import DURATION, SPLIT_TYPES

if TYPE_CHECKING:
    from planner.interval import Interval

C = TypeVar("C", bound=Callable[..., Any])

WORKLOAD_CLASSES = ("unknown", "scalar", "fp_simd", "int8_dnn", "mem_bandwidth")
"""Those of `planner.performance.hardware`, spelt out because importing it would make `--help` wait for numpy."""


class _Interval(click.ParamType["Interval"]):
    """``5m`` or ``3m,5m,8m`` -> an interval in seconds."""

    name = "low,mid,high"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> "Interval":
        from planner.interval import Interval
        from planner.units import parse_seconds

        if isinstance(value, Interval):
            return value
        try:
            times = [parse_seconds(part) for part in value.split(",")]
            if len(times) == 1:
                return Interval.exactly(times[0])
            low, mid, high = times
            return Interval(low=low, mid=mid, high=high)
        except ValueError as error:
            self.fail(f"{value!r}: {error}; give one time such as 5m, or three, ascending: 3m,5m,8m", param, ctx)


def _numbers(number: Callable[[str], float], example: str) -> Callable[..., dict[str, Any]]:
    """A callback that turns repeated TYPE=NUMBER into a mapping; the number must not be negative."""

    def parse(ctx: click.Context, param: click.Parameter, value: tuple[str, ...]) -> dict[str, Any]:
        found = {}
        for text in value:
            name, _, digits = text.partition("=")
            try:
                found[name] = number(digits)
                valid = bool(name) and 0 <= found[name] < float("inf")
            except ValueError:
                valid = False
            if not valid:
                raise click.BadParameter(f"{text!r} is not TYPE=NUMBER such as {example}", ctx=ctx, param=param)
        return found

    return parse


def input_options(command: C) -> C:
    """Add the options that describe the input of one job."""
    options = [
        click.option(
            "--dataset",
            "dataset_path",
            type=click.Path(dir_okay=False, path_type=Path),
            help="What `planner inspect` found in the input.",
        ),
        click.option("--input", "input_", metavar="DIR", help="The input itself; inspected first."),
        click.option("--records", type=click.IntRange(min=1), help="Describe the input: how many records in all."),
        click.option("--record-bytes", type=click.IntRange(min=1), help="... bytes of each, delimiter included."),
        click.option("--objects", type=click.IntRange(min=1), help="... in how many objects of equal size."),
        click.option(
            "--split-type",
            type=click.Choice(SPLIT_TYPES),
            help="How objects divide into records, for --input and --records. [default: the profile's]",
        ),
        click.option(
            "--repeat", type=click.IntRange(min=1), default=1, show_default=True, help="Take the input N times over."
        ),
    ]
    return _added(command, options)


def goal_options(command: C) -> C:
    """Add what is wished for."""
    options = [
        click.option("--deadline", type=DURATION, help="Longest time from creating the job to its end, such as 90m."),
        click.option(
            "--confidence",
            type=click.FloatRange(min=0.5, max=1, max_open=True),
            default=0.95,
            show_default=True,
            help="Probability with which deadline and budget are to be met.",
        ),
        click.option(
            "--budget", type=click.FloatRange(min=0, min_open=True), help="Most the job may cost, in US dollars."
        ),
        click.option(
            "--objective",
            type=click.Choice(["cost", "time"]),
            default="cost",
            show_default=True,
            help="cost: cheapest that meets the deadline. time: fastest within the budget.",
        ),
        click.option(
            "--runs-per-month",
            type=click.FloatRange(min=0, min_open=True),
            help="The job recurs so often: adds the cost of a month.",
        ),
    ]
    return _added(command, options)


def search_options(command: C) -> C:
    """Add how the space of one job is searched, and whether over the input's layout too."""
    options = [
        click.option(
            "--reshard",
            "layouts",
            is_flag=True,
            help="Decide the input's layout too: as it is, or first cut into 10 to 1000 equal objects by "
            "`planner reshard`. Without it, a better layout is only pointed out.",
        ),
        click.option(
            "--strategy",
            type=click.Choice(["exact", "optuna"]),
            default="exact",
            show_default=True,
            help="exact: every configuration is decided, the optimum proved. optuna: a sample of the same space.",
        ),
        click.option("--trials", type=click.IntRange(min=1), help="Of --strategy optuna. [default: 300]"),
        click.option("--seed", type=click.IntRange(min=0), help="... the same seed gives the same plan. [default: 0]"),
    ]
    return _added(command, options)


def terms_options(command: C) -> C:
    """Add what may be bought and how, and what is known better than by default."""
    options = [
        click.option("--region", default="us-east-1", show_default=True, help="Whose prices."),
        click.option(
            "--instance-type",
            "instance_types",
            multiple=True,
            metavar="GLOB",
            help="Only these types, such as 'ml.c7i.*'; repeatable. [default: all]",
        ),
        click.option(
            "--max-instance-count",
            type=click.IntRange(min=1, max=100),
            default=100,
            show_default=True,
            help="Most instances of one job: the API's limit, or yours.",
        ),
        click.option(
            "--quota",
            "quotas",
            multiple=True,
            metavar="TYPE=N",
            callback=_numbers(int, "ml.c7i.xlarge=8"),
            help="Most instances of a type: Service Quotas, 'for transform job usage'; repeatable.",
        ),
        click.option(
            "--price",
            "prices",
            multiple=True,
            metavar="TYPE=USD",
            callback=_numbers(float, "ml.c7i.xlarge=0.19"),
            help="Your price of an instance-hour instead of the catalogue's; repeatable.",
        ),
        click.option(
            "--savings-plan",
            type=click.FloatRange(min=0, max=100, max_open=True),
            default=0.0,
            metavar="PERCENT",
            help="Taken off every price of the catalogue, not off those of --price.",
        ),
        click.option(
            "--startup",
            type=_Interval(),
            help="Time from creating the job to its first request: 5m, or low,mid,high as 3m,5m,8m. "
            "[default: 3 to 8 minutes, from public job logs, and the container's measured start]",
        ),
        workload_class_option,
    ]
    return _added(command, options)


def workload_class_option(command: C) -> C:
    """Add which public benchmarks tell of other hardware."""
    return click.option(
        "--workload-class",
        type=click.Choice(WORKLOAD_CLASSES),
        help="Which public benchmarks tell how fast other types run this container. [default: inferred from the "
        "model's files if they are here as they were profiled, else unknown, which is widest]",
    )(command)


def also_option(command: C) -> C:
    """Add profiles from other machines."""
    return click.option(
        "--also",
        multiple=True,
        metavar="PROFILE",
        type=click.Path(dir_okay=False, path_type=Path),
        help="A profile of the same container and sample from another machine, such as an EC2 instance of the type in "
        "mind: sharpens how fast other types are; repeatable.",
    )(command)


def _added(command: C, options: list[Callable[[Any], Any]]) -> C:
    for option in reversed(options):
        command = option(command)
    return command
