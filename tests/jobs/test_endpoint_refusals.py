"""What the endpoint refuses, and that boto3 raises what it would raise for the service."""

import copy
import http.client
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from planner.jobs.endpoint import Execution, Quotas
from planner.jobs.endpoint.refusal import Refusal
from planner.jobs.endpoint.shapes import checked_input
from planner.jobs.service_model import model_findings, validator_findings
from tests.jobs.endpoints import IMAGE, ROLE, buckets, client_of, create_model, request, serving, wait_for
from tests.jobs.examples import Change, changed, setting

if TYPE_CHECKING:
    from types_boto3_sagemaker import SageMakerClient

QUOTAS = Quotas(by_type={"ml.m5.xlarge": 2, "ml.g5.xlarge": 0}, total=3)


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """An endpoint with the model my-model, where instances never come."""
    storage = buckets(tmp_path_factory.mktemp("buckets"))
    with serving(Execution(storage=storage, startup_delay_s=3600), QUOTAS) as port:
        create_model(client_of(port))
        yield port


@pytest.fixture
def client(port: int) -> "SageMakerClient":
    return client_of(port, validates=False)


def _refused(call: Any, **request: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**request)
    return caught.value.response["Error"]["Code"], caught.value.response["Error"]["Message"]


CONSTRAINED = "1 validation error detected: {} failed to satisfy constraint: {}"
VIOLATIONS: list[tuple[Change, str, str]] = [
    (
        setting("BatchStrategy", "Both"),
        "Value 'Both' at 'batchStrategy'",
        "Member must satisfy enum value set: [MultiRecord, SingleRecord]",
    ),
    (
        setting("TransformJobName", "a_b"),
        "Value 'a_b' at 'transformJobName'",
        "Member must satisfy regular expression pattern: [a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}",
    ),
    (setting("ModelName", None), "Value null at 'modelName'", "Member must not be null"),
    (
        setting("ModelClientConfig.InvocationsTimeoutInSeconds", 3601),
        "Value '3601' at 'modelClientConfig.invocationsTimeoutInSeconds'",
        "Member must have value less than or equal to 3600",
    ),
    (
        setting("MaxPayloadInMB", -1),
        "Value '-1' at 'maxPayloadInMB'",
        "Member must have value greater than or equal to 0",
    ),
    (
        setting("TransformInput.DataSource.S3DataSource.S3Uri", "bucket/in/"),
        "Value 'bucket/in/' at 'transformInput.dataSource.s3DataSource.s3Uri'",
        "Member must satisfy regular expression pattern: (https|s3)://([^/]+)/?(.*)",
    ),
    (
        setting("Environment", {f"N{n}": "" for n in range(17)}),
        "Value at 'environment'",
        "Member must have length less than or equal to 16",
    ),
    (
        setting("Environment", {"A-B": "secret"}),
        "Value at 'environment'",
        (
            "Map keys must satisfy constraint: [Member must have length less than or equal to 1024, Member must have "
            "length greater than or equal to 0, Member must satisfy regular expression pattern: "
            "[a-zA-Z_][a-zA-Z0-9_]{0,1023}]"
        ),
    ),
    (
        setting("Tags", [{"Key": "ok", "Value": ""}, {"Key": "", "Value": ""}]),
        "Value '' at 'tags.2.member.key'",
        "Member must have length greater than or equal to 1",
    ),
]


@pytest.mark.parametrize(("change", "value", "constraint"), VIOLATIONS)
def test_a_violated_shape_is_named_in_the_services_words(
    client: "SageMakerClient", change: Change, value: str, constraint: str
) -> None:
    refused = _refused(client.create_transform_job, **changed(change))
    assert refused == ("ValidationException", CONSTRAINED.format(value, constraint))


def test_all_violations_are_named_at_once(client: "SageMakerClient") -> None:
    changes = [setting("BatchStrategy", "Both"), setting("TransformInput.SplitType", "Lines")]
    changes.append(setting("TransformJobName", "x_" * 40))
    code, message = _refused(client.create_transform_job, **changed(*changes))
    assert code == "ValidationException"
    assert message.startswith("4 validation errors detected: ")
    assert message.count("at 'transformJobName'") == 2


