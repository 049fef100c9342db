"""Rules between fields, which no service model states: R1 to R4, R9, R10 and R12, and the traps around them.

Each rule is a small function of the request (and of what the context knows) that yields its findings; `RULES` is
the list of all. Those about DataProcessing (R5 to R8) stand in `planner.jobs.data_processing`, those about the
instances (R11) in `planner.jobs.resources`. Errors are what AWS's documentation refuses; what is only advised, or not
documented either way, is a warning.
"""

from collections.abc import Callable, Iterator
from typing import Final, TypeAlias

from planner.jobs.data_processing import DATA_PROCESSING_RULES
from planner.jobs.finding import LINES, Fields, Finding, RequestContext, error, warning
from planner.jobs.resources import RESOURCE_RULES
from planner.planning.space import MAX_PAYLOAD_MB, PAYLOAD_HEADROOM
from planner.units import MIB, show_bytes

Rule: TypeAlias = Callable[[Fields, RequestContext], Iterator[Finding]]

DEFAULT_PAYLOAD_MB: Final = 6
"""MaxPayloadInMB when nobody sets it. Source: CreateTransformJob API reference."""
SERVER_TIMEOUT_S: Final = 60
"""Default SAGEMAKER_MODEL_SERVER_TIMEOUT of sagemaker-containers, sagemaker-inference-toolkit and TorchServe's image;
TensorFlow Serving's gunicorn has 30 s."""
PLACEHOLDER: Final = "REPLACE-WITH"
"""What a draft holds where only the user knows the value; no finished request may contain it."""

_API: Final = "CreateTransformJob API reference"
_STRATEGY_SPLITS: Final = ("Line", "RecordIO", "TFRecord")
_URI: Final = "TransformInput.DataSource.S3DataSource.S3Uri"
_DATA_TYPE: Final = "TransformInput.DataSource.S3DataSource.S3DataType"


def payload_and_concurrency(fields: Fields, _context: RequestContext) -> Iterator[Finding]:
    """R1: MaxPayloadInMB <= 100 and, when MaxConcurrentTransforms is set, their product <= 100."""
    payload, concurrency = fields.count("MaxPayloadInMB"), fields.count("MaxConcurrentTransforms")
    if payload is not None and payload > MAX_PAYLOAD_MB:
        yield error("R1", "MaxPayloadInMB", f"{payload} MB is above the maximum of {MAX_PAYLOAD_MB} MB. Lower it", _API)
        return
    if concurrency:
        product = concurrency * (DEFAULT_PAYLOAD_MB if payload is None else payload)
        if product > MAX_PAYLOAD_MB:
            yield error(
                "R1",
                "MaxConcurrentTransforms",
                f"MaxConcurrentTransforms x MaxPayloadInMB = {product} MB exceeds {MAX_PAYLOAD_MB} MB. Lower either",
                _API,
            )
    unset = [name for name in ("MaxConcurrentTransforms", "MaxPayloadInMB") if fields.at(name) is None]
    if concurrency == 0:
        unset.insert(0, "MaxConcurrentTransforms")
    if unset:
        yield warning(
            "R1",
            unset[0],
            "left to the container's /execution-parameters or to the default; what the service does when such values "
            f"multiply to more than {MAX_PAYLOAD_MB} MB is not documented. Set both",
            _API,
        )


def chunked_payload(fields: Fields, _context: RequestContext) -> Iterator[Finding]:
    """MaxPayloadInMB 0 streams records of any size in HTTP chunks, to containers that can take that."""
    if fields.count("MaxPayloadInMB") == 0:
        yield warning(
            "chunked",
            "MaxPayloadInMB",
            "0 sends requests with HTTP chunked encoding, which no built-in algorithm and not every server supports. "
            f"Set 1 to {MAX_PAYLOAD_MB}, unless yours was tried with it",
            _API,
        )


