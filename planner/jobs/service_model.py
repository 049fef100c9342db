"""What botocore's own copy of the service model says of CreateTransformJob, and whether a request keeps to it.

botocore's validator refuses wrong types, missing or unknown fields and values below a minimum. It lets pass what
the same model file also holds: enums, patterns, maximum lengths and maximum values (botocore's design: the service
is to judge those). They are read from the file here, so a newer botocore brings newer instance types and limits.

No credentials, no region and no network are involved.
"""

import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from planner.documents import Json
from planner.jobs.finding import Finding, error
from planner.jobs.patterns import matches

if TYPE_CHECKING:
    from botocore.model import ServiceModel, Shape, StructureShape

OPERATION: Final = "CreateTransformJob"


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field of the request, or one part of it, as the service model constrains it."""

    path: str
    """TransformInput.SplitType; Environment{key}, Environment{value} and Tags[].Key for the parts of maps and lists."""
    kind: str
    """structure, list, map, string, integer or boolean."""
    is_required: bool
    values: tuple[str, ...]
    """The enum; empty: no enum."""
    pattern: str | None
    minimum: int | None
    """Least value of an integer, least length of a string, list or map."""
    maximum: int | None
    """Greatest value or length; None: the model names none."""


@functools.cache
def service_model() -> "ServiceModel":
    """SageMaker as botocore's own data files describe it.

    A model that somebody put into ~/.aws/models is not looked at: what is checked must not depend on the machine.
    """
    from botocore.loaders import Loader
    from botocore.model import ServiceModel

    loader = Loader(extra_search_paths=[Loader.BUILTIN_DATA_PATH], include_default_search_paths=False)
    return ServiceModel(loader.load_service_model("sagemaker", "service-2"), "sagemaker")


@functools.cache
def request_shape() -> "StructureShape":
    """The shape of the CreateTransformJob request."""
    shape: StructureShape | None = service_model().operation_model(OPERATION).input_shape
    assert shape is not None
    return shape


@functools.cache
def fields() -> Mapping[str, Field]:
    """Every field of the request by its path."""
    return {field.path: field for field in _walk(request_shape(), "", is_required=True) if field.path}


def _walk(shape: "Shape", path: str, *, is_required: bool) -> Iterator[Field]:
    limits = shape.metadata
    yield Field(
        path=path,
        kind=shape.type_name,
        is_required=is_required,
        values=tuple(limits.get("enum", ())),
        pattern=limits.get("pattern"),
        minimum=limits.get("min"),
        maximum=limits.get("max"),
    )
    for step, part, part_is_required in _parts(shape):
        yield from _walk(part, f"{path}{step}".lstrip("."), is_required=part_is_required)


def _parts(shape: "Shape") -> Iterator[tuple[str, "Shape", bool]]:
    """(step of the path, shape, whether required) of each part that a shape is made of."""
    from botocore.model import ListShape, MapShape, StructureShape

    if isinstance(shape, StructureShape):
        for name, member in shape.members.items():
            yield f".{name}", member, name in shape.required_members
    elif isinstance(shape, MapShape):
        yield "{key}", shape.key, True
        yield "{value}", shape.value, True
    elif isinstance(shape, ListShape):
        yield "[]", shape.member, True


def validator_findings(request: Json) -> Iterator[Finding]:
    """What botocore's own ParamValidator refuses: wrong types, missing and unknown fields, values below a minimum."""
    from botocore.validate import ParamValidator

    report = ParamValidator().validate(request, request_shape())
    if report.has_errors():
        for line in report.generate_report().splitlines():
            yield error("botocore", "", f"{line}. Correct or remove it", "botocore ParamValidator")


def model_findings(request: Json) -> Iterator[Finding]:
    """What the service model forbids and botocore's validator lets pass, in the order of the request's fields."""
    yield from _judged(request_shape(), request, "")


def _judged(shape: "Shape", value: Json, path: str) -> Iterator[Finding]:
    """Findings on the value and all its parts; values of a wrong type are left to the validator."""
    match shape.type_name, value:
        case (("map" | "list"), (Mapping() | list() | tuple())):
            yield from _too_many(shape, value, path)
        case "string", str():
            yield from _judged_string(shape, value, path)
        case "integer", bool():
            yield error("type", path, f"{value} is not a number. Write an integer", _source(shape))
        case "integer", int():
            if (most := shape.metadata.get("max")) is not None and value > most:
                yield error("maximum", path, f"{value} is above the maximum of {most}. Lower it", _source(shape))
    for part_shape, part, part_path in _parts_of(shape, value, path):
        yield from _judged(part_shape, part, part_path)


def _parts_of(shape: "Shape", value: Json, path: str) -> Iterator[tuple["Shape", Json, str]]:
    """(shape, value, path) of each part that a value has, when it is of the shape's type."""
    match shape.type_name, value:
        case "structure", Mapping():
            for step, member, _ in _parts(shape):
                if step[1:] in value:
                    yield member, value[step[1:]], f"{path}{step}".lstrip(".")
        case "map", Mapping():
            (_, key_shape, _), (_, value_shape, _) = _parts(shape)
            for key, item in value.items():
                yield key_shape, key, f"{path}{{{key!s:.80}}} (its name)"
                yield value_shape, item, f"{path}{{{key!s:.80}}}"
        case "list", (list() | tuple()):
            ((_, member, _),) = _parts(shape)
            for index, item in enumerate(value):
                yield member, item, f"{path}[{index}]"


def _too_many(shape: "Shape", value: Mapping[str, Json] | Sequence[Json], path: str) -> Iterator[Finding]:
    most = shape.metadata.get("max")
    if most is not None and len(value) > most:
        advice = f"Remove {len(value) - most}"
        if path == "Environment":
            advice += ", or put them into the Model's own Environment (CreateModel takes up to 100)"
        yield error("length", path, f"{len(value)} entries are above the maximum of {most}. {advice}", _source(shape))


def _judged_string(shape: "Shape", value: str, path: str) -> Iterator[Finding]:
    """The first of: not text, too long, not in the enum, not of the pattern (a longer list would repeat itself)."""
    limits = shape.metadata
    shown = repr(value) if len(value) <= 80 else f"{value[:77]!r}..."
    if any("\ud800" <= character <= "\udfff" for character in value):
        yield error("text", path, f"{shown} is not valid Unicode text. Write it anew in UTF-8", _source(shape))
    elif (most := limits.get("max")) is not None and len(value) > most:
        yield error(
            "length", path, f"{shown} has {len(value)} characters, {most} are the most. Shorten it", _source(shape)
        )
    elif (allowed := limits.get("enum")) and value not in allowed:
        yield error("enum", path, f"{shown} is not one of {_listed(allowed, value)}", _source(shape))
    elif len(value) < limits.get("min", 0):
        return  # the validator has said so
    elif (pattern := limits.get("pattern")) and not matches(pattern, value):
        yield error("pattern", path, f"{shown} does not match {pattern}. Rewrite it", _source(shape))


def _listed(allowed: Sequence[str], value: str) -> str:
    """All allowed values when they are few, else the nearest ones."""
    if len(allowed) <= 8:
        return ", ".join(allowed)
    import difflib

    near = difflib.get_close_matches(value, allowed, n=3, cutoff=0.4) or list(allowed[:3])
    return f"the {len(allowed)} allowed values, such as {', '.join(near)}"


def _source(shape: "Shape") -> str:
    return f"service model, shape {shape.name}"
