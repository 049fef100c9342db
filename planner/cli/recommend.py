"""`planner recommend`: profile + input + goal -> the cheapest configuration that meets the deadline."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from planner.cli.options import DURATION, OutputFormat, emit, output_options, stderr_console

if TYPE_CHECKING:
    from planner.interval import Interval
    from planner.records.dataset import Dataset

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


@click.command(
    "recommend",
    epilog="""\b
Examples:
  planner recommend --profile profile.json --input input/ --deadline 90m -o plan.json
  planner recommend --profile profile.json --records 50000000 --record-bytes 200 --objects 400 \\
      --deadline 2h --confidence 0.9 --instance-type 'ml.c*' --region eu-west-1
  planner recommend --profile profile.json --dataset dataset.json --objective time --budget 20

Times take units (90m, 1h30m, 45s). Nothing is sent to AWS; prices are those of the bundled catalogue, with their dates.
Nothing meets the constraints: exit code 60, with the nearest miss and what to relax.""",
)
@click.option(
    "--profile",
    "profile_path",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="What `planner profile` measured.",
)
@click.option(
    "--dataset",
    "dataset_path",
    type=click.Path(dir_okay=False, path_type=Path),
    help="What `planner inspect` found in the input.",
)
@click.option("--input", "input_", metavar="DIR", help="The input itself; inspected first.")
@click.option("--records", type=click.IntRange(min=1), help="Describe the input: how many records in all.")
@click.option("--record-bytes", type=click.IntRange(min=1), help="... bytes of each, delimiter included.")
@click.option("--objects", type=click.IntRange(min=1), help="... in how many objects of equal size.")
@click.option(
    "--split-type",
    type=click.Choice(["None", "Line", "RecordIO", "TFRecord"]),
    help="How objects divide into records, for --input and --records. [default: the profile's]",
)
@click.option("--repeat", type=click.IntRange(min=1), default=1, show_default=True, help="Take the input N times over.")
@click.option("--deadline", type=DURATION, help="Longest time from creating the job to its end, such as 90m.")
@click.option(
    "--confidence",
    type=click.FloatRange(min=0.5, max=1, max_open=True),
    default=0.95,
    show_default=True,
    help="Probability with which deadline and budget are to be met.",
)
@click.option("--budget", type=click.FloatRange(min=0, min_open=True), help="Most the job may cost, in US dollars.")
@click.option("--region", default="us-east-1", show_default=True, help="Whose prices.")
@click.option(
    "--instance-type",
    "instance_types",
    multiple=True,
    metavar="GLOB",
    help="Only these types, such as 'ml.c7i.*'; repeatable. [default: all]",
)
@click.option(
    "--max-instance-count",
    type=click.IntRange(min=1, max=100),
    default=100,
    show_default=True,
    help="Most instances: the API's limit, or your quota.",
)
@click.option(
    "--objective",
    type=click.Choice(["cost", "time"]),
    default="cost",
    show_default=True,
    help="cost: cheapest that meets the deadline. time: fastest within the budget.",
)
@click.option(
    "--startup",
    type=_Interval(),
    help="Time from creating the job to its first request: 5m, or low,mid,high as 3m,5m,8m. "
    "[default: 3 to 8 minutes, from public job logs, and the container's measured start]",
)
@click.option(
    "--workload-class",
    type=click.Choice(WORKLOAD_CLASSES),
    default="unknown",
    show_default=True,
    help="Which public benchmarks tell how fast other types run this container.",
)
@output_options
def command(
    *,
    profile_path: Path,
    dataset_path: Path | None,
    input_: str | None,
    records: int | None,
    record_bytes: int | None,
    objects: int | None,
    split_type: Any,
    repeat: int,
    deadline: float | None,
    budget: float | None,
    startup: "Interval | None",
    output: Path | None,
    format_: OutputFormat,
    **goal: Any,
) -> None:
    """Find the cheapest configuration that meets the deadline, exactly.

    Every instance type, instance count, batch strategy, MaxPayloadInMB (of 2**20 bytes) and MaxConcurrentTransforms
    that the API allows is decided. Prints the choice with 90 % intervals, the arithmetic to check it by hand, the
    runners-up, and why likely first guesses lost.
    """
    from planner.documents import read_document
    from planner.jobs.planned import recommend
    from planner.profiling.profile import Profile

    profile = read_document(profile_path, Profile)
    dataset = _dataset(
        dataset_path, input_, (records, record_bytes, objects), split_type or profile.payload.split_type, repeat
    )
    stderr_console().print(
        f"{profile_path} on {dataset.input}: {dataset.records:,} records in {dataset.object_count:,} objects",
        markup=False,
    )
    # The remaining options carry the names of recommend's own parameters.
    plan = recommend(
        profile,
        dataset,
        deadline_s=deadline,
        budget_usd=budget,
        startup_s=startup,
        repeat=repeat,
        **goal,
    )

    def rendered() -> Any:
        from planner.report.plan import render

        return render(plan)

    emit(plan, rendered, output=output, format_=format_)


def _dataset(
    path: Path | None, source: str | None, numbers: tuple[int | None, ...], split_type: Any, repeat: int
) -> "Dataset":
    """The input, from whichever of its three descriptions was given."""
    from planner.documents import read_document
    from planner.records.dataset import Dataset
    from planner.records.layout import describe, repeated
    from planner.records.scan import inspect

    if sum((path is not None, source is not None, any(number is not None for number in numbers))) != 1:
        raise click.UsageError(
            "Say what the input is: exactly one of --dataset, --input, or --records with --record-bytes and --objects."
        )
    if path is not None:
        found = read_document(path, Dataset)
    elif source is not None:
        found = inspect(source, split_type=split_type)
    else:
        records, record_bytes, objects = numbers
        if records is None or record_bytes is None or objects is None:
            raise click.UsageError("--records, --record-bytes and --objects go together.")
        found = describe(records, record_bytes, objects, split_type=split_type)
    return repeated(found, repeat)
