"""Jobs from a real boto3 client, run for real by the endpoint."""

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import WaiterError
from botocore.validate import ParamValidator

from planner.jobs import request as request_for_plan
from planner.jobs.endpoint import Execution, ImageRule
from planner.jobs.endpoint.order import failed
from planner.jobs.service_model import service_model
from planner.units import MIB
from tests.container.docker_image import IMAGE as DOCKER_IMAGE
from tests.container.docker_image import why_not
from tests.jobs.endpoints import (
    buckets,
    client_of,
    create_model,
    files,
    request,
    serving,
    test_server,
    wait_for,
    write_archive,
)
from tests.jobs.examples import PLAN


def _write(bucket: Path, **objects: str) -> None:
    for name, text in objects.items():
        path = bucket / "in" / f"{name}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def _asked(log: Path) -> list[Any]:
    return [json.loads(line) for line in log.read_text().splitlines()]


def _is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_the_planners_own_request_is_accepted_and_run(tmp_path: Path) -> None:
    emitted = request_for_plan(
        PLAN,
        model_name="my-model",
        input_uri="s3://bucket/in/",
        output_uri="s3://bucket/out/",
        now=datetime(2026, 1, 31, tzinfo=UTC),
    ).request
    storage = buckets(tmp_path)
    _write(tmp_path / "bucket", a="1\n2\n", b="5\n")
    write_archive(tmp_path / "bucket" / "model.tar.gz")
    execution = Execution(storage=storage, images=(ImageRule(image="*/model:*", server="model-dir"),))
    with serving(execution) as port:
        client = client_of(port)
        create_model(client, ModelDataUrl="s3://bucket/model.tar.gz")
        arn = client.create_transform_job(**emitted)["TransformJobArn"]
        described = wait_for(client, emitted["TransformJobName"])
    assert arn == "arn:aws:sagemaker:eu-west-1:000000000000:transform-job/my-model-20260131-000000"
    assert described["TransformJobArn"] == arn
    assert described["TransformJobStatus"] == "Completed"
    assert files(tmp_path / "bucket" / "out") == {"a.jsonl.out": b"2.0\n4.0\n\n", "b.jsonl.out": b"10.0\n\n"}
    assert {name: described[name] for name in emitted if name != "Tags"} == {
        name: value for name, value in emitted.items() if name != "Tags"
    }
    del described["ResponseMetadata"]
    shape = service_model().operation_model("DescribeTransformJob").output_shape
    assert shape is not None
    assert not ParamValidator().validate(described, shape).has_errors()
    assert described["CreationTime"] <= described["TransformStartTime"] <= described["TransformEndTime"]
    assert not list(tmp_path.glob(".planner-endpoint-*"))


def test_a_failed_object_has_no_output_and_the_others_have(tmp_path: Path) -> None:
    storage = buckets(tmp_path)
    _write(tmp_path / "bucket", **{"good": "a\nb\n", "x/bad": "POISON\n", "x/.hidden": "c\n"})
    with serving(Execution(storage=storage, images=test_server(tmp_path / "log"))) as port:
        client = client_of(port)
        create_model(client)
        client.create_transform_job(**request())
        described = wait_for(client)
        with pytest.raises(WaiterError):
            client.get_waiter("transform_job_completed_or_stopped").wait(TransformJobName="score")
    assert described["TransformJobStatus"] == "Failed"
    assert described["FailureReason"].startswith(
        "AlgorithmError: 1 of 3 objects have no output: bucket/in/x/bad.jsonl:"
    )
    assert "Bad HTTP status received from algorithm: 500" in described["FailureReason"]
    assert files(tmp_path / "bucket" / "out") == {"good.jsonl.out": b"A\nB\n", "x/.hidden.jsonl.out": b"C\n"}


def test_an_image_without_a_rule_is_run_by_docker(tmp_path: Path) -> None:
    if reason := why_not():
        pytest.skip(reason)
    _write(tmp_path / "bucket", a="1\n2\n")
    with serving(Execution(storage=buckets(tmp_path))) as port:
        client = client_of(port)
        write_archive(tmp_path / "bucket" / "model.tar.gz")
        create_model(client, Image=DOCKER_IMAGE, ModelDataUrl="s3://bucket/model.tar.gz")
        client.create_transform_job(**request())
        assert wait_for(client)["TransformJobStatus"] == "Completed"
    assert files(tmp_path / "bucket" / "out") == {"a.jsonl.out": b"2.0\n4.0\n\n"}