@pytest.mark.parametrize(
    ("change", "fragment"),
    [
        (setting("MaxPayloadInMB", 26), "MaxConcurrentTransforms x MaxPayloadInMB = 104 MB exceeds 100 MB"),
        (setting("MaxPayloadInMB", 101), "101 MB is above the maximum of 100 MB"),
        (setting("TransformResources.InstanceCount", 101), "above the maximum of 100 instances"),
        (setting("DataProcessing", {"JoinSource": "Input", "OutputFilter": "$.x"}), "OutputFilter"),
        (
            setting("TransformInput.DataSource.S3DataSource.S3DataType", "AugmentedManifestFile"),
            "AugmentedManifestFile is not compatible with transform jobs",
        ),
        (setting("TransformInput.DataSource.S3DataSource.S3Uri", "s3://bucket/../etc/"), "no path below a bucket"),
        (setting("TransformOutput.S3OutputPath", "s3://../out/"), "names no S3 bucket"),
        (setting("TransformOutput.S3OutputPath", "s3://bucket//out/"), "no path below a bucket"),
    ],
)
def test_what_the_documentation_forbids_beyond_shapes_is_refused(
    client: "SageMakerClient", change: Change, fragment: str
) -> None:
    code, message = _refused(client.create_transform_job, **changed(change))
    assert code == "ValidationException"
    assert fragment in message


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (setting("MaxPayloadInMB", "6"), "STRING_VALUE can not be converted to a Integer at 'maxPayloadInMB'"),
        (setting("MaxPayloadInMB", 0.5), "NUMBER_VALUE 0.5 can not be converted to a Integer at 'maxPayloadInMB'"),
        (setting("MaxPayloadInMB", True), "TRUE_VALUE can not be converted to a Integer at 'maxPayloadInMB'"),
        (setting("Environment", {"A": 1}), "NUMBER_VALUE 1 can not be converted to a String at 'environment.a'"),
        (setting("TransformInput", []), "LIST_VALUE can not be converted to a Structure at 'transformInput'"),
    ],
)
def test_a_wrong_json_type_is_a_serialization_exception(port: int, change: Change, message: str) -> None:
    status, answer = _post(port, json.dumps(changed(change)).encode(), "SageMaker.CreateTransformJob")
    assert (status, answer) == (400, {"__type": "SerializationException", "Message": message})


def test_a_member_that_the_api_does_not_know_is_refused(port: int) -> None:
    request = changed(setting("TransformOutput.Acept", "text/csv"))
    status, answer = _post(port, json.dumps(request).encode(), "SageMaker.CreateTransformJob")
    known = "Member must be one that the API knows: [S3OutputPath, Accept, AssembleWith, KmsKeyId]"
    assert (status, answer["__type"]) == (400, "ValidationException")
    assert answer["Message"] == CONSTRAINED.format("Value at 'transformOutput.acept'", known)


@pytest.mark.parametrize(
    "change",
    [change for change, _, _ in VIOLATIONS]
    + [
        setting("TransformOutput.Acept", "text/csv"),
        setting("TransformJobName", "score-2"),
        setting("TransformResources.InstanceType", "ml.t2.medium"),
        setting("TransformResources.InstanceCount", 0),
        setting("TransformInput.ContentType", "x" * 257),
        setting("TransformInput.ContentType", "a\nb"),
        setting("DataProcessing.InputFilter", "$" * 64),
        setting("Tags", [{"Key": f"k{n}", "Value": "é"} for n in range(50)]),
        setting("Environment", {"A": "x" * 10240}),
        setting("Environment", {"A": "x" * 10241}),
        setting("ExperimentConfig", {"RunName": ""}),
    ],
)
def test_shapes_are_refused_exactly_where_the_requests_own_check_finds_errors(change: Change) -> None:
    request = changed(change)
    finds = any(f.severity == "error" for f in [*validator_findings(request), *model_findings(request)])
    try:
        checked_input("CreateTransformJob", copy.deepcopy(request))
    except Refusal:
        assert finds
    else:
        assert not finds


