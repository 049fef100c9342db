"""`planner profile`: measure a model container here."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from planner.cli.options import (
    CONTAINER_CHOICE,
    COUNT_LIST,
    DURATION,
    SPLIT_TYPES,
    OutputFormat,
    emit,
    measured_container_options,
    opened_container,
    output_options,
    stderr_console,
)
from planner.cli.profile_options import (
    PLAN_CHOICE,
    asked_plan,
    at_asked_speed,
    plan_options,
    speed_option,
    tuning_options,
)
from planner.cli.session_progress import shown_progress
from planner.documents import refuse_unwritable

if TYPE_CHECKING:
    from rich.console import RenderableType

    from planner.container.contract import Container


def content_type_of(payload: Path) -> str:
    """The content type that the suffix stands for. Raises click.UsageError when it stands for none."""
    from planner.records.content_type import CONTENT_TYPES, content_type_by_suffix

    found = content_type_by_suffix(payload.name)
    if found is None:
        raise click.UsageError(
            f"Say --content-type: the suffix of {payload.name} does not tell it (known suffixes: "
            f"{', '.join(CONTENT_TYPES)})."
        )
    return found


def _resolved(
    container: "Container",
    cpus: tuple[float, ...],
    workers: tuple[int, ...],
    *,
    payload: Path,
    content_type: str,
    split_type: str,
    time_budget: float,
) -> str:
    """What is about to be measured, in one line."""
    from planner.units import show_bytes, show_seconds

    about = container.description
    counts = workers or ((about.workers,) if about.workers is not None else ())
    limits = [
        " and ".join(f"{limit:g}" for limit in cpus) + " CPU" if cpus else "all CPUs",
        *([show_bytes(about.limits.memory_bytes)] if about.limits.memory_bytes is not None else []),
        *([" and ".join(map(str, counts)) + " workers"] if counts else []),
    ]
    return (
        f"Profiling {about.backend} {about.target} ({', '.join(limits)}) with {payload} "
        f"({content_type}, SplitType {split_type}) for {show_seconds(time_budget)}"
    )


@click.command(
    "profile",
    epilog="""\b
Examples:
  planner profile my-image:1 --model-dir model.tar.gz --payload sample.csv --cpus 2 --memory 4g -o profile.json
  planner profile --model-dir model.tar.gz --payload sample.jsonl -o profile.json
  planner profile --model-dir model/ --payload sample.csv --cpus 1 --env OMP_NUM_THREADS=1 -o profile.json
  planner profile --model-dir model/ --payload sample.csv --cpus 1,2 --workers 1,2,4 -o profile.json
  planner profile --command "python serve.py" --payload images/ --split-type None --content-type image/jpeg
  planner profile --model-dir model/ --payload sample.csv --tune OMP_NUM_THREADS=1,2 \\
      --tune SAGEMAKER_MODEL_SERVER_WORKERS=1:8 -o profile.json
  planner profile --model-dir model/ --payload sample.csv --dataset dataset.json --deadline 90m -o profile.json
  planner profile --model-dir model/ --payload sample.csv --compare old.json -o new.json
  planner profile --url http://127.0.0.1:8080 --payload sample.jsonl --records-per-request 1,64 --concurrency 1,2,4

