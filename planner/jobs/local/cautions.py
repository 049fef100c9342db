"""What a user should know of a run that ended well: where it is not the job, and where the job will disappoint."""

from collections.abc import Sequence
from typing import Final

from planner.container.contract import Container
from planner.container.cpus import available_cpus
from planner.jobs.local.run_document import InstanceRow, ObjectRow
from planner.jobs.local.settings import EffectiveSettings, JobSettings
from planner.planning.plan import Plan
from planner.records.pack import ANY_SIZE_MB

_NOTABLE_SHARE: Final = 0.05
"""Of the machine's CPU time: less is not much above what two runs of a job differ by."""
_SHORTEST_JUDGED_S: Final = 1.0
"""Makespan below which nothing is said of the runner's share: such a run is mostly its beginning and its end."""


def instance_cautions(
    settings: JobSettings, objects: int, container: Container, crowded: str | None
) -> tuple[str, ...]:
    """What is doubtful before anything starts: instances that share, idle, or are one and the same server."""
    warnings = [crowded] if crowded else []
    if settings.max_payload_mb == ANY_SIZE_MB and settings.batch_strategy != "SingleRecord":
        warnings.append(
            "MaxPayloadInMB 0: each object is taken to be one request, whatever SplitType says, and is held in memory "
            "here while it is under way; what the service does with a SplitType then is not documented."
        )
    if settings.instance_count > objects:
        warnings.append(
            f"{settings.instance_count} instances for {objects} {'object' if objects == 1 else 'objects'}, which are "
            f"never divided: {settings.instance_count - objects} would idle and be billed, and are not started here."
        )
    if settings.instance_count > 1 and container.description.backend == "url":
        warnings.append("all instances are the one server at that URL: it gets the requests of all of them.")
    return tuple(warnings)


def runner_share(instances: Sequence[InstanceRow], client_cpu_s: float, makespan_s: float) -> float | None:
    """CPUs' worth of time that the runner took from the containers; None where a CPU was left to it, or nothing ran.

    It is its own CPU time alone: what more frequent changes of context cost the containers is not in it.
    """
    here = set(available_cpus())
    taken = {cpu for row in instances for cpu in (here if row.cpu_set is None else row.cpu_set)}
    return client_cpu_s / makespan_s if instances and makespan_s and here <= taken else None


def sharing_cautions(instances: Sequence[InstanceRow], client_cpu_s: float, makespan_s: float) -> tuple[str, ...]:
    """Whether the runner had to take CPU time from the containers, where that is more than a few per cent of it."""
    share, cpus = runner_share(instances, client_cpu_s, makespan_s), len(available_cpus())
    if share is None or share < _NOTABLE_SHARE * cpus or makespan_s < _SHORTEST_JUDGED_S:
        return ()
    said = (
        f"the containers have all {cpus} CPUs of this machine, and the runner took {share:.2f} CPUs' worth of their "
        "time: the job is slower here than where it has a CPU to itself, by much where requests are short."
    )
    return (said,)


def run_cautions(
    plan: Plan | None,
    used: EffectiveSettings | None,
    rows: Sequence[ObjectRow],
    *,
    retried: int,
    blank_lines: int,
) -> tuple[str, ...]:
    """What only the run could show."""
    warnings = []
    if used is not None and (product := used.max_concurrent_transforms * used.max_payload_mb) > 100:
        warnings.append(
            f"MaxConcurrentTransforms x MaxPayloadInMB is {product} MB with what the container asks for; above "
            "100 MB the service's reaction is not documented. Set both."
        )
    if retried:
        sent_again = "1 request was" if retried == 1 else f"{retried:,} requests were"
        warnings.append(f"{sent_again} sent again: in the job each costs its time once more.")
    if blank_lines:
        warnings.append(
            f"{blank_lines:,} {'answer ends' if blank_lines == 1 else 'answers end'} with a line break already and "
            "AssembleWith Line adds one to each, as the service does: the outputs have blank lines. Answer without the "
            "last line break, or use AssembleWith None."
        )
    whole = all(row.state != "failed" for row in rows)
    if plan is not None and whole and plan.estimate.requests != sum(row.requests for row in rows):
        warnings.append(
            f"the plan expects {plan.estimate.requests:,} requests of {plan.workload.records:,} records: "
            "it was made for another input or other settings."
        )
    return tuple(warnings)
