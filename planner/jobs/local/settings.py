"""What a local job is to do: the fields of CreateTransformJob that matter on one machine, and where each came from."""

from collections.abc import Mapping
from typing import Final, Literal, TypeAlias

import msgspec

from planner.container.contract import ExecutionParameters
from planner.documents import Json, Value
from planner.errors import DocumentError
from planner.jobs.check import accepted
from planner.jobs.finding import Fields, Finding
from planner.records.dataset import BatchStrategy, CompressionType, SplitType

Assembly: TypeAlias = Literal["None", "Line"]
Join: TypeAlias = Literal["None", "Input"]
Origin: TypeAlias = Literal["request", "container", "default"]
"""The request's own value wins over /execution-parameters, and that over the default. Source: AWS developer guide,
your-algorithms-batch-code."""

DEFAULT_CONCURRENCY: Final = 1
DEFAULT_PAYLOAD_MB: Final = 6
DEFAULT_STRATEGY: Final[BatchStrategy] = "MultiRecord"
"""What the service takes when neither the caller nor the container says: job logs show ``MaxConcurrentTransforms=1,
MaxPayloadInMB=6, BatchStrategy=MULTI_RECORD``."""

_NOT_ABOUT_A_LOCAL_RUN: Final = frozenset({"input-uri", "output-path", "R1"})
"""Warnings about S3 places, or about settings left open: the run document shows what those became."""


class JobSettings(Value, frozen=True, kw_only=True):
    """The job as asked for; None where that is left to the container or to the service's default."""

    content_type: str | None = None
    """Sent with every request; None: no Content-Type header."""
    accept: str | None = None
    split_type: SplitType = "None"
    compression_type: CompressionType = "None"
    assemble_with: Assembly = "None"
    batch_strategy: BatchStrategy | None = None
    max_payload_mb: int | None = None
    """1 to 100, of 2**20 bytes; 0: of any size, sent in HTTP chunks."""
    max_concurrent_transforms: int | None = None
    """Requests in flight to one container."""
    instance_count: int = 1
    invocations_timeout_s: int = 600
    invocations_max_retries: int = 3
    environment: Mapping[str, str] = msgspec.field(default_factory=dict)
    input_filter: str = "$"
    output_filter: str = "$"
    join_source: Join = "None"

    @property
    def processes_data(self) -> bool:
        """Whether DataProcessing does anything at all."""
        return self.join_source == "Input" or (self.input_filter, self.output_filter) != ("$", "$")


class EffectiveSettings(Value, frozen=True, kw_only=True):
    """The three values that the container may set, as they are used, and who set each."""

    max_concurrent_transforms: int
    max_concurrent_transforms_from: Origin
    max_payload_mb: int
    max_payload_mb_from: Origin
    batch_strategy: BatchStrategy
    batch_strategy_from: Origin


def settings_of(request: Json) -> JobSettings:
    """The settings that a CreateTransformJob request asks for; names, places and machines in it do not matter here.

    Raises DocumentError for a value that is none of the API's.
    """
    fields = Fields(request)
    environment = fields.at("Environment")
    found: dict[str, Json] = {
        "content_type": fields.at("TransformInput.ContentType") or None,
        "accept": fields.at("TransformOutput.Accept") or None,
        "split_type": fields.split_type,
        "compression_type": fields.at("TransformInput.CompressionType"),
        "assemble_with": fields.assemble_with,
        "batch_strategy": fields.at("BatchStrategy"),
        "max_payload_mb": fields.at("MaxPayloadInMB"),
        "max_concurrent_transforms": fields.at("MaxConcurrentTransforms") or None,
        "instance_count": fields.at("TransformResources.InstanceCount"),
        "invocations_timeout_s": fields.at("ModelClientConfig.InvocationsTimeoutInSeconds"),
        "invocations_max_retries": fields.at("ModelClientConfig.InvocationsMaxRetries"),
        "environment": environment if isinstance(environment, dict) else None,
        "input_filter": fields.at("DataProcessing.InputFilter"),
        "output_filter": fields.at("DataProcessing.OutputFilter"),
        "join_source": fields.at("DataProcessing.JoinSource"),
    }
    try:
        return msgspec.convert({name: value for name, value in found.items() if value is not None}, JobSettings)
    except msgspec.ValidationError as error:
        raise DocumentError(f"the CreateTransformJob request cannot be run: {error}") from error