def largest_record(fields: Fields, context: RequestContext) -> Iterator[Finding]:
    """R2: MaxPayloadInMB >= the largest record, or the largest whole object when SplitType is None."""
    largest, payload = context.largest_record_bytes, fields.count("MaxPayloadInMB")
    payload = DEFAULT_PAYLOAD_MB if payload is None else payload
    if largest is None or payload == 0 or PAYLOAD_HEADROOM * largest <= payload * MIB:
        return
    needed = -(-largest // MIB)
    what = f"the largest {'object' if fields.split_type == 'None' else 'record'} has {largest} bytes"
    advice = (
        f"Raise MaxPayloadInMB to {needed}" if needed <= MAX_PAYLOAD_MB else f"{MAX_PAYLOAD_MB} is the most: cut it"
    )
    if largest > payload * MIB:
        yield error(
            "R2",
            "MaxPayloadInMB",
            f"{what} ({show_bytes(largest)}), more than {payload} MB; its object fails, it is not split. {advice}",
            "AWS developer guide, batch-transform-errors",
        )
    else:
        yield warning(
            "R2",
            "MaxPayloadInMB",
            f"{what}, within 1 % of {payload} MB; whether one of just the limit fits is not documented. Raise it by 1",
            _API,
        )


def strategy_without_split(fields: Fields, _context: RequestContext) -> Iterator[Finding]:
    """R3: BatchStrategy has an effect only with SplitType Line, RecordIO or TFRecord."""
    if fields.text("BatchStrategy") and fields.split_type not in _STRATEGY_SPLITS:
        yield warning(
            "R3",
            "BatchStrategy",
            f"{fields.text('BatchStrategy')} has no effect while SplitType is {fields.split_type}: each request is a "
            "whole object. Set SplitType, or leave BatchStrategy out",
            _API,
        )


def kept_padding(fields: Fields, _context: RequestContext) -> Iterator[Finding]:
    """R4: RecordIO and TFRecord framing is stripped for SingleRecord and kept for MultiRecord."""
    if fields.split_type in ("RecordIO", "TFRecord") and fields.text("BatchStrategy") != "SingleRecord":
        yield warning(
            "R4",
            "BatchStrategy",
            f"with MultiRecord the padding of {fields.split_type} records stays in the request. Make sure that the "
            "container reads such a stream, or set SingleRecord",
            "TransformInput API reference, SplitType",
        )


def recommended_split(fields: Fields, _context: RequestContext) -> Iterator[Finding]:
    """R9: the split type that the guide recommends for a content type, and the assembly for an accepted type."""
    guide = "AWS developer guide, cdf-inference"
    content, accept = fields.media_type("TransformInput.ContentType"), fields.media_type("TransformOutput.Accept")
    advised = None
    if content in LINES:
        advised = "Line"
    elif content == "application/x-recordio-protobuf":
        advised = "RecordIO"
    elif content is not None and (content == "application/json" or content.startswith("image/")):
        advised = "None"
    if advised and advised != fields.split_type:
        message = (
            f"{fields.split_type} with {content}; the guide recommends {advised}. Check that the container reads it"
        )
        yield warning("R9", "TransformInput.SplitType", message, guide)
    if fields.text("DataProcessing.JoinSource") == "Input":
        return  # R5 and R6 fix how a join is assembled
    if accept in LINES - {"text/csv"} and fields.assemble_with != "Line":
        message = f"None with {accept} joins responses without a line break. Set Line"
        yield warning("R9", "TransformOutput.AssembleWith", message, guide)
    whole = accept in ("application/json", "application/x-recordio-protobuf") and fields.split_type != "Line"
    if whole and fields.assemble_with == "Line":
        message = f"Line with {accept} adds a line break after each response; the guide recommends None"
        yield warning("R9", "TransformOutput.AssembleWith", message, guide)


def embedded_newlines(fields: Fields, context: RequestContext) -> Iterator[Finding]:
    """R10: SplitType Line cuts CSV at every line break, also inside quotes."""
    is_csv = fields.media_type("TransformInput.ContentType") == "text/csv"
    if is_csv and context.has_embedded_newlines and fields.split_type == "Line":
        yield error(
            "R10",
            "TransformInput.SplitType",
            "Line cuts CSV records that hold line breaks inside quotes in two; batch transform does not support them. "
            "Remove the line breaks from the fields, or send JSON Lines",
            "AWS developer guide, batch-transform",
        )


def deepar(fields: Fields, context: RequestContext) -> Iterator[Finding]:
    """R12: DeepAR fails at run time unless BatchStrategy is SingleRecord and SplitType is Line."""
    if (context.algorithm or "").lower() not in ("deepar", "forecasting-deepar"):
        return
    strategy = fields.text("BatchStrategy")
    if strategy != "SingleRecord" or fields.split_type != "Line":
        yield error(
            "R12",
            "BatchStrategy" if strategy != "SingleRecord" else "TransformInput.SplitType",
            f"DeepAR fails with {strategy or 'the default strategy'} and SplitType {fields.split_type}. "
            "Set SingleRecord and Line",
            "AWS developer guide, deepar-in-formats",
        )


def data_type(fields: Fields, _context: RequestContext) -> Iterator[Finding]:
    """S3DataType: the enum is shared with other operations; only S3Prefix and ManifestFile are compatible."""
    source = "TransformS3DataSource API reference"
    match fields.text(_DATA_TYPE):
        case "AugmentedManifestFile":
            message = "AugmentedManifestFile is not compatible with transform jobs. Use S3Prefix or ManifestFile"
            yield error("data-type", _DATA_TYPE, message, source)
        case "Converse":
            message = "Converse is not among the values documented as compatible. Use S3Prefix or ManifestFile"
            yield warning("data-type", _DATA_TYPE, message, source)


def input_uri(fields: Fields, _context: RequestContext) -> Iterator[Finding]:
    """S3Prefix is a prefix of the key as text: without a final '/' it also takes the neighbours in."""
    uri, output = fields.text(_URI), fields.text("TransformOutput.S3OutputPath")
    kind = fields.text(_DATA_TYPE)
    source = "TransformS3DataSource API reference"
    if uri is None:
        return
    if kind == "S3Prefix" and not uri.endswith("/"):
        message = f"{uri!r} also matches {uri + '-old/...'!r}. End it with '/', unless one object is meant"
        yield warning("input-uri", _URI, message, source)
    if kind == "ManifestFile" and uri.endswith("/"):
        yield warning("input-uri", _URI, f"{uri!r} is a folder; a manifest is one JSON object. Name it", source)
    if kind == "S3Prefix" and output is not None and (output.rstrip("/") + "/").startswith(uri):
        message = f"{output!r} lies inside the input {uri!r}: a second job would read the first one's output. Move it"
        yield warning("output-path", "TransformOutput.S3OutputPath", message, source)


def content_type(fields: Fields, _context: RequestContext) -> Iterator[Finding]:
    """ContentType is optional to the API; most servers then guess wrong or answer 415."""
    if isinstance(fields.at("TransformInput"), dict) and not fields.text("TransformInput.ContentType"):
        message = "not set: requests carry no MIME type, and most servers then guess or refuse. Set it"
        source = "aws/amazon-sagemaker-examples issue 1138"
        yield warning("content-type", "TransformInput.ContentType", message, source)


def invocation_timeout(fields: Fields, context: RequestContext) -> Iterator[Finding]:
    """A request slower than InvocationsTimeoutInSeconds is sent again and, in the end, fails its object."""
    timeout, slow = fields.count("ModelClientConfig.InvocationsTimeoutInSeconds"), context.latency_p99_s
    if timeout is not None and slow is not None and slow >= timeout:
        message = (
            f"{timeout} s is not above the predicted 99th percentile of latency, {slow:.1f} s. Raise it (up to 3600 s)"
        )
        yield warning("timeout", "ModelClientConfig.InvocationsTimeoutInSeconds", message, "the plan's estimate")


def server_timeout(fields: Fields, context: RequestContext) -> Iterator[Finding]:
    """Model servers have a time-out of their own, 60 s unless their environment says otherwise, and end the worker."""
    slow, environment = context.latency_p99_s, fields.at("Environment")
    names = environment if isinstance(environment, dict) else {}
    if slow is not None and slow >= SERVER_TIMEOUT_S and not any("TIMEOUT" in str(name) for name in names):
        message = (
            f"the predicted 99th percentile of latency is {slow:.1f} s and no time-out of the server is set; "
            f"most end a request after {SERVER_TIMEOUT_S} s. Set SAGEMAKER_MODEL_SERVER_TIMEOUT, or what yours reads"
        )
        yield warning("server-timeout", "Environment", message, "aws/sagemaker-inference-toolkit, parameters")


def placeholder(fields: Fields, _context: RequestContext) -> Iterator[Finding]:
    """What a draft leaves open must be filled in before the request is sent."""
    for path in _placeholders(fields.request, ""):
        message = f"{fields.at(path)!r} is a placeholder. Give the real value"
        yield error("placeholder", path, message, "planner")


def _placeholders(value: object, path: str) -> Iterator[str]:
    if isinstance(value, dict):
        for name, part in value.items():
            yield from _placeholders(part, f"{path}.{name}".lstrip("."))
    elif isinstance(value, str) and PLACEHOLDER in value:
        yield path


RULES: Final[tuple[Rule, ...]] = (
    payload_and_concurrency,
    chunked_payload,
    largest_record,
    strategy_without_split,
    kept_padding,
    *DATA_PROCESSING_RULES,
    recommended_split,
    embedded_newlines,
    deepar,
    *RESOURCE_RULES,
    data_type,
    input_uri,
    content_type,
    invocation_timeout,
    server_timeout,
    placeholder,
)
"""All rules, in the order in which findings are shown."""
