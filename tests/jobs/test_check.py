from typing import Any

import pytest
from botocore.validate import ParamValidator

from planner.errors import RequestRejectedError
from planner.jobs import RequestContext, accepted, check_request
from planner.jobs.rules import RULES
from planner.jobs.service_model import request_shape
from tests.jobs.examples import REQUEST, Change, changed, setting

INPUT, OUTPUT, RESOURCES = "TransformInput", "TransformOutput", "TransformResources"
URI = f"{INPUT}.DataSource.S3DataSource.S3Uri"
DATA_TYPE = f"{INPUT}.DataSource.S3DataSource.S3DataType"
MIB = 2**20


def kinds(content: str, accept: str | None = None) -> tuple[Change, Change]:
    return setting(f"{INPUT}.ContentType", content), setting(f"{OUTPUT}.Accept", accept or content)


def splits(split: str, assemble: str | None = None) -> tuple[Change, Change]:
    return setting(f"{INPUT}.SplitType", split), setting(f"{OUTPUT}.AssembleWith", assemble or split)


JOIN = setting("DataProcessing.JoinSource", "Input")

ERRORS: list[tuple[str, str, tuple[Change, ...], RequestContext]] = [
    ("enum", "BatchStrategy", (setting("BatchStrategy", "Foo"),), RequestContext()),
    ("enum", f"{RESOURCES}.InstanceType", (setting(f"{RESOURCES}.InstanceType", "ml.foo"),), RequestContext()),
    ("enum", f"{OUTPUT}.AssembleWith", (setting(f"{OUTPUT}.AssembleWith", "Lines"),), RequestContext()),
    ("enum", "DataProcessing.JoinSource", (setting("DataProcessing.JoinSource", "input"),), RequestContext()),
    ("pattern", "TransformJobName", (setting("TransformJobName", "a_b"),), RequestContext()),
    ("pattern", "TransformJobName", (setting("TransformJobName", "ends-\n"),), RequestContext()),
    ("pattern", "ModelName", (setting("ModelName", "-model"),), RequestContext()),
    ("pattern", f"{OUTPUT}.S3OutputPath", (setting(f"{OUTPUT}.S3OutputPath", "/local"),), RequestContext()),
    ("pattern", f"{INPUT}.ContentType", (setting(f"{INPUT}.ContentType", "text/csv;\r\nX: y"),), RequestContext()),
    ("pattern", "Environment{1A} (its name)", (setting("Environment.1A", "x"),), RequestContext()),
    ("pattern", "Tags[0].Key", (setting("Tags", [{"Key": "a*b", "Value": ""}]),), RequestContext()),
    ("length", "TransformJobName", (setting("TransformJobName", "a" * 64),), RequestContext()),
    ("length", "Environment", (setting("Environment", {f"K{i}": "" for i in range(17)}),), RequestContext()),
    ("length", "Tags", (setting("Tags", [{"Key": f"k{i}", "Value": ""} for i in range(51)]),), RequestContext()),
    ("length", "DataProcessing.InputFilter", (setting("DataProcessing.InputFilter", "$[" + "1," * 31 + "1]"),),
     RequestContext()),
    ("maximum", "ModelClientConfig.InvocationsTimeoutInSeconds",
     (setting("ModelClientConfig.InvocationsTimeoutInSeconds", 3601),), RequestContext()),
    ("maximum", "ModelClientConfig.InvocationsMaxRetries",
     (setting("ModelClientConfig.InvocationsMaxRetries", 4),), RequestContext()),
    ("type", "MaxPayloadInMB", (setting("MaxPayloadInMB", True),), RequestContext()),
    ("text", "Environment{A}", (setting("Environment.A", "\udcff"),), RequestContext()),
    ("R1", "MaxPayloadInMB", (setting("MaxPayloadInMB", 101), setting("MaxConcurrentTransforms", 1)), RequestContext()),
    ("R1", "MaxConcurrentTransforms", (setting("MaxConcurrentTransforms", 17),), RequestContext()),
    ("R2", "MaxPayloadInMB", (), RequestContext(largest_record_bytes=6 * MIB + 1)),
    ("R5", f"{INPUT}.ContentType", (JOIN, *kinds("text/tsv", "application/json")), RequestContext()),
    ("R5", f"{OUTPUT}.Accept", (setting("DataProcessing.InputFilter", "$[1:]"), *kinds("text/csv", "text/tsv")),
     RequestContext()),
    ("R5", f"{OUTPUT}.Accept", (JOIN, *kinds("application/jsonlines", "text/csv")), RequestContext()),
    ("R5", f"{OUTPUT}.AssembleWith", (JOIN, *kinds("application/json"), *splits("None", "Line"),
     setting("BatchStrategy", None)), RequestContext()),
    ("R6", f"{OUTPUT}.AssembleWith", (JOIN, *splits("Line", "None")), RequestContext()),
    ("R7", "DataProcessing.InputFilter", (setting("DataProcessing.InputFilter", "$.features"),), RequestContext()),
    ("R7", "DataProcessing.OutputFilter", (JOIN, setting("DataProcessing.OutputFilter", "$['id']")), RequestContext()),
    ("R7", "DataProcessing.OutputFilter", (JOIN, setting("DataProcessing.OutputFilter", "$[0,-7]")),
     RequestContext(joined_columns=6)),
    ("R8", "DataProcessing.JoinSource", (JOIN, *kinds("application/jsonlines")),
     RequestContext(record_attributes=("id", "SageMakerOutput"))),
    ("R10", f"{INPUT}.SplitType", (), RequestContext(has_embedded_newlines=True)),
    ("R11", f"{RESOURCES}.InstanceCount", (), RequestContext(free_private_ips=3)),
    ("R11", f"{RESOURCES}.InstanceCount", (), RequestContext(opens_all_ports_within_group=False)),
    ("R12", "BatchStrategy", (), RequestContext(algorithm="deepar")),
    ("R12", f"{INPUT}.SplitType", (setting("BatchStrategy", "SingleRecord"), *splits("TFRecord", "None"),
     setting(f"{INPUT}.ContentType", "x/y")), RequestContext(algorithm="deepar")),
    ("instance-count", f"{RESOURCES}.InstanceCount", (setting(f"{RESOURCES}.InstanceCount", 101),), RequestContext()),
    ("volume-key", f"{RESOURCES}.VolumeKmsKeyId", (setting(f"{RESOURCES}.VolumeKmsKeyId", "alias/k"),
     setting(f"{RESOURCES}.InstanceType", "ml.g4dn.xlarge")), RequestContext()),
    ("data-type", DATA_TYPE, (setting(DATA_TYPE, "AugmentedManifestFile"),), RequestContext()),
    ("json-path", "DataProcessing.InputFilter", (setting("DataProcessing.InputFilter", "$..a"),), RequestContext()),
    ("placeholder", "ModelName", (setting("ModelName", "REPLACE-WITH-MODEL-NAME"),), RequestContext()),
]  # fmt: skip