def request_of(settings: JobSettings) -> Json:
    """The CreateTransformJob request that these settings mean, with stand-ins for names, places and machines."""
    request: Json = {
        "TransformJobName": "local-run",
        "ModelName": "local-run",
        "ModelClientConfig": {
            "InvocationsTimeoutInSeconds": settings.invocations_timeout_s,
            "InvocationsMaxRetries": settings.invocations_max_retries,
        },
        "TransformInput": {
            "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://local-run/input/"}},
            "CompressionType": settings.compression_type,
            "SplitType": settings.split_type,
        },
        "TransformOutput": {"S3OutputPath": "s3://local-run/output/", "AssembleWith": settings.assemble_with},
        "TransformResources": {"InstanceType": "ml.m5.xlarge", "InstanceCount": settings.instance_count},
    }
    optional = {
        "BatchStrategy": settings.batch_strategy,
        "MaxPayloadInMB": settings.max_payload_mb,
        "MaxConcurrentTransforms": settings.max_concurrent_transforms,
        "Environment": dict(settings.environment) or None,
    }
    request |= {name: value for name, value in optional.items() if value is not None}
    if settings.content_type is not None:
        request["TransformInput"]["ContentType"] = settings.content_type
    if settings.accept is not None:
        request["TransformOutput"]["Accept"] = settings.accept
    if settings.processes_data:
        request["DataProcessing"] = {
            "InputFilter": settings.input_filter,
            "OutputFilter": settings.output_filter,
            "JoinSource": settings.join_source,
        }
    return request


def checked(settings: JobSettings) -> tuple[Finding, ...]:
    """What is doubtful about the settings. Raises RequestRejectedError for what the service would refuse."""
    return tuple(f for f in accepted(request_of(settings)) if f.rule not in _NOT_ABOUT_A_LOCAL_RUN)


def effective(settings: JobSettings, container: ExecutionParameters | None) -> EffectiveSettings:
    """The values in use: the request's, else the container's, else the default."""
    wishes = container or ExecutionParameters()
    payloads_mb = (settings.max_payload_mb, wishes.max_payload_mb, DEFAULT_PAYLOAD_MB)

    def origin(asked: object, wished: object) -> Origin:
        return "request" if asked is not None else "container" if wished is not None else "default"

    return EffectiveSettings(
        max_concurrent_transforms=settings.max_concurrent_transforms
        or wishes.max_concurrent_transforms
        or DEFAULT_CONCURRENCY,
        max_concurrent_transforms_from=origin(settings.max_concurrent_transforms, wishes.max_concurrent_transforms),
        max_payload_mb=next(size for size in payloads_mb if size is not None),
        max_payload_mb_from=origin(settings.max_payload_mb, wishes.max_payload_mb),
        batch_strategy=settings.batch_strategy or wishes.batch_strategy or DEFAULT_STRATEGY,
        batch_strategy_from=origin(settings.batch_strategy, wishes.batch_strategy),
    )


def container_environment(settings: JobSettings) -> dict[str, str]:
    """What the service sets in every container of the job: SAGEMAKER_BATCH, and three more where the caller set them.

    Source: AWS developer guide, your-algorithms-batch-code. The job's own Environment stands above them.
    """
    strategies = {"MultiRecord": "MULTI_RECORD", "SingleRecord": "SINGLE_RECORD"}
    environment = {"SAGEMAKER_BATCH": "true"}
    if settings.max_payload_mb is not None:
        environment["SAGEMAKER_MAX_PAYLOAD_IN_MB"] = str(settings.max_payload_mb)
    if settings.batch_strategy is not None:
        environment["SAGEMAKER_BATCH_STRATEGY"] = strategies[settings.batch_strategy]
    if settings.max_concurrent_transforms is not None:
        environment["SAGEMAKER_MAX_CONCURRENT_TRANSFORMS"] = str(settings.max_concurrent_transforms)
    return {**environment, **settings.environment}
