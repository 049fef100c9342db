"""Plan -> CreateTransformJob: a draft with placeholders for the plan, and the request with everything filled in."""

import copy
import hashlib
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final, Literal, TypeAlias

from planner.documents import Document, Json, planner_version, to_json
from planner.jobs.check import accepted
from planner.jobs.finding import LINES, Finding, RequestContext
from planner.jobs.rules import PLACEHOLDER
from planner.jobs.service_model import fields
from planner.planning.plan import Estimate, Goal, Plan, Workload
from planner.planning.space import Configuration

S3DataType: TypeAlias = Literal["S3Prefix", "ManifestFile"]

TAG_PREFIX: Final = "batch-transform-planner:"
TIMEOUT_SAFETY: Final = 4.0
"""InvocationsTimeoutInSeconds over the upper bound of the predicted 99th percentile of latency.

The largest of a job's thousands of latencies lies above the 99th percentile, and the job's machine is not the
profiled one. A time-out that is too short costs the job (the request is sent again, fails again, and its object is
lost); one that is too long only delays the discovery of a container that hangs."""
TIMEOUT_FLOOR_S: Final = 60
"""Least time-out: the first requests after the start also wait for what the server loads lazily."""
WORST_REQUEST_S: Final = 2400
"""Most seconds that one hopeless request may take with its retries: the service's defaults, 600 s x (1 + 3)."""

JOB_NAME_DRAFT: Final = f"{PLACEHOLDER}-JOB-NAME"
MODEL_NAME_DRAFT: Final = f"{PLACEHOLDER}-MODEL-NAME"
INPUT_URI_DRAFT: Final = f"s3://{PLACEHOLDER}-BUCKET/input/"
OUTPUT_URI_DRAFT: Final = f"s3://{PLACEHOLDER}-BUCKET/output/"
CONTENT_TYPE_DRAFT: Final = f"{PLACEHOLDER}-CONTENT-TYPE"


class TransformJobDocument(Document, frozen=True, kw_only=True, tag="transform_job"):
    """A CreateTransformJob request that has passed every check."""

    request: Json
    """Exactly what the API takes, and `aws sagemaker create-transform-job --cli-input-json` with it."""
    region: str
    """Where the plan's prices hold; not part of the request."""
    findings: tuple[Finding, ...]
    """Warnings: what is advised against or not known to work, and was let through."""
    plan_digest: str
    """sha256 of the plan document."""


def draft_request(goal: Goal, workload: Workload, configuration: Configuration, estimate: Estimate) -> Json:
    """The request that a configuration means, complete but for names and URIs, which are placeholders.

    The placeholders match the API's patterns, so that a draft passes every check but the one against placeholders.
    """
    accept = workload.accept or (workload.content_type if workload.content_type in LINES else None)
    draft: Json = {
        "TransformJobName": JOB_NAME_DRAFT,
        "ModelName": MODEL_NAME_DRAFT,
        "MaxConcurrentTransforms": configuration.max_concurrent_transforms,
        "MaxPayloadInMB": configuration.max_payload_mb,
        "ModelClientConfig": _client_config(estimate.latency_p99_s.high),
        "TransformInput": {
            "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": INPUT_URI_DRAFT}},
            "ContentType": workload.content_type or CONTENT_TYPE_DRAFT,
            "CompressionType": workload.compression_type,
            "SplitType": workload.split_type,
        },
        "TransformOutput": {
            "S3OutputPath": OUTPUT_URI_DRAFT,
            "AssembleWith": "Line" if workload.split_type == "Line" else "None",
        },
        "TransformResources": {
            "InstanceType": configuration.instance_type,
            "InstanceCount": configuration.instance_count,
        },
        "Tags": [
            {"Key": TAG_PREFIX + "version", "Value": planner_version()},
            {"Key": TAG_PREFIX + "objective", "Value": goal.objective},
        ],
    }
    if accept is not None:
        draft["TransformOutput"]["Accept"] = accept
    if workload.split_type != "None":
        draft["BatchStrategy"] = configuration.batch_strategy
    if configuration.environment:
        draft["Environment"] = dict(configuration.environment)
    return draft