WARNINGS: list[tuple[str, str, tuple[Change, ...], RequestContext]] = [
    ("R1", "MaxConcurrentTransforms", (setting("MaxConcurrentTransforms", None),), RequestContext()),
    ("R1", "MaxPayloadInMB", (setting("MaxPayloadInMB", None),), RequestContext()),
    ("chunked", "MaxPayloadInMB", (setting("MaxPayloadInMB", 0),), RequestContext(largest_record_bytes=10**9)),
    ("R2", "MaxPayloadInMB", (), RequestContext(largest_record_bytes=6 * MIB)),
    ("R3", "BatchStrategy", (*kinds("image/png", "text/csv"), *splits("None")), RequestContext()),
    ("R4", "BatchStrategy", (*kinds("application/x-recordio-protobuf"), *splits("RecordIO", "None")), RequestContext()),
    ("R9", f"{INPUT}.SplitType", (*splits("None"), setting("BatchStrategy", None)), RequestContext()),
    ("R9", f"{INPUT}.SplitType", kinds("application/json; charset=utf-8"), RequestContext()),
    ("R9", f"{OUTPUT}.AssembleWith", (*kinds("application/jsonlines"), *splits("Line", "None")), RequestContext()),
    ("R9", f"{OUTPUT}.AssembleWith", (*kinds("application/json"), *splits("None", "Line"),
     setting("BatchStrategy", None)), RequestContext()),
    ("instance-count", f"{RESOURCES}.InstanceCount", (), RequestContext(objects=1)),
    ("image-version", f"{RESOURCES}.TransformAmiVersion", (setting(f"{RESOURCES}.TransformAmiVersion", "al2023"),),
     RequestContext()),
    ("data-type", DATA_TYPE, (setting(DATA_TYPE, "Converse"),), RequestContext()),
    ("input-uri", URI, (setting(URI, "s3://bucket/in/run1"),), RequestContext()),
    ("input-uri", URI, (setting(DATA_TYPE, "ManifestFile"),), RequestContext()),
    ("output-path", f"{OUTPUT}.S3OutputPath", (setting(f"{OUTPUT}.S3OutputPath", "s3://bucket/in/run1/out"),),
     RequestContext()),
    ("content-type", f"{INPUT}.ContentType", (setting(f"{INPUT}.ContentType", None),), RequestContext()),
    ("timeout", "ModelClientConfig.InvocationsTimeoutInSeconds",
     (setting("Environment.SAGEMAKER_MODEL_SERVER_TIMEOUT", "900"),), RequestContext(latency_p99_s=600.0)),
    ("server-timeout", "Environment", (), RequestContext(latency_p99_s=60.0)),
]  # fmt: skip


def ids(cases: list[tuple[str, str, tuple[Change, ...], RequestContext]]) -> list[str]:
    return [f"{index}-{rule}-{path}" for index, (rule, path, _, _) in enumerate(cases)]


def test_a_sound_request_has_no_finding_even_when_everything_is_known_about_it() -> None:
    known = RequestContext(
        largest_record_bytes=10_000,
        objects=10,
        latency_p99_s=30.0,
        joined_columns=5,
        record_attributes=("id",),
        has_embedded_newlines=False,
        free_private_ips=4,
        opens_all_ports_within_group=True,
        algorithm="xgboost",
    )
    assert check_request(REQUEST, known) == ()


