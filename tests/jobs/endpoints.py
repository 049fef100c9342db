"""What tests of the endpoint share: one that serves, a boto3 client of it, a model and a request for it."""

import contextlib
import shlex
import sys
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import WaiterError

from planner.jobs.endpoint import Execution, ImageRule, Quotas, StorageSettings, open_endpoint

if TYPE_CHECKING:
    from types_boto3_sagemaker import SageMakerClient

SERVER = Path(__file__).parent / "local_server.py"
MODEL = Path(__file__).parent.parent / "container" / "model"
ROLE = "arn:aws:iam::123456789012:role/scoring"
IMAGE = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/model:1"
REGION = "eu-west-1"


def client_of(port: int, *, region: str = REGION, validates: bool = True) -> "SageMakerClient":
    """A boto3 client of the endpoint; without validation of its own, the endpoint sees everything."""
    return boto3.client(
        "sagemaker",
        endpoint_url=f"http://127.0.0.1:{port}",
        region_name=region,
        aws_access_key_id="x",
        aws_secret_access_key="y",
        config=Config(parameter_validation=validates, retries={"total_max_attempts": 1}),
    )


@contextlib.contextmanager
def serving(execution: Execution, quotas: Quotas | None = None) -> Iterator[int]:
    """The port of an endpoint that serves until the end of the block."""
    with open_endpoint(execution, quotas=quotas) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.port
        finally:
            server.shutdown()
            thread.join()


def buckets(folder: Path) -> StorageSettings:
    """Storage in a folder, in which there is one bucket, "bucket"."""
    (folder / "bucket").mkdir(parents=True, exist_ok=True)
    return StorageSettings(bucket_root=str(folder))


def test_server(log: Path) -> tuple[ImageRule, ...]:
    """Every image is the server of tests/jobs/local_server.py, which writes down what it is asked."""
    return (ImageRule(image="*", server=shlex.join([sys.executable, str(SERVER), str(log)])),)


test_server.__test__ = False  # type: ignore[attr-defined]


def write_archive(path: Path) -> None:
    """The model.tar.gz of the tiny model, which multiplies by two."""
    with tarfile.open(path, "w:gz") as archive:
        for name in ("inference.py", "factor.txt"):
            archive.add(MODEL / name, name)


def create_model(client: "SageMakerClient", name: str = "my-model", **container: Any) -> None:
    """A model with one container."""
    definition: Any = {"Image": IMAGE, **container}
    client.create_model(ModelName=name, ExecutionRoleArn=ROLE, PrimaryContainer=definition)


def request(name: str = "score", **changes: Any) -> dict[str, Any]:
    """A request for JSON Lines below s3://bucket/in/, whose outputs go below s3://bucket/out."""
    return {
        "TransformJobName": name,
        "ModelName": "my-model",
        "MaxConcurrentTransforms": 2,
        "MaxPayloadInMB": 1,
        "BatchStrategy": "MultiRecord",
        "ModelClientConfig": {"InvocationsTimeoutInSeconds": 30, "InvocationsMaxRetries": 0},
        "TransformInput": {
            "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://bucket/in/"}},
            "ContentType": "application/jsonlines",
            "SplitType": "Line",
        },
        "TransformOutput": {
            "S3OutputPath": "s3://bucket/out",
            "Accept": "application/jsonlines",
            "AssembleWith": "Line",
        },
        "TransformResources": {"InstanceType": "ml.m5.xlarge", "InstanceCount": 1},
        **changes,
    }


def wait_for(client: "SageMakerClient", name: str = "score") -> Any:
    """The description of a job that has ended, by botocore's own waiter."""
    waiter = client.get_waiter("transform_job_completed_or_stopped")
    patience: Any = {"Delay": 0.1, "MaxAttempts": 600}
    with contextlib.suppress(WaiterError):  # it raises for failed jobs, which are asked for here too
        waiter.wait(TransformJobName=name, WaiterConfig=patience)
    return client.describe_transform_job(TransformJobName=name)


def files(bucket: Path) -> dict[str, bytes]:
    """Every object of a bucket folder."""
    return {p.relative_to(bucket).as_posix(): p.read_bytes() for p in bucket.rglob("*") if p.is_file()}
