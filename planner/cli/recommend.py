"""`planner recommend`: profile + input + goal -> the cheapest configuration that meets the deadline; or many jobs."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from planner.cli.options import SIZE, OutputFormat, emit, output_options, stderr_console
from planner.cli.planning_options import also_option, goal_options, input_options, search_options, terms_options

if TYPE_CHECKING:
    from planner.records.dataset import Dataset


@click.command(
    "recommend",
    epilog="""\b
Examples:
  planner recommend --profile profile.json --input input/ --deadline 90m -o plan.json
  planner recommend --profile profile.json --records 50000000 --record-bytes 200 --objects 400 \\
      --deadline 2h --confidence 0.9 --instance-type 'ml.c*' --region eu-west-1
  planner recommend --profile profile.json --dataset dataset.json --objective time --budget 20
  planner recommend --profile profile.json --dataset dataset.json --price ml.m5.xlarge=0.19 --savings-plan 20 \\
      --quota ml.c7i.xlarge=4 --runs-per-month 30 --csv plan.csv
  planner recommend --profile profile.json --input input/ --deadline 2h --reshard
  planner recommend --profile profile.json --dataset dataset.json --strategy optuna --trials 500 --seed 1
  planner recommend --jobs night.csv --quota ml.c7i.xlarge=8 --total-quota 20 -o capacity.json

\b
--jobs is CSV with a heading, or a JSON list of objects, one row per job:
  name, profile, deadline    and either dataset, or records, record_bytes and objects
  start, region              optional: earliest start; whose prices
start and deadline are times on one clock that all jobs share (0, 90m, 8h). Files are found from the table's folder.

Times take units (90m, 1h30m, 45s). Nothing is sent to AWS; prices are those of the bundled catalogue, with their dates.
Nothing meets the constraints: exit code 60, with the nearest miss and what to relax.""",
)
@click.option(
    "--profile",
    "profile_path",
    type=click.Path(dir_okay=False, path_type=Path),
    help="What `planner profile` measured.",
)
@also_option
@input_options
@goal_options
@search_options
@terms_options
@click.option(
    "--csv",
    "csv_path",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the choice, what lost, the front and every type's best to this file too, for a spreadsheet.",
)
@click.option(
    "--model-size",
    type=SIZE,
    help="Of the model archive, such as 12g, for the 30 GB volume. [default: the profiled one's, if still here]",
)
@click.option(
    "--jobs",
    "jobs_path",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Plan many jobs together under the quotas they share: see below.",
)
@click.option("--total-quota", type=click.IntRange(min=1), help="Most instances at once over all types, with --jobs.")
@output_options
def command(
    *,
    profile_path: Path | None,
    jobs_path: Path | None,
    csv_path: Path | None,
    total_quota: int | None,
    startup: Any,
    savings_plan: float,
    output: Path | None,
    format_: OutputFormat,
    **given: Any,
) -> None:
    """Find the cheapest configuration that meets the deadline, exactly.

    Every instance type, instance count, batch strategy, MaxPayloadInMB (of 2**20 bytes) and MaxConcurrentTransforms
    that the API allows is decided; of settings that nothing can tell apart, the simplest is taken. Prints the choice
    with 90 % intervals, the arithmetic to check it by hand, the runners-up, and why likely first guesses lost.
    """
    terms = {
        "startup_s": startup,
        "savings_plan": savings_plan / 100,
        **{name: given.pop(name) for name in ("region", "instance_types", "max_instance_count", "quotas", "prices")},
        **{name: given.pop(name) for name in ("workload_class", "confidence")},
    }
    if jobs_path is not None:
        _refuse_beside_jobs(profile_path, csv_path)
        _many(jobs_path, total_quota, terms, output, format_)
        return
    if profile_path is None:
        raise click.UsageError("Say what was measured: --profile for one job, or --jobs for a table of them.")
    if total_quota is not None:
        raise click.UsageError("--total-quota goes with --jobs; one job has --max-instance-count.")
    of_optuna = [name for name in ("trials", "seed") if given[name] is not None]
    if of_optuna and given["strategy"] != "optuna":
        raise click.UsageError(f"--{of_optuna[0]} goes with --strategy optuna; the exact search has none.")
    _one(profile_path, terms, given, csv_path=csv_path, output=output, format_=format_)


def _one(
    profile_path: Path,
    terms: dict[str, Any],
    given: dict[str, Any],
    *,
    csv_path: Path | None,
    output: Path | None,
    format_: OutputFormat,
) -> None:
    from planner.documents import read_document
    from planner.jobs.planned import recommend
    from planner.profiling.profile import Profile

    profile = read_document(profile_path, Profile)
    numbers = (given["records"], given["record_bytes"], given["objects"])
    split_type = given["split_type"] or profile.payload.split_type
    dataset = _dataset(given["dataset_path"], given["input_"], numbers, split_type, given["repeat"])
    stderr_console().print(
        f"{profile_path} on {dataset.input}: {dataset.records:,} records in {dataset.object_count:,} objects",
        markup=False,
    )
    plan = recommend(
        profile,
        dataset,
        deadline_s=given["deadline"],
        budget_usd=given["budget"],
        objective=given["objective"],
        runs_per_month=given["runs_per_month"],
        repeat=given["repeat"],
        model_bytes=given["model_size"],
        also=tuple(read_document(path, Profile) for path in given["also"]),
        layouts=given["layouts"],
        strategy=given["strategy"],
        **{name: given[name] for name in ("trials", "seed") if given[name] is not None},
        **terms,
    )

    def rendered() -> Any:
        from planner.report.plan import render

        return render(plan)

    if csv_path is not None:
        from planner.report.spreadsheet import write_plans

        write_plans(csv_path, {"": plan})
    emit(plan, rendered, output=output, format_=format_)


def _refuse_beside_jobs(profile_path: Path | None, csv_path: Path | None) -> None:
    """Raises click.UsageError for options that say of one job what the table says of each."""
    of_input = (
        "dataset_path",
        "input_",
        "records",
        "record_bytes",
        "objects",
        "split_type",
        "repeat",
        "model_size",
        "also",
    )
    of_goal = ("deadline", "budget", "objective", "runs_per_month", "layouts", "strategy", "trials", "seed")
    source, default = click.get_current_context().get_parameter_source, click.core.ParameterSource.DEFAULT
    beside = [name for name in (*of_input, *of_goal) if source(name) is not default]
    beside += ["profile"] * (profile_path is not None) + ["csv"] * (csv_path is not None)
    if beside:
        option = {"layouts": "reshard"}.get(beside[0], beside[0].removesuffix("_path").removesuffix("_"))
        option = option.replace("_", "-")
        raise click.UsageError(f"--{option} is for one job; with --jobs, the table says it of each.")


def _many(
    path: Path, total_quota: int | None, terms: dict[str, Any], output: Path | None, format_: OutputFormat
) -> None:
    from planner.jobs.request import draft_request
    from planner.planning.capacity import recommend_jobs
    from planner.planning.job_table import read_jobs

    jobs = read_jobs(path, region=terms.pop("region"))
    plan = recommend_jobs(jobs, total_quota=total_quota, emit=draft_request, **terms)

    def rendered() -> Any:
        from planner.report.capacity import render

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