@pytest.mark.parametrize(("rule", "path", "changes", "context"), ERRORS, ids=ids(ERRORS))
def test_a_request_that_breaks_one_rule_gets_that_error_alone(
    rule: str, path: str, changes: tuple[Change, ...], context: RequestContext
) -> None:
    found = check_request(changed(*changes), context)
    assert [(f.rule, f.severity, f.path) for f in found] == [(rule, "error", path)]


@pytest.mark.parametrize(("rule", "path", "changes", "context"), WARNINGS, ids=ids(WARNINGS))
def test_a_doubtful_request_gets_that_warning_alone_and_is_accepted(
    rule: str, path: str, changes: tuple[Change, ...], context: RequestContext
) -> None:
    found = accepted(changed(*changes), context)
    assert [(f.rule, f.severity, f.path) for f in found] == [(rule, "warning", path)]


@pytest.mark.parametrize(("rule", "path", "changes", "context"), ERRORS, ids=ids(ERRORS))
def test_botocore_alone_accepts_every_request_that_our_rules_refuse(
    rule: str, path: str, changes: tuple[Change, ...], context: RequestContext
) -> None:
    assert not ParamValidator().validate(changed(*changes), request_shape()).has_errors()


@pytest.mark.parametrize("number", range(1, 13))
def test_every_rule_of_the_documentation_has_a_request_that_breaks_it(number: int) -> None:
    assert f"R{number}" in {rule for rule, *_ in ERRORS + WARNINGS}


def test_every_rule_function_is_broken_by_some_example() -> None:
    from planner.jobs.finding import Fields

    silent = {rule.__name__ for rule in RULES}
    for _, _, changes, context in ERRORS + WARNINGS:
        silent -= {rule.__name__ for rule in RULES if list(rule(Fields(changed(*changes)), context))}
    assert silent == set()


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (setting("MaxPayloadInMB", 0.5), "Invalid type for parameter MaxPayloadInMB"),
        (setting(f"{RESOURCES}.InstanceCount", 0), "Invalid value for parameter TransformResources.InstanceCount"),
        (setting("TransformJobName", ""), "Invalid length for parameter TransformJobName"),
        (setting("ModelName", None), 'Missing required parameter in input: "ModelName"'),
        (setting("StoppingCondition", {}), 'Unknown parameter in input: "StoppingCondition"'),
    ],
)
def test_what_botocore_refuses_is_a_finding_too(change: Change, complaint: str) -> None:
    (finding,) = check_request(changed(change))
    assert finding.rule == "botocore"
    assert complaint in finding.message


@pytest.mark.parametrize(
    "request_",
    [None, "text", [], {}, {"TransformInput": 3, "TransformResources": [], "Tags": "x", "Environment": [1]}],
)
def test_what_is_not_a_request_at_all_is_refused_without_a_crash(request_: Any) -> None:
    assert any(f.rule == "botocore" for f in check_request(request_))


def test_all_errors_are_reported_at_once_each_with_its_place_rule_and_source() -> None:
    request = changed(setting("BatchStrategy", "Foo"), setting("MaxPayloadInMB", 200), setting("ModelName", "a b"))
    with pytest.raises(RequestRejectedError) as caught:
        accepted(request)
    assert len(caught.value.findings) == 3
    assert "has 3 errors" in str(caught.value)
    assert "BatchStrategy: 'Foo' is not one of MultiRecord, SingleRecord [enum; service model" in str(caught.value)
    assert "MaxPayloadInMB: 200 MB is above the maximum of 100 MB" in str(caught.value)


def test_a_mistyped_instance_type_is_answered_with_the_nearest_ones() -> None:
    (finding,) = check_request(changed(setting(f"{RESOURCES}.InstanceType", "ml.c5.2xlrge")))
    assert "ml.c5.2xlarge" in finding.message


def test_the_record_limit_counts_a_megabyte_as_two_to_the_twenty_bytes() -> None:
    def rules(largest: int) -> list[str]:
        return [f.severity for f in check_request(REQUEST, RequestContext(largest_record_bytes=largest))]

    assert rules(6_000_000) == []
    assert rules(6_291_456) == ["warning"]
    assert rules(6_291_457) == ["error"]


def test_the_whole_object_counts_when_nothing_splits_it() -> None:
    request = changed(*kinds("image/jpeg", "text/csv"), *splits("None"), setting("BatchStrategy", None))
    (finding,) = check_request(request, RequestContext(largest_record_bytes=150 * MIB))
    assert finding.message.startswith("the largest object has 157286400 bytes (150 MiB), more than 6 MB")
    assert "100 is the most" in finding.message


def test_data_processing_that_changes_nothing_asks_nothing() -> None:
    changes = (
        setting("DataProcessing", {"InputFilter": "$", "OutputFilter": "$", "JoinSource": "None"}),
        *kinds("text/csv", "x/y"),
    )
    assert check_request(changed(*changes)) == ()