def test_a_model_that_does_not_exist_is_resource_not_found(client: "SageMakerClient") -> None:
    with pytest.raises(client.exceptions.ResourceNotFound) as caught:
        client.create_transform_job(**request(ModelName="nobody"))
    assert caught.value.response["Error"]["Message"] == (
        'Could not find model "arn:aws:sagemaker:eu-west-1:000000000000:model/nobody".'
    )


def test_a_region_has_its_own_models(port: int) -> None:
    elsewhere = client_of(port, region="us-west-2")
    with pytest.raises(elsewhere.exceptions.ResourceNotFound):
        elsewhere.create_transform_job(**request())
    assert elsewhere.list_models()["Models"] == []


@pytest.mark.parametrize("operation", ["describe_transform_job", "stop_transform_job"])
def test_a_job_that_does_not_exist_is_resource_not_found(client: "SageMakerClient", operation: str) -> None:
    with pytest.raises(client.exceptions.ResourceNotFound):
        getattr(client, operation)(TransformJobName="nobody")


def test_a_used_name_is_resource_in_use_even_after_the_job_has_ended(client: "SageMakerClient") -> None:
    client.create_transform_job(**request("once"))
    for _ in range(2):
        with pytest.raises(client.exceptions.ResourceInUse):
            client.create_transform_job(**request("once"))
        if client.describe_transform_job(TransformJobName="once")["TransformJobStatus"] == "InProgress":
            client.stop_transform_job(TransformJobName="once")
        assert wait_for(client, "once")["TransformJobStatus"] == "Stopped"
    assert _refused(client.stop_transform_job, TransformJobName="once") == (
        "ValidationException",
        "The request was rejected because the transform job is in status Stopped.",
    )


def test_instances_of_running_jobs_count_against_the_quotas(client: "SageMakerClient") -> None:
    def create(name: str, instance_type: str, count: int) -> None:
        resources = {"InstanceType": instance_type, "InstanceCount": count}
        client.create_transform_job(**request(name, TransformResources=resources))

    with pytest.raises(client.exceptions.ResourceLimitExceeded) as caught:
        create("none", "ml.g5.xlarge", 1)
    assert caught.value.response["Error"]["Message"].startswith(
        "The account-level service limit 'ml.g5.xlarge for transform job usage' is 0 Instances, with current "
        "utilization of 0 Instances and a request delta of 1 Instances."
    )
    create("two", "ml.m5.xlarge", 2)
    with pytest.raises(client.exceptions.ResourceLimitExceeded):
        create("third", "ml.m5.xlarge", 1)
    create("other", "ml.c5.xlarge", 1)
    with pytest.raises(client.exceptions.ResourceLimitExceeded, match="across all transform jobs"):
        create("fourth", "ml.c5.xlarge", 1)
    for name in ("two", "other"):
        client.stop_transform_job(TransformJobName=name)
        wait_for(client, name)
    create("third", "ml.m5.xlarge", 1)
    client.stop_transform_job(TransformJobName="third")
    wait_for(client, "third")


@pytest.mark.parametrize(
    ("definition", "fragment"),
    [
        ({}, "Specify either PrimaryContainer or Containers."),
        ({"PrimaryContainer": {"Image": IMAGE}, "Containers": [{"Image": IMAGE}]}, "either PrimaryContainer or"),
        ({"PrimaryContainer": {}}, "Specify Image or ModelPackageName"),
        (
            {"PrimaryContainer": {"Image": IMAGE, "ModelDataUrl": "s3://bucket/no.tar.gz"}},
            "Could not find model data at s3://bucket/no.tar.gz.",
        ),
        ({"PrimaryContainer": {"Image": IMAGE, "ModelDataUrl": "s3://bucket/../x"}}, "Could not access model data"),
        (
            {"PrimaryContainer": {"Image": IMAGE, "Environment": {f"N{n}": "x" * 1000 for n in range(33)}}},
            "32 KB are the most",
        ),
        ({"PrimaryContainer": {"Image": "a b"}}, "at 'primaryContainer.image'"),
        ({"ModelName": "my-model", "PrimaryContainer": {"Image": IMAGE}}, "Cannot create already existing model"),
    ],
)
def test_a_faulty_model_is_refused(client: "SageMakerClient", definition: dict[str, Any], fragment: str) -> None:
    code, message = _refused(client.create_model, **{"ModelName": "faulty", "ExecutionRoleArn": ROLE, **definition})
    assert code == "ValidationException"
    assert fragment in message
    with pytest.raises(ClientError, match="Could not find model"):
        client.describe_model(ModelName="faulty")


