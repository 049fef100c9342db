"""The settings that a command line or a caller means: from a plan, a request, or fields by hand."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from planner.container.cpus import available_cpus
from planner.documents import Json, parse_document, replace
from planner.errors import ContainerLimitError, DocumentError, InputMissingError
from planner.jobs.finding import LINES
from planner.jobs.local.settings import JobSettings, settings_of
from planner.jobs.request import TransformJobDocument, draft_request
from planner.jobs.rules import PLACEHOLDER
from planner.planning.plan import Plan
from planner.records.listing import Listing
from planner.records.warn import compression_of, content_type_of


class Asked(NamedTuple):
    """A job as it was asked for."""

    settings: JobSettings
    plan: Plan | None
    """The plan that it comes from, where it comes from one."""
    notes: tuple[str, ...]
    """What was taken for granted."""


def read_request(path: Path) -> tuple[Json, Plan | None]:
    """The CreateTransformJob request in a file, and the plan around it if there is one.

    The file is a plan document, a transform_job document, or the bare request. Raises InputMissingError, DocumentError.
    """
    try:
        content = path.read_bytes()
        found = json.loads(content)
    except OSError as error:
        raise InputMissingError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        fault = f"not JSON: {error}" if content.strip() else "is empty"
        raise DocumentError(
            f"{path}: {fault}. Expected a plan, a transform_job document or a CreateTransformJob request: copy it or "
            "make it again"
        ) from error
    kind = found.get("kind") if isinstance(found, dict) else None
    if kind == "plan":
        plan = parse_document(content, Plan, str(path))
        draft = draft_request(plan.goal, plan.workload, plan.configuration, plan.estimate)
        return plan.transform_job or draft, plan
    if kind == "transform_job":
        return parse_document(content, TransformJobDocument, str(path)).request, None
    if not isinstance(found, dict) or "TransformInput" not in found:
        raise DocumentError(f"{path}: neither a plan, nor a transform_job document, nor a CreateTransformJob request.")
    return found, None


def asked_for(listing: Listing, *, plan: Path | None, fields: dict[str, Any], environment: dict[str, str]) -> Asked:
    """The settings of the job: the plan's or request's, or the defaults by hand, with the given fields laid over them.

    By hand, SplitType is Line, AssembleWith follows it, ContentType and CompressionType follow from the objects'
    suffixes, and Accept is ContentType where that is CSV or JSON Lines. Fields that are None are not given.

    Raises ContainerLimitError when a plan's instances outnumber the CPUs here and no count was given.
    """
    given = {name: value for name, value in fields.items() if value is not None}
    notes: tuple[str, ...] = ()
    known_plan = None
    if plan is not None:
        request, known_plan = read_request(plan)
        settings = settings_of(request)
        if (settings.content_type or "").startswith(PLACEHOLDER):
            settings = replace(settings, content_type=None)
        _refuse_crowd(settings.instance_count, explicit="instance_count" in given)
    else:
        compression, notes = compression_of(listing, given.get("compression_type"))
        split = given.get("split_type", "Line")
        settings = JobSettings(compression_type=compression, assemble_with="Line" if split == "Line" else "None")
        settings = replace(settings, split_type=split)
    settings = replace(settings, **given, environment={**settings.environment, **environment})
    if settings.content_type is None:
        content_type, more = content_type_of(listing, None)
        settings, notes = replace(settings, content_type=content_type), (*notes, *more)
    if settings.accept is None and settings.content_type in LINES:
        settings = replace(settings, accept=settings.content_type)
    try:  # changing a value does not check it
        return Asked(msgspec.convert(msgspec.to_builtins(settings), JobSettings), known_plan, notes)
    except msgspec.ValidationError as error:
        raise DocumentError(f"the settings cannot be run: {error}") from error


def _refuse_crowd(instance_count: int, *, explicit: bool) -> None:
    cpus = len(available_cpus())
    if instance_count > cpus and not explicit:
        raise ContainerLimitError(
            f"{instance_count} instances are more than the {cpus} CPUs of this machine. Give --instance-count: up to "
            f"{cpus} for instances with CPUs of their own, {instance_count} to crowd them all together."
        )