def test_a_reason_for_failure_is_text_that_fits() -> None:
    reason = failed("ClientError: \udcff" + "x" * 5000).failure_reason
    assert reason is not None
    assert len(reason) == 1024
    assert reason.startswith("ClientError: ?xx")
    assert reason.endswith("x...")


def test_max_payload_0_passes_botocore_and_sends_each_object_whole_in_http_chunks(tmp_path: Path) -> None:
    storage, log = buckets(tmp_path), tmp_path / "log"
    large = "".join(f"record {number} {'x' * 1000}\n" for number in range(7000))
    _write(tmp_path / "bucket", large=large, small="a\nb\n")
    with serving(Execution(storage=storage, images=test_server(log))) as port:
        client = client_of(port, validates=True)
        create_model(client)
        client.create_transform_job(**request(MaxPayloadInMB=0))
        described = wait_for(client)
    assert (described["TransformJobStatus"], described["MaxPayloadInMB"]) == ("Completed", 0)
    asked = _asked(log)
    assert sorted(row["bytes"] for row in asked) == [4, len(large)]
    assert len(large) > 6 * MIB
    assert {row["encoding"] for row in asked} == {"chunked"}
    assert {row["environment"]["SAGEMAKER_MAX_PAYLOAD_IN_MB"] for row in asked} == {"0"}
    assert files(tmp_path / "bucket" / "out") == {
        "large.jsonl.out": large.upper().encode(),
        "small.jsonl.out": b"A\nB\n",
    }


def test_a_manifest_names_the_objects_and_what_is_missing_fails_the_job(tmp_path: Path) -> None:
    storage = buckets(tmp_path)
    bucket = tmp_path / "bucket"
    _write(bucket, a="a\n", b="b\n", c="c\n")
    (bucket / "some.manifest").write_text('[{"prefix": "s3://bucket/in/"}, "c.jsonl", "a.jsonl"]')
    (bucket / "more.manifest").write_text('[{"prefix": "s3://bucket/in/"}, "a.jsonl", "gone.jsonl"]')
    (bucket / "out.manifest").write_text('[{"prefix": "s3://bucket/"}, "../../etc/hostname"]')
    with serving(Execution(storage=storage, images=test_server(tmp_path / "log"))) as port:
        client = client_of(port)
        create_model(client)
        for name in ("some", "more", "out"):
            job = request(name)
            source = {"S3DataType": "ManifestFile", "S3Uri": f"s3://bucket/{name}.manifest"}
            job["TransformInput"]["DataSource"]["S3DataSource"] = source
            job["TransformOutput"]["S3OutputPath"] = f"s3://bucket/results/{name}/"
            client.create_transform_job(**job)
        ended = {name: wait_for(client, name) for name in ("some", "more", "out")}
    assert ended["some"]["TransformJobStatus"] == "Completed"
    assert files(bucket / "results") == {"some/a.jsonl.out": b"A\n", "some/c.jsonl.out": b"C\n"}
    assert ended["more"]["FailureReason"].startswith("ClientError: NoSuchKey: s3://bucket/in/gone.jsonl")
    assert "no path below a bucket's folder" in ended["out"]["FailureReason"]


def test_the_container_gets_the_models_environment_below_the_jobs(tmp_path: Path) -> None:
    storage = buckets(tmp_path)
    _write(tmp_path / "bucket", a="a\n", b="b\n", c="c\n")
    job = request(
        Environment={"SAGEMAKER_BOTH": "job"}, TransformResources={"InstanceType": "ml.m5.xlarge", "InstanceCount": 3}
    )
    with serving(Execution(storage=storage, images=test_server(tmp_path / "log"))) as port:
        client = client_of(port)
        create_model(client, Environment={"SAGEMAKER_BOTH": "model", "SAGEMAKER_OWN": "model"})
        client.create_transform_job(**job)
        assert wait_for(client)["TransformJobStatus"] == "Completed"
    asked = _asked(tmp_path / "log")
    assert len({row["server"] for row in asked}) == 3
    for row in asked:
        environment = row["environment"]
        assert (environment["SAGEMAKER_BOTH"], environment["SAGEMAKER_OWN"]) == ("job", "model")
        assert environment["SAGEMAKER_BATCH"] == "true"
        assert environment["SAGEMAKER_MAX_CONCURRENT_TRANSFORMS"] == "2"


