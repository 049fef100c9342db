import json
import re
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.documents import parse_document, replace, to_json
from planner.errors import RequestRejectedError
from planner.interval import Interval
from planner.jobs import TransformJobDocument, check_request, draft_request, request
from planner.jobs.request import (
    TIMEOUT_SAFETY,
    default_job_name,
    invocations_max_retries,
    invocations_timeout_s,
)
from planner.jobs.service_model import fields
from tests.jobs.examples import CONFIGURATION, ESTIMATE, GOAL, PLAN, draft

GOLDEN = Path(__file__).parent / "golden" / "transform_job.json"
NOW = datetime(2026, 1, 31, 23, 59, 59, tzinfo=UTC)


def planned(plan: Any = PLAN, **changes: Any) -> TransformJobDocument:
    given_ = {"model_name": "my-model", "input_uri": "s3://bucket/in/", "output_uri": "s3://bucket/out/", "now": NOW}
    return request(plan, **{**given_, **changes})


def test_the_request_for_the_fixed_plan_is_the_stored_one() -> None:
    document = planned(tags={"team": "scoring"})
    made = document.request
    (digest,) = [tag["Value"] for tag in made["Tags"] if tag["Key"] == "batch-transform-planner:plan"]
    assert digest == document.plan_digest
    # The version and the digest change with every release and every field of the plan; all else must not.
    for tag in made["Tags"]:
        if tag["Key"].rpartition(":")[2] in ("plan", "version"):
            tag["Value"] = "..."
    assert made == json.loads(GOLDEN.read_text())


def test_a_draft_has_no_error_but_its_placeholders() -> None:
    errors = {(f.rule, f.path) for f in check_request(draft()) if f.severity == "error"}
    assert errors == {
        ("placeholder", "TransformJobName"),
        ("placeholder", "ModelName"),
        ("placeholder", "TransformInput.DataSource.S3DataSource.S3Uri"),
        ("placeholder", "TransformOutput.S3OutputPath"),
    }


def test_a_plan_that_does_not_know_the_content_type_asks_for_it() -> None:
    plan = replace(PLAN, transform_job=draft(content_type=None))
    with pytest.raises(RequestRejectedError, match=r"ContentType: 'REPLACE-WITH-CONTENT-TYPE' is a placeholder"):
        planned(plan)
    made = planned(plan, content_type="text/csv").request
    assert made["TransformInput"]["ContentType"] == "text/csv"
    assert made["TransformOutput"]["Accept"] == "text/csv"


def test_whole_objects_have_no_batch_strategy_and_are_not_assembled_by_line() -> None:
    made = draft(split_type="None", content_type="image/png", accept="application/json")
    assert "BatchStrategy" not in made
    assert made["TransformOutput"]["AssembleWith"] == "None"
    assert made["TransformOutput"]["Accept"] == "application/json"


def test_a_plan_without_a_draft_is_drafted_anew() -> None:
    assert planned(replace(PLAN, transform_job={})).request["MaxPayloadInMB"] == CONFIGURATION.max_payload_mb


def test_filling_in_leaves_the_plan_as_it_was() -> None:
    before = to_json(PLAN)
    planned(tags={"a": "b"}, output_kms_key="alias/out", volume_kms_key="alias/volume")
    assert to_json(PLAN) == before


def test_every_option_reaches_its_field() -> None:
    made = planned(
        job_name="job-1",
        s3_data_type="ManifestFile",
        input_uri="s3://bucket/in.manifest",
        content_type="text/csv",
        accept="text/csv; header=absent",
        output_kms_key="alias/out",
        volume_kms_key="alias/volume",
        tags={"batch-transform-planner:objective": "mine"},
    ).request
    assert made["TransformJobName"] == "job-1"
    assert made["TransformInput"]["DataSource"]["S3DataSource"] == {
        "S3DataType": "ManifestFile",
        "S3Uri": "s3://bucket/in.manifest",
    }
    assert made["TransformInput"]["ContentType"] == "text/csv"
    assert made["TransformOutput"]["Accept"] == "text/csv; header=absent"
    assert made["TransformOutput"]["KmsKeyId"] == "alias/out"
    assert made["TransformResources"]["VolumeKmsKeyId"] == "alias/volume"
    assert [t["Value"] for t in made["Tags"] if t["Key"].endswith(":objective")] == ["mine"]


def test_every_fault_of_the_names_and_uris_is_reported_at_once() -> None:
    with pytest.raises(RequestRejectedError) as caught:
        planned(model_name="my model", input_uri="/in", output_uri="bucket/out", job_name="a_b", tags={"": "x"})
    assert len(caught.value.findings) == 5
    assert caught.value.exit_code == 70


def test_a_bad_model_name_is_one_fault_and_not_also_one_of_the_default_job_name() -> None:
    with pytest.raises(RequestRejectedError) as caught:
        planned(model_name="my_model")
    (finding,) = caught.value.findings
    assert finding.startswith("ModelName: 'my_model' does not match")


