"""A fixed plan and a request that no rule has anything against, which tests then change."""

import copy
from collections.abc import Callable
from typing import Any

from planner.catalogue.prices import Price
from planner.documents import replace
from planner.interval import Interval
from planner.jobs import draft_request
from planner.planning.plan import Estimate, Goal, Plan, Workload
from planner.planning.space import Configuration

GOAL = Goal(objective="cost", deadline_s=5400.0, region="eu-west-1", max_instance_count=8)
WORKLOAD = Workload(
    input="s3://bucket/in/",
    split_type="Line",
    compression_type="None",
    content_type="application/jsonlines",
    accept=None,
    objects=40,
    records=400_000,
    payload_bytes=2_000_000_000,
    largest_record_bytes=20_000,
    largest_object_records=11_000,
)
CONFIGURATION = Configuration(
    instance_type="ml.c5.2xlarge",
    instance_count=4,
    batch_strategy="MultiRecord",
    max_payload_mb=5,
    max_concurrent_transforms=8,
    environment={"SAGEMAKER_MODEL_SERVER_WORKERS": "8"},
)
ESTIMATE = Estimate(
    cost_usd=Interval(low=1.0, mid=1.2, high=1.5),
    makespan_s=Interval(low=1000.0, mid=1200.0, high=1500.0),
    billed_s=Interval(low=1100.0, mid=1350.0, high=1700.0),
    finish_s=Interval(low=1300.0, mid=1600.0, high=2100.0),
    startup_s=Interval(low=180.0, mid=300.0, high=480.0),
    requests=400,
    records_per_request=1000.0,
    records_per_full_request=1048,
    throughput_records_per_s=Interval(low=70.0, mid=83.0, high=100.0),
    latency_s=Interval(low=9.0, mid=12.0, high=15.0),
    latency_p99_s=Interval(low=14.0, mid=18.0, high=25.5),
    memory_bytes=None,
    busiest_instance_share=0.26,
    idle_instances=0,
    bottleneck="cpu",
    extrapolated=False,
    regime="inside what was measured",
    price=Price(
        instance_type="ml.c5.2xlarge",
        region="eu-west-1",
        usd_per_hour=0.461,
        basis="derived",
        source="an example",
        date="2026-01-01",
    ),
)


def draft(**workload: Any) -> Any:
    """The draft for the fixed plan, its workload changed."""
    return draft_request(GOAL, replace(WORKLOAD, **workload), CONFIGURATION, ESTIMATE)


PLAN = Plan(
    created_at="2026-01-31T12:00:00+00:00",
    planner_version="0.1.0",
    goal=GOAL,
    workload=WORKLOAD,
    configuration=CONFIGURATION,
    estimate=ESTIMATE,
    alternatives=(),
    rejections=(),
    pareto=(),
    candidates=1,
    assumptions=(),
    profile_digest="0" * 64,
    transform_job=draft(),
)

REQUEST: Any = {
    "TransformJobName": "score-20260101-000000",
    "ModelName": "my-model",
    "MaxConcurrentTransforms": 4,
    "MaxPayloadInMB": 6,
    "BatchStrategy": "MultiRecord",
    "ModelClientConfig": {"InvocationsTimeoutInSeconds": 600, "InvocationsMaxRetries": 1},
    "Environment": {"SAGEMAKER_MODEL_SERVER_WORKERS": "4"},
    "TransformInput": {
        "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://bucket/in/run1/"}},
        "ContentType": "text/csv",
        "CompressionType": "None",
        "SplitType": "Line",
    },
    "TransformOutput": {"S3OutputPath": "s3://bucket/out/run1/", "Accept": "text/csv", "AssembleWith": "Line"},
    "TransformResources": {"InstanceType": "ml.m5.xlarge", "InstanceCount": 2},
    "Tags": [{"Key": "team", "Value": "scoring"}],
}
"""Well-formed, with CSV in and out; no rule has anything against it."""

Change = Callable[[Any], None]


def changed(*changes: Change) -> Any:
    """A copy of REQUEST with the changes made."""
    request = copy.deepcopy(REQUEST)
    for change in changes:
        change(request)
    return request


def setting(path: str, value: object) -> Change:
    """The change that sets the field at a dotted path; None removes it."""

    def change(request: Any) -> None:
        *parents, name = path.split(".")
        for parent in parents:
            request = request.setdefault(parent, {})
        if value is None:
            request.pop(name, None)
        else:
            request[name] = value

    return change