def test_what_only_the_run_can_see_fails_the_job_in_the_services_words(tmp_path: Path) -> None:
    storage = buckets(tmp_path)
    _write(tmp_path / "bucket", a="DIE\n")
    nothing = request("nothing")
    nothing["TransformInput"]["DataSource"]["S3DataSource"]["S3Uri"] = "s3://bucket/no"
    jobs = {
        "AlgorithmError: nothing runs the image other:1 here: map it with --image": request("image", ModelName="other"),
        "ClientError: No S3 objects found under s3://bucket/no": nothing,
        "ClientError: NoSuchBucket: s3://bk2/out: the output's bucket does not exist.": request(
            "bucket", TransformOutput={"S3OutputPath": "s3://bk2/out"}
        ),
        "AlgorithmError: ": request("death"),
        "ClientError: s3://bucket/bad.tar.gz: not gzip": request("archive", ModelName="bad"),
        "ClientError: s3://bucket/bad.tar.gz: not gzip; make it with": request("served", ModelName="served"),
    }
    rules = (
        *(ImageRule(image="*/model:1", server=rule.server) for rule in test_server(tmp_path / "log")),
        ImageRule(image="served:1", server="model-dir"),
    )
    with serving(Execution(storage=storage, images=rules)) as port:
        client = client_of(port)
        create_model(client)
        create_model(client, "other", Image="other:1")
        (tmp_path / "bucket" / "bad.tar.gz").write_text("no archive")
        create_model(client, "bad", ModelDataUrl="s3://bucket/bad.tar.gz")
        create_model(client, "served", Image="served:1", ModelDataUrl="s3://bucket/bad.tar.gz")
        for job in jobs.values():
            client.create_transform_job(**job)
        for reason, job in jobs.items():
            described = wait_for(client, job["TransformJobName"])
            assert described["TransformJobStatus"] == "Failed"
            assert described["FailureReason"].startswith(reason)
            assert "TransformEndTime" in described


def test_a_stopped_job_ends_its_containers_and_stores_nothing(tmp_path: Path) -> None:
    storage, log = buckets(tmp_path), tmp_path / "log"
    _write(tmp_path / "bucket", a="a\n", b="".join(f"SLOW {'x' * 2**19} {n}\n" for n in range(60)))
    with serving(Execution(storage=storage, images=test_server(log))) as port:
        client = client_of(port)
        create_model(client)
        client.create_transform_job(**request())
        while not log.exists() or len(_asked(log)) < 2:
            time.sleep(0.05)
        client.stop_transform_job(TransformJobName="score")
        stopping = client.describe_transform_job(TransformJobName="score")["TransformJobStatus"]
        described = wait_for(client)
    assert stopping in ("Stopping", "Stopped")
    assert described["TransformJobStatus"] == "Stopped"
    assert not (tmp_path / "bucket" / "out").exists()
    assert not any(_is_running(row["server"]) for row in _asked(log))
    assert not list(tmp_path.glob(".planner-endpoint-*"))


def test_a_job_waits_for_its_instances_and_can_be_stopped_while_it_does(tmp_path: Path) -> None:
    with serving(Execution(storage=buckets(tmp_path), startup_delay_s=3600)) as port:
        client = client_of(port)
        create_model(client)
        client.create_transform_job(**request())
        assert "TransformStartTime" not in client.describe_transform_job(TransformJobName="score")
        client.stop_transform_job(TransformJobName="score")
        described = wait_for(client)
    assert described["TransformJobStatus"] == "Stopped"
    assert "TransformStartTime" not in described


def test_closing_the_endpoint_stops_its_jobs(tmp_path: Path) -> None:
    storage, log = buckets(tmp_path), tmp_path / "log"
    _write(tmp_path / "bucket", a="".join(f"SLOW {'x' * 2**19} {n}\n" for n in range(60)))
    with serving(Execution(storage=storage, images=test_server(log))) as port:
        client = client_of(port)
        create_model(client)
        client.create_transform_job(**request())
        while not log.exists() or not _asked(log):
            time.sleep(0.05)
        server = _asked(log)[0]["server"]
        assert _is_running(server)
    assert not _is_running(server)
    assert [path.name for path in (tmp_path / "bucket").iterdir()] == ["in"]