A session that was interrupted is gone on from by the same command with --resume.""",
)
@measured_container_options
@click.option(
    "--payload",
    type=click.Path(path_type=Path),
    required=True,
    metavar="FILE|DIR",
    help="Sample of real input: a file of records, or a folder of files. Some thousand typical records are best; "
    "requests are cut from it in turn.",
)
@click.option("--content-type", help="MIME type of the records. Default: from the suffix (.jsonl, .csv, .json).")
@click.option("--accept", help="MIME type to ask the container for. Default: no Accept header.")
@click.option(
    "--split-type",
    type=click.Choice(SPLIT_TYPES),
    default="Line",
    show_default=True,
    help="What a record is: a line, a RecordIO or TFRecord frame, or (None) a whole file.",
)
@click.option(
    "--time-budget",
    type=DURATION,
    default="60s",
    show_default=True,
    help="Time under load, shared out over the points, from when the container is ready.",
)
@click.option(
    "--records-per-request",
    type=COUNT_LIST,
    help="Measure these sizes only. Default: chosen on the way, from 1 to what fits into 6 MiB.",
)
@click.option(
    "--concurrency",
    type=COUNT_LIST,
    help="Measure these numbers of requests in flight only. Default: chosen on the way, from 1 to 4 per worker, and "
    "on by doubling while that is better.",
)
@tuning_options
@plan_options
@click.option(
    "--compare",
    "old_path",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="OLD",
    help="Measure the points of this profile again and say what changed beyond noise. Refused before measuring unless "
    "it is of the same image, sample and kind of CPU. -o gets the new profile; stdout the comparison.",
)
@click.option(
    "--rebuilt",
    is_flag=True,
    help="With --compare: the container may have been rebuilt, that is have other content under the same name.",
)
@speed_option
@click.option("--resume", is_flag=True, help="Go on from the points that the --output file of a killed session holds.")
@output_options
def command(
    *,
    payload: Path,
    content_type: str | None,
    old_path: Path | None,
    rebuilt: bool,
    time_budget: float,
    tune: "dict[str, tuple[str, ...]]",
    tune_trials: int,
    usual_speed: bool,
    output: Path | None,
    format_: OutputFormat,
    **others: Any,
) -> None:
    """Measure a model container on this machine.

    The container is started, checked against the hosting contract with one and two records, and put under load with
    a fixed number of requests in flight, as Batch Transform does. Payload sizes and concurrencies are chosen on the
    way by what they tell about the best one: the highest throughput here or, with --dataset, the cheapest plan; the
    last two points measured are those about to be recommended. Then the largest body that is accepted is looked for.
    The profile keeps throughput with its 90 % interval, every latency, CPU seconds, memory and what is suspicious.

    With several --cpus or --workers the container is started again for each other one and measured at four points;
    the time is shared as points are, 16 to 4.

    IMAGE is run by Docker as the service runs it: `docker run IMAGE serve`, the model read-only in /opt/ml/model. It
    has to be on the engine (DOCKER_HOST, or this machine's): nothing is pulled.
    """
    _check_usage(others, tune=tune, compares=old_path is not None, rebuilt=rebuilt, output=output)
    if output is not None:
        refuse_unwritable(output)
    container_choice = {name: others.pop(name) for name in CONTAINER_CHOICE}
    question = asked_plan({name: others.pop(name) for name in PLAN_CHOICE})
    content_type = content_type or content_type_of(payload)
    cpus, workers = container_choice.pop("cpus") or (), others.pop("workers") or ()

    def open_at(limit: float | None, more: "Mapping[str, str]") -> "Container":
        return opened_container(**{**container_choice, "cpus": limit, "env": {**container_choice["env"], **more}})

    def open_container(more: "Mapping[str, str]") -> "Container":
        return open_at(max(cpus, default=None), more)

    container = open_container({})
    console = stderr_console()
    told = _resolved(
        container,
        cpus,
        workers,
        payload=payload,
        content_type=content_type,
        split_type=others["split_type"],
        time_budget=time_budget,
    )
    console.print(told, markup=False)
    session = {
        "payload": payload,
        "content_type": content_type,
        "time_budget_s": time_budget,
        "output": output,
        **others,
    }
    with shown_progress(console) as progress:
        session["progress"] = progress
        if old_path is not None:
            _compared(old_path, container, {**session, "rebuilt": rebuilt}, format_, usual_speed=usual_speed)
            return
        if tune:
            from planner.campaign.tuned import profile_tuned

            document = profile_tuned(open_container, tune, trials=tune_trials, question=question, **session)
        elif len(cpus) > 1 or workers:
            from planner.campaign.across import profile_across

            document = profile_across(open_at, cpus=cpus, workers=workers, question=question, **session)
        else:
            from planner.campaign.profiler import profile

            document = profile(container, question=question, **session)
    document = at_asked_speed(document, usual_speed=usual_speed)

    def rendered() -> "RenderableType":
        from planner.report.profile import render

        return render(document)

    emit(document, rendered, output=output, format_=format_)


def _check_usage(
    others: dict[str, Any], *, tune: dict[str, Any], compares: bool, rebuilt: bool, output: Path | None
) -> None:
    """Raise click.UsageError for options that do not go together."""
    if others["resume"] and output is None:
        raise click.UsageError("--resume needs --output, the file that the killed session was writing.")
    if tune and output is None:
        raise click.UsageError("--tune needs --output: the settings tried are kept in a journal beside it.")
    if tune and others["url"] is not None:
        raise click.UsageError("--tune restarts the container, which a server at --url does not allow.")
    several = len(others["cpus"] or ()) > 1 or others["workers"]
    if several and (tune or compares):
        raise click.UsageError(
            "--tune and --compare measure one CPU limit and worker count at a time; leave --workers out and give "
            "--cpus one number."
        )
    if rebuilt and not compares:
        raise click.UsageError("--rebuilt goes with --compare.")
    if compares and (tune or others["dataset_path"] or others["records_per_request"] or others["concurrency"]):
        raise click.UsageError(
            "--compare measures the points of the old profile; leave out --tune, --dataset, --records-per-request and "
            "--concurrency."
        )


def _compared(
    old_path: Path, container: "Container", session: dict[str, Any], format_: OutputFormat, *, usual_speed: bool
) -> None:
    """Measure the old profile's points again and show what changed."""
    from planner.campaign.compare import profile_again
    from planner.documents import read_document, write_document
    from planner.profiling.profile import Profile

    old = read_document(old_path, Profile)
    new, comparison = profile_again(container, old, str(old_path), **session)

    def rendered() -> "RenderableType":
        from planner.report.profile_comparison import render

        return render(comparison)

    emit(comparison, rendered, output=None, format_=format_)
    new = at_asked_speed(new, usual_speed=usual_speed)
    if session["output"] is not None:
        write_document(session["output"], new)
        stderr_console().print(f"The new profile is written to {session['output']}", markup=False)