def request(
    plan: Plan,
    *,
    model_name: str,
    input_uri: str,
    output_uri: str,
    job_name: str | None = None,
    s3_data_type: S3DataType = "S3Prefix",
    content_type: str | None = None,
    accept: str | None = None,
    output_kms_key: str | None = None,
    volume_kms_key: str | None = None,
    tags: Mapping[str, str] | None = None,
    now: datetime | None = None,
) -> TransformJobDocument:
    """The plan's job as a request that is ready to be sent, checked by botocore and by our own rules.

    job_name: default is the model's name and the UTC time, since a name is used up for good in an account and region.
    content_type and accept replace the plan's; tags join the planner's own. Raises RequestRejectedError.
    """
    digest = hashlib.sha256(to_json(plan).encode()).hexdigest()
    draft = plan.transform_job or draft_request(plan.goal, plan.workload, plan.configuration, plan.estimate)
    changes: Json = {
        "TransformJobName": job_name or default_job_name(model_name, now or datetime.now(UTC)),
        "ModelName": model_name,
        "TransformInput": {"DataSource": {"S3DataSource": {"S3DataType": s3_data_type, "S3Uri": input_uri}}},
        "TransformOutput": {"S3OutputPath": output_uri},
    }
    if content_type:
        changes["TransformInput"]["ContentType"] = content_type
    if accept or content_type in LINES:
        changes["TransformOutput"]["Accept"] = accept or content_type
    if output_kms_key:
        changes["TransformOutput"]["KmsKeyId"] = output_kms_key
    if volume_kms_key:
        changes["TransformResources"] = {"VolumeKmsKeyId": volume_kms_key}
    filled = _overlaid(draft, changes)
    filled["Tags"] = _retagged(filled.get("Tags", []), {TAG_PREFIX + "plan": digest, **(tags or {})})
    findings = accepted(filled, request_context(plan))
    return TransformJobDocument(request=filled, region=plan.goal.region, findings=findings, plan_digest=digest)


def request_context(plan: Plan) -> RequestContext:
    """What the plan knows of the input and of the container that its request does not say."""
    return RequestContext(
        largest_record_bytes=plan.workload.largest_record_bytes,
        objects=plan.workload.objects,
        latency_p99_s=plan.estimate.latency_p99_s.high,
    )


def _client_config(latency_p99_s: float) -> Json:
    timeout_s = invocations_timeout_s(latency_p99_s)
    return {
        "InvocationsTimeoutInSeconds": timeout_s,
        "InvocationsMaxRetries": invocations_max_retries(timeout_s),
    }


def invocations_timeout_s(latency_p99_s: float) -> int:
    """InvocationsTimeoutInSeconds for a 99th percentile of latency (its upper bound): TIMEOUT_SAFETY times that.

    Rounded up to a second, at least TIMEOUT_FLOOR_S, at most what the API takes (3600 s in botocore 1.44).
    """
    most = fields()["ModelClientConfig.InvocationsTimeoutInSeconds"].maximum
    assert most is not None
    return min(most, max(TIMEOUT_FLOOR_S, math.ceil(TIMEOUT_SAFETY * latency_p99_s)))


def invocations_max_retries(timeout_s: int) -> int:
    """InvocationsMaxRetries: as many as keep timeout x (1 + retries) within WORST_REQUEST_S, at least 1.

    A retry rescues a request from a worker that restarts, and with it the output of the whole object. It does not
    rescue a record that the model cannot digest, and then each retry is waited for and paid.
    """
    most = fields()["ModelClientConfig.InvocationsMaxRetries"].maximum
    assert most is not None
    return min(most, max(1, WORST_REQUEST_S // timeout_s - 1))


def default_job_name(model_name: str, now: datetime) -> str:
    """``<model name>-<UTC time>``, such as my-model-20260131-235959, cut to what a job name may have."""
    suffix = now.astimezone(UTC).strftime("-%Y%m%d-%H%M%S")
    most = fields()["TransformJobName"].maximum
    assert most is not None
    stem = re.sub(r"[^a-zA-Z0-9]+", "-", model_name).strip("-")[: most - len(suffix)].rstrip("-")
    return f"{stem or 'job'}{suffix}"


def _overlaid(base: Json, changes: Json) -> Json:
    """A copy of base with the changes laid over it, mapping by mapping; base itself stays as it was."""
    if not isinstance(base, dict) or not isinstance(changes, dict):
        return copy.deepcopy(changes)
    changed = {name: _overlaid(base.get(name), change) for name, change in changes.items()}
    return {**copy.deepcopy(base), **changed}


def _retagged(tags: Json, changes: Mapping[str, str]) -> Json:
    """The tags with some set anew; what is not a list of tags is left for the check to refuse."""
    if not isinstance(tags, list):
        return tags
    kept = [tag for tag in tags if not (isinstance(tag, dict) and tag.get("Key") in changes)]
    return kept + [{"Key": key, "Value": value} for key, value in changes.items()]
