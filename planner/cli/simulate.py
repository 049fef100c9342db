"""`planner simulate`: a plan's job played out many times."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from planner.cli.options import (
    DURATION,
    OutputFormat,
    container_options,
    emit,
    instance_opener,
    output_options,
    refuse_unclear_container,
    stderr_console,
)

if TYPE_CHECKING:
    from planner.jobs.sharing import SideBySide
    from planner.jobs.simulation.document import Simulation
    from planner.jobs.simulation.here import JobHere
    from planner.planning.plan import Plan
    from planner.profiling.profile import Profile
    from planner.records.dataset import Dataset


@click.command(
    "simulate",
    epilog="""\b
Examples:
  planner simulate plan.json --profile profile.json --dataset dataset.json --deadline 90m
  planner simulate plan.json --worlds 5000 --random-assignment 1 --record-failure-rate 1e-6
  planner simulate plan.json --profile profile.json --dataset dataset.json --here --instance-count 2
  planner simulate plan.json --profile p.json --dataset d.json --here --command "python serve.py" --payload rows.jsonl

Drawn anew in every world: the error of model and hardware speed (one for the whole job), a difference from
instance to instance, every request's service time, start-up, and which object goes to which instance. The same
--seed gives the same numbers, but for --here, which first tries the containers and the runner on this machine for some
ten seconds: the containers themselves where one is named and --payload gives records, else stand-ins that take the
profile's CPU time, and so cannot see that the machine has become slower. The container's options go with --here only.
A profile that is not the plan's: exit code 40; another dataset: 11.""",
)
@click.argument("plan_path", metavar="PLAN", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--profile",
    "profile_path",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The profile that the plan was made from, for its latency samples. [default: the plan's own figures]",
)
@click.option(
    "--dataset",
    "dataset_path",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The objects and their sizes, as `planner inspect` wrote them; not needed where the plan's input was "
    "described by numbers.",
)
@click.option("--repeat", type=click.IntRange(min=1), help="Take the dataset N times over. [default: as in the plan]")
@click.option("--worlds", type=click.IntRange(min=2), default=1000, show_default=True, help="How often it is played.")
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Of the random draws.")
@click.option("--deadline", type=DURATION, help="Time from creating the job to its end. [default: the plan's]")
@click.option("--budget", type=click.FloatRange(min=0, min_open=True), help="US dollars. [default: the plan's]")
@click.option(
    "--random-assignment",
    type=click.FloatRange(min=0, max=1),
    default=0.25,
    show_default=True,
    help="Share of worlds in which each object falls on a random instance, as a hash of its key would have it; in the "
    "others objects are dealt in key order. Which of the two the service does is not documented.",
)
@click.option(
    "--record-failure-rate",
    type=click.FloatRange(min=0, max=1, max_open=True),
    metavar="P",
    help="Chance of a record to be bad, such as 1e-6: its object then loses its whole output.",
)
@click.option("--here", is_flag=True, help="Play it on the profiled host instead: what `planner run` would take.")
@click.option("--instance-count", type=click.IntRange(min=1), help="With --here: containers. [default: the plan's]")
@click.option(
    "--payload",
    "sample",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="With --here and a container: a file of records to try it with, such as the profile's.",
)
@click.option(
    "--closes-connections",
    is_flag=True,
    help="With --here and no container: the server ends its connection with each answer, as those with synchronous "
    "workers do; `planner run` shows how many it opened, the profile does not know.",
)
@container_options
@output_options
def command(
    *,
    plan_path: Path,
    profile_path: Path | None,
    dataset_path: Path | None,
    repeat: int | None,
    here: bool,
    output: Path | None,
    format_: OutputFormat,
    deadline: float | None,
    budget: float | None,
    random_assignment: float,
    **options: Any,
) -> None:
    """Play out a plan's job many times: how its finish time and its cost are distributed.

    PLAN is what `planner recommend` wrote; IMAGE goes with --here. Prints quantiles, the probability of meeting
    deadline and budget, how busy each instance is, what idle instances cost, and with --record-failure-rate what bad
    records are expected to cost.
    """
    from planner.documents import read_document
    from planner.jobs.simulation.simulate import simulate
    from planner.planning.plan import Plan
    from planner.profiling.profile import Profile
    from planner.report.simulation import render

    played = {name: options.pop(name) for name in ("worlds", "seed")}
    played["record_failure_rate"] = options.pop("record_failure_rate")
    on_aws = {"budget": budget, "random_assignment": random_assignment}
    _refuse(on_aws if here else options, "Not with --here" if here else "Only with --here")
    plan = read_document(plan_path, Plan)
    profile = None if profile_path is None else read_document(profile_path, Profile)
    dataset = _dataset(dataset_path, plan.workload.repeat if repeat is None else repeat)
    stderr_console().print(f"{plan_path}: playing {played['worlds']:,} worlds, seed {played['seed']}", markup=False)
    if here:
        found = _here(plan, profile, dataset, deadline_s=deadline, played=played, **options)
    else:
        found = simulate(
            plan,
            profile=profile,
            dataset=dataset,
            deadline_s=deadline,
            budget_usd=budget,
            random_assignment=random_assignment,
            **played,
        )
    emit(found, lambda: render(found), output=output, format_=format_)


def _refuse(options: Iterable[str], when: str) -> None:
    """Raise click.UsageError if any of these options is given."""
    context = click.get_current_context()
    given = {name for name in options if context.get_parameter_source(name) is ParameterSource.COMMANDLINE}
    if given:
        named = [parameter for parameter in context.command.params if parameter.name in given]
        names = [one.human_readable_name if isinstance(one, click.Argument) else one.opts[0] for one in named]
        raise click.UsageError(f"{when}: {', '.join(names)}.")


def _dataset(path: Path | None, repeat: int) -> "Dataset | None":
    from planner.documents import read_document
    from planner.records.dataset import Dataset
    from planner.records.layout import repeated

    return None if path is None else repeated(read_document(path, Dataset), repeat)


def _here(
    plan: "Plan",
    profile: "Profile | None",
    dataset: "Dataset | None",
    *,
    instance_count: int | None,
    sample: Path | None,
    closes_connections: bool,
    deadline_s: float | None,
    played: dict[str, Any],
    **container: Any,
) -> "Simulation":
    """The plan's payload and concurrency on the profiled host."""
    from planner.jobs.simulation.here import JobHere
    from planner.jobs.simulation.simulate import simulate_here

    if profile is None or dataset is None:
        raise click.UsageError("--here needs --profile, measured on this host, and --dataset.")
    chosen = plan.configuration
    job = JobHere(
        batch_strategy=chosen.batch_strategy,
        max_payload_mb=chosen.max_payload_mb,
        max_concurrent_transforms=chosen.max_concurrent_transforms,
        instance_count=chosen.instance_count if instance_count is None else instance_count,
        cpus=container["cpus"],
    )
    cost = _tried(profile, dataset, job, container, sample=sample, keeps_connections=not closes_connections)
    return simulate_here(profile, dataset, job, side_by_side=cost, deadline_s=deadline_s, **played)


def _tried(
    profile: "Profile",
    dataset: "Dataset",
    job: "JobHere",
    container: dict[str, Any],
    *,
    sample: Path | None,
    keeps_connections: bool,
) -> "SideBySide | None":
    """What containers and runner do here, by the container that the options name, or by stand-ins."""
    from planner.jobs.simulation.here import side_by_side_here, tried_here

    if sample is None:
        if any(container[name] is not None for name in ("image", "model_dir", "command_line", "url")):
            raise click.UsageError("To try the container, give sample records: --payload FILE.")
        stderr_console().print("measuring with stand-ins what containers and runner cost each other here", markup=False)
        return side_by_side_here(profile, dataset, job, keeps_connections=keeps_connections)
    refuse_unclear_container(**container)
    stderr_console().print(f"trying the container here with {sample}", markup=False)
    return tried_here(
        profile,
        dataset,
        job,
        instance_opener(container),
        sample,
        memory_bytes=container["memory"],
        environment={**profile.container.environment, **container["env"]},
    )
