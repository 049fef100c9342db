"""What a user should know of a run that ended well: where it is not the job, and where the job will disappoint."""

from collections.abc import Sequence

from planner.container.contract import Container
from planner.jobs.local.run_document import ObjectRow
from planner.jobs.local.settings import EffectiveSettings, JobSettings
from planner.planning.plan import Plan


def instance_cautions(
    settings: JobSettings, objects: int, container: Container, crowded: str | None
) -> tuple[str, ...]:
    """What is doubtful before anything starts: instances that share, idle, or are one and the same server."""
    warnings = [crowded] if crowded else []
    if settings.instance_count > objects:
        warnings.append(
            f"{settings.instance_count} instances for {objects} {'object' if objects == 1 else 'objects'}, which are "
            f"never divided: {settings.instance_count - objects} would idle and be billed, and are not started here."
        )
    if settings.instance_count > 1 and container.description.backend == "url":
        warnings.append("all instances are the one server at that URL: it gets the requests of all of them.")
    return tuple(warnings)


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
        warnings.append(f"{retried:,} requests were sent again: in the job each costs its time once more.")
    if blank_lines:
        warnings.append(
            f"{blank_lines:,} answers end with a line break already and AssembleWith Line adds one to each, as the "
            "service does: the outputs have blank lines. Answer without the last line break, or use AssembleWith None."
        )
    whole = all(row.state != "failed" for row in rows)
    if plan is not None and whole and plan.estimate.requests != sum(row.requests for row in rows):
        warnings.append(
            f"the plan expects {plan.estimate.requests:,} requests of {plan.workload.records:,} records: "
            "it was made for another input or other settings."
        )
    return tuple(warnings)
