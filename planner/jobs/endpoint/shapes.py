"""The input of an operation, checked against botocore's copy of the service model, refused in the service's words.

Two rounds, as the service has them. Wrong JSON types are a SerializationException. Then every violation of required
members, lengths, values, enums and patterns is collected into one ValidationException:

    1 validation error detected: Value 'Both' at 'batchStrategy' failed to satisfy constraint: Member must satisfy enum
    value set: [MultiRecord, SingleRecord]

Members are named as there: lower camel case, list items as ``tags.1.member.key``. Values of lists and maps are not
repeated: an environment may hold what no log should. One thing is stricter than the service, which drops members that
it does not know: they are refused, because here they are typing errors.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

from planner.documents import Json
from planner.jobs.endpoint.refusal import SERIALIZATION, VALIDATION, Refusal
from planner.jobs.patterns import matches
from planner.jobs.service_model import service_model

if TYPE_CHECKING:
    from botocore.model import ListShape, MapShape, Shape, StructureShape

_WANTED: Final[Mapping[str, tuple[type, ...]]] = {
    "structure": (dict,),
    "map": (dict,),
    "list": (list,),
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "long": (int,),
    "float": (int, float),
    "double": (int, float),
    "timestamp": (int, float),
}
_MOST_SHOWN: Final = 2048
"""Characters of a value that a message repeats."""


def checked_input(operation: str, given: Json) -> dict[str, Json]:
    """The input of an operation without members that are null. Raises Refusal."""
    shape = service_model().operation_model(operation).input_shape
    assert shape is not None
    value = _typed(shape, given, "")
    violations = list(_violations(shape, value, ""))
    if violations:
        count = "1 validation error" if len(violations) == 1 else f"{len(violations)} validation errors"
        raise Refusal(VALIDATION, f"{count} detected: {'; '.join(violations)}")
    return dict(value)


def output_members(operation: str) -> frozenset[str]:
    """Names of the members of an operation's answer."""
    shape = service_model().operation_model(operation).output_shape
    return frozenset(shape.members) if shape is not None else frozenset()


def _typed(shape: "Shape", value: Json, path: str) -> Json:
    """The value without nulls in structures. Raises Refusal for the first value of a wrong JSON type."""
    _check_type(shape, value, path)
    match shape.type_name:
        case "structure":
            structure: StructureShape = shape  # type: ignore[assignment]
            members = structure.members
            return {
                name: _typed(members[name], part, _below(path, name)) if name in members else part
                for name, part in value.items()
                if part is not None
            }
        case "map":
            map_: MapShape = shape  # type: ignore[assignment]
            return {key: _typed(map_.value, part, _below(path, key)) for key, part in value.items()}
        case "list":
            list_: ListShape = shape  # type: ignore[assignment]
            return [_typed(list_.member, part, f"{path}.{i}.member") for i, part in enumerate(value, start=1)]
    return value


def _check_type(shape: "Shape", value: Json, path: str) -> None:
    wanted = _WANTED[shape.type_name]
    if not isinstance(value, wanted) or (isinstance(value, bool) and bool not in wanted):
        where = f" at '{path}'" if path else ""
        kind = shape.type_name.capitalize()
        raise Refusal(SERIALIZATION, f"{_json_type(value)} can not be converted to a {kind}{where}")


def _json_type(value: Json) -> str:
    match value:
        case None:
            return "NULL_VALUE"
        case bool():
            return "TRUE_VALUE" if value else "FALSE_VALUE"
        case str():
            return "STRING_VALUE"
        case dict():
            return "STRUCTURE_VALUE"
        case list():
            return "LIST_VALUE"
    return f"NUMBER_VALUE {value}"


def _below(path: str, name: str) -> str:
    """The path of a member, as the service spells it: transformInput.dataSource.s3DataSource.s3Uri."""
    step = name[:1].lower() + name[1:]
    return f"{path}.{step}" if path else step


def _violations(shape: "Shape", value: Json, path: str) -> Iterator[str]:
    """One sentence for each constraint that the value, or a part of it, does not satisfy."""
    match shape.type_name:
        case "structure":
            yield from _structure_violations(shape, value, path)  # type: ignore[arg-type]
        case "map":
            yield from _map_violations(shape, value, path)  # type: ignore[arg-type]
        case "list":
            list_: ListShape = shape  # type: ignore[assignment]
            yield from (_said("Value", path, broken) for broken in _length_rules(shape, len(value)))
            for i, part in enumerate(value, start=1):
                yield from _violations(list_.member, part, f"{path}.{i}.member")
        case "string" | "integer" | "long":
            shown = str(value) if len(str(value)) <= _MOST_SHOWN else f"{str(value)[:_MOST_SHOWN]}..."
            yield from (_said(f"Value '{shown}'", path, broken) for broken in _broken(shape, value))


def _structure_violations(shape: "StructureShape", value: Mapping[str, Json], path: str) -> Iterator[str]:
    for name in value:
        if name not in shape.members:
            known = ", ".join(shape.members)
            yield _said("Value", _below(path, name), f"Member must be one that the API knows: [{known}]")
    for name, member in shape.members.items():
        if name in value:
            yield from _violations(member, value[name], _below(path, name))
        elif name in shape.required_members:
            yield _said("Value null", _below(path, name), "Member must not be null")


def _map_violations(shape: "MapShape", value: Mapping[str, Json], path: str) -> Iterator[str]:
    yield from (_said("Value", path, broken) for broken in _length_rules(shape, len(value)))
    for what, part_shape, parts in (("keys", shape.key, value.keys()), ("value", shape.value, value.values())):
        if any(True for part in parts for _ in _broken(part_shape, part)):
            yield _said("Value", path, f"Map {what} must satisfy constraint: [{', '.join(_rules(part_shape))}]")


def _said(value: str, path: str, constraint: str) -> str:
    return f"{value} at '{path}' failed to satisfy constraint: {constraint}"


def _broken(shape: "Shape", value: Json) -> Iterator[str]:
    """The constraints of a string or integer that the value does not satisfy."""
    limits = shape.metadata
    if shape.type_name != "string":
        if value > limits.get("max", value):
            yield f"Member must have value less than or equal to {limits['max']}"
        if value < limits.get("min", value):
            yield f"Member must have value greater than or equal to {limits['min']}"
        return
    yield from _length_rules(shape, len(value))
    if (allowed := limits.get("enum")) and value not in allowed:
        yield f"Member must satisfy enum value set: [{', '.join(allowed)}]"
    if (pattern := limits.get("pattern")) and not matches(pattern, value):
        yield f"Member must satisfy regular expression pattern: {pattern}"


def _length_rules(shape: "Shape", length: int) -> Iterator[str]:
    """The constraints on length that a string, list or map of this length does not satisfy."""
    limits = shape.metadata
    if length > limits.get("max", length):
        yield f"Member must have length less than or equal to {limits['max']}"
    if length < limits.get("min", length):
        yield f"Member must have length greater than or equal to {limits['min']}"


def _rules(shape: "Shape") -> Iterator[str]:
    """All constraints of a string, satisfied or not: the service lists them for the parts of a map."""
    limits = shape.metadata
    if "max" in limits:
        yield f"Member must have length less than or equal to {limits['max']}"
    if "min" in limits:
        yield f"Member must have length greater than or equal to {limits['min']}"
    if "pattern" in limits:
        yield f"Member must satisfy regular expression pattern: {limits['pattern']}"