def test_the_plan_lends_what_the_request_cannot_know() -> None:
    big = replace(PLAN, workload=replace(PLAN.workload, largest_record_bytes=6 * 2**20, objects=3))
    with pytest.raises(RequestRejectedError, match="R2"):
        planned(big)
    few = replace(PLAN, workload=replace(PLAN.workload, objects=3))
    (finding,) = planned(few).findings
    assert finding.message.startswith("4 instances for 3 objects: 1 would be idle")


def test_a_prefix_that_matches_neighbours_is_a_warning_in_the_document() -> None:
    document = planned(input_uri="s3://bucket/in")
    assert [f.rule for f in document.findings] == ["input-uri"]
    assert parse_document(to_json(document).encode(), TransformJobDocument, "itself") == document


@pytest.mark.parametrize("broken", [3, "x", {"Tags": "x"}, {"TransformInput": []}])
def test_a_draft_that_was_edited_into_nonsense_is_refused(broken: Any) -> None:
    with pytest.raises(RequestRejectedError):
        planned(replace(PLAN, transform_job=broken))


@given(
    payload_mb=st.integers(1, 100),
    share=st.floats(0, 1),
    strategy=st.sampled_from(["MultiRecord", "SingleRecord"]),
    split=st.sampled_from(["None", "Line", "RecordIO", "TFRecord"]),
    compression=st.sampled_from(["None", "Gzip"]),
    content=st.sampled_from(["text/csv", "application/jsonlines", "application/json", "image/png", "x/y"]),
    instance_type=st.sampled_from(fields()["TransformResources.InstanceType"].values),
    count=st.integers(1, 100),
    latency_s=st.floats(1e-6, 1e5),
)
def test_every_configuration_of_the_space_makes_a_request_that_is_accepted(
    *,
    payload_mb: int,
    share: float,
    strategy: Any,
    split: str,
    compression: str,
    content: str,
    instance_type: str,
    count: int,
    latency_s: float,
) -> None:
    configuration = replace(
        CONFIGURATION,
        max_payload_mb=payload_mb,
        max_concurrent_transforms=1 + int(share * (100 // payload_mb - 1)),
        batch_strategy=strategy,
        instance_type=instance_type,
        instance_count=count,
    )
    workload = replace(PLAN.workload, split_type=split, compression_type=compression, content_type=content)
    estimate = replace(ESTIMATE, latency_p99_s=Interval.exactly(latency_s))
    made = draft_request(GOAL, workload, configuration, estimate)
    document = planned(replace(PLAN, workload=workload, transform_job=made))
    assert document.request["MaxConcurrentTransforms"] * document.request["MaxPayloadInMB"] <= 100


# --- ModelClientConfig -------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("latency_p99_s", "timeout_s", "retries"),
    [(0.01, 60, 3), (15.0, 60, 3), (25.5, 102, 3), (150.0, 600, 3), (200.0, 800, 2), (500.0, 2000, 1), (3599, 3600, 1)],
)
def test_known_timeouts_and_retries(latency_p99_s: float, timeout_s: int, retries: int) -> None:
    assert invocations_timeout_s(latency_p99_s) == timeout_s
    assert invocations_max_retries(timeout_s) == retries


@given(st.floats(0, 1e6))
def test_a_timeout_is_what_the_api_takes_and_leaves_the_safety_unless_the_api_forbids_it(latency_p99_s: float) -> None:
    timeout_s = invocations_timeout_s(latency_p99_s)
    limits = fields()["ModelClientConfig.InvocationsTimeoutInSeconds"]
    assert limits.minimum is not None
    assert limits.maximum is not None
    assert limits.minimum <= timeout_s <= limits.maximum
    assert timeout_s >= TIMEOUT_SAFETY * latency_p99_s or timeout_s == limits.maximum
    assert 1 <= invocations_max_retries(timeout_s) <= 3


def test_slower_requests_get_longer_timeouts() -> None:
    slow = replace(ESTIMATE, latency_p99_s=ESTIMATE.latency_p99_s.scaled(2.0))
    fast = draft()["ModelClientConfig"]["InvocationsTimeoutInSeconds"]
    changed = draft_request(GOAL, PLAN.workload, CONFIGURATION, slow)["ModelClientConfig"]
    assert changed["InvocationsTimeoutInSeconds"] == 2 * fast == 204


# --- names -------------------------------------------------------------------------------------------
def test_the_default_name_is_the_models_with_the_time_in_utc() -> None:
    assert default_job_name("my-model", NOW) == "my-model-20260131-235959"
    assert default_job_name("my-model", NOW.astimezone(timezone(timedelta(hours=9)))) == "my-model-20260131-235959"


@given(st.text(max_size=80))
def test_a_default_name_is_always_one_that_the_api_takes(model_name: str) -> None:
    name = default_job_name(model_name, NOW)
    pattern = fields()["TransformJobName"].pattern
    assert pattern is not None
    assert len(name) <= 63
    assert re.fullmatch(pattern, name)
