"""The job: its request, and running it."""

from planner.jobs.check import accepted, check_request
from planner.jobs.emit import EmitKind, emitted, write_emitted
from planner.jobs.finding import Finding, RequestContext
from planner.jobs.request import S3DataType, TransformJobDocument, draft_request, request

__all__ = [
    "EmitKind",
    "Finding",
    "RequestContext",
    "S3DataType",
    "TransformJobDocument",
    "accepted",
    "check_request",
    "draft_request",
    "emitted",
    "request",
    "write_emitted",
]
