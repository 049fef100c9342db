"""Checking a CreateTransformJob request before anything sees it: three layers, all findings at once."""

from planner.documents import Json
from planner.errors import RequestRejectedError
from planner.jobs.finding import Fields, Finding, RequestContext
from planner.jobs.rules import RULES
from planner.jobs.service_model import model_findings, validator_findings


def check_request(request: Json, context: RequestContext | None = None) -> tuple[Finding, ...]:
    """Everything that is wrong or doubtful about a request; without an error among it, it may be sent.

    First botocore's validator, then what the service model says beyond it, then the rules between fields. Rules
    about the input, the network or the algorithm are silent unless the context knows them.
    """
    known = context or RequestContext()
    findings = [*validator_findings(request), *model_findings(request)]
    for rule in RULES:
        findings += rule(Fields(request), known)
    return tuple(findings)


def accepted(request: Json, context: RequestContext | None = None) -> tuple[Finding, ...]:
    """The warnings about a request. Raises RequestRejectedError with every error when there is one."""
    findings = check_request(request, context)
    errors = [finding for finding in findings if finding.severity == "error"]
    if errors:
        count = "1 error" if len(errors) == 1 else f"{len(errors)} errors"
        listed = "".join(f"\n  - {finding}" for finding in errors)
        raise RequestRejectedError(f"the CreateTransformJob request has {count}:{listed}", [str(e) for e in errors])
    return findings