def test_a_model_that_batch_transform_cannot_use_is_refused(client: "SageMakerClient") -> None:
    source = {"S3Uri": "s3://bucket/m/", "S3DataType": "S3Prefix", "CompressionType": "None"}
    create_model(client, "source", ModelDataSource={"S3DataSource": source})
    client.create_model(ModelName="pipeline", Containers=[{"Image": IMAGE}, {"Image": IMAGE}])
    for name, fragment in (("source", "ModelDataSource cannot be used"), ("pipeline", "inference pipeline")):
        code, message = _refused(client.create_transform_job, **request("unusable", ModelName=name))
        assert code == "ValidationException"
        assert fragment in message
        client.delete_model(ModelName=name)
    assert [model["ModelName"] for model in client.list_models()["Models"]] == ["my-model"]


def _post(
    port: int, body: bytes, target: str | None, *, method: str = "POST", **headers: str
) -> tuple[int, dict[str, Any]]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    sent = {"Content-Type": "application/x-amz-json-1.1", "Content-Length": str(len(body))}
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    if target is not None:
        sent["X-Amz-Target"] = target
    try:
        connection.request(method, "/", body=body, headers=sent)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


@pytest.mark.parametrize("body", [b"{", b"\xff", b'{"a": NaN}', b"[" * 100_000, b"[]", b'"a"', b"1" * 5000])
def test_a_body_that_is_no_json_object_is_a_serialization_exception(port: int, body: bytes) -> None:
    status, answer = _post(port, body, "SageMaker.ListModels")
    assert (status, answer["__type"]) == (400, "SerializationException")


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("POST", "SageMaker.CreateTrainingJob"),
        ("POST", "SageMaker.Nonsense"),
        ("POST", "DynamoDB.ListModels"),
        ("POST", None),
        ("GET", "SageMaker.ListModels"),
    ],
)
def test_what_is_not_served_is_an_unknown_operation(port: int, method: str, target: str | None) -> None:
    status, answer = _post(port, b"{}", target, method=method)
    assert (status, answer["__type"]) == (400, "UnknownOperationException")
    assert "CreateTransformJob" in answer["Message"]


def test_a_huge_body_is_not_read(port: int) -> None:
    status, answer = _post(port, b"", "SageMaker.ListModels", Content_Length=str(2**33))
    assert (status, answer["__type"]) == (413, "RequestEntityTooLargeException")


def test_a_request_by_another_host_name_is_refused(port: int) -> None:
    status, _ = _post(port, b"{}", "SageMaker.ListModels", Host="rebound.example.com")
    assert status == 400
    assert _post(port, b"{}", "SageMaker.ListModels", Host=f"localhost:{port}") == (200, {"Models": []})


def test_credentials_are_never_logged(port: int, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG", "planner.endpoint")
    with pytest.raises(ClientError):
        client_of(port).describe_transform_job(TransformJobName="nobody")
    headers = {"Authorization": "AWS4-HMAC-SHA256 Credential=AKIASECRET/20260101/eu-west-1/sagemaker/aws4_request"}
    _post(port, b'{"NoSuchMember": 1}', "SageMaker.ListModels", **headers)
    assert "NoSuchMember" in caplog.text or "noSuchMember" in caplog.text
    assert "AKIA" not in caplog.text
    assert "Credential" not in caplog.text
