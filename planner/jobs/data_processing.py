"""Rules for DataProcessing: filtering the input, joining it with the output, filtering the result (R5 to R8).

Source: AWS developer guide, batch-transform-data-processing, and the API reference of DataProcessing.
"""

from collections.abc import Iterator
from typing import Final

from planner.jobs.finding import Fields, Finding, RequestContext, error
from planner.jobs.json_path import JsonPath, parse

JOINABLE: Final = ("text/csv", "application/json", "application/jsonlines")
_GUIDE: Final = "AWS developer guide, batch-transform-data-processing"
_RESERVED: Final = "SageMakerOutput"


def _joins(fields: Fields) -> bool:
    return fields.text("DataProcessing.JoinSource") == "Input"


def _is_active(fields: Fields) -> bool:
    """Whether DataProcessing does anything: "$" and None are the defaults that change nothing."""
    filters = (fields.text("DataProcessing.InputFilter"), fields.text("DataProcessing.OutputFilter"))
    return _joins(fields) or any(text not in (None, "$") for text in filters)


def _path(fields: Fields, name: str) -> JsonPath | None:
    """The filter of that name, None when it is not set or not one of the subset (which is its own finding)."""
    text = fields.text(f"DataProcessing.{name}")
    if text is None:
        return None
    try:
        return parse(text)
    except ValueError:
        return None


def supported_filter(fields: Fields, _context: RequestContext) -> Iterator[Finding]:
    """Filters keep to the documented subset of JSONPath."""
    for name in ("InputFilter", "OutputFilter"):
        text = fields.text(f"DataProcessing.{name}")
        if text is None:
            continue
        try:
            parse(text)
        except ValueError as reason:
            message = f"{reason}. Use $, .name, *, ['a','b'], [0,-1] or [2:5]"
            yield error("json-path", f"DataProcessing.{name}", message, _GUIDE)


def joinable_types(fields: Fields, _context: RequestContext) -> Iterator[Finding]:
    """R5: only CSV, JSON and JSON Lines can be filtered or joined; a join needs both sides alike."""
    if not _is_active(fields):
        return
    content, accept = fields.media_type("TransformInput.ContentType"), fields.media_type("TransformOutput.Accept")
    listed = ", ".join(JOINABLE)
    for path, kind in (("TransformInput.ContentType", content), ("TransformOutput.Accept", accept)):
        if kind not in JOINABLE:
            message = f"{kind or 'nothing'} cannot be used with DataProcessing, only {listed}. Set one of them"
            yield error("R5", path, message, _GUIDE)
    if not _joins(fields) or content not in JOINABLE or accept not in JOINABLE:
        return
    if content != accept:
        message = f"{accept} differs from ContentType {content}, but JoinSource is Input. Make them equal"
        yield error("R5", "TransformOutput.Accept", message, _GUIDE)
    # For CSV on both sides R6 says the same, more strictly.
    elif content != "text/csv" and fields.assemble_with != fields.split_type:
        differs = f"{fields.assemble_with} differs from SplitType {fields.split_type}"
        message = f"{differs}, but JoinSource is Input. Make them equal"
        yield error("R5", "TransformOutput.AssembleWith", message, _GUIDE)


def csv_by_lines(fields: Fields, _context: RequestContext) -> Iterator[Finding]:
    """R6: CSV in and out with DataProcessing needs SplitType Line and AssembleWith Line."""
    kinds = {fields.media_type("TransformInput.ContentType"), fields.media_type("TransformOutput.Accept")}
    if not _is_active(fields) or kinds != {"text/csv"}:
        return
    for path, value in (
        ("TransformInput.SplitType", fields.split_type),
        ("TransformOutput.AssembleWith", fields.assemble_with),
    ):
        if value != "Line":
            yield error("R6", path, f"{value} with CSV and DataProcessing. Set Line", _GUIDE)


def csv_by_index(fields: Fields, context: RequestContext) -> Iterator[Finding]:
    """R7: a CSV row is an array without names; an index outside it is an error."""
    sides = (("InputFilter", "TransformInput.ContentType"), ("OutputFilter", "TransformOutput.Accept"))
    for name, type_path in sides:
        path = _path(fields, name)
        if path is None or fields.media_type(type_path) != "text/csv":
            continue
        where, text = f"DataProcessing.{name}", fields.text(f"DataProcessing.{name}")
        if not path.is_by_index:
            message = f"{text!r} picks by name; a CSV row has only indexes. Write for example $[0,-1] or $[1:]"
            yield error("R7", where, message, _GUIDE)
        elif name == "OutputFilter" and (width := context.joined_columns) is not None:
            outside = [i for i in path.indexes if not -width <= i < width]
            if outside:
                message = f"{text!r} picks column {outside[0]} of {width}. Use 0 to {width - 1} or -{width} to -1"
                yield error("R7", where, message, "DataProcessing API reference, OutputFilter")


def reserved_attribute(fields: Fields, context: RequestContext) -> Iterator[Finding]:
    """R8: a JSON join puts the result into SageMakerOutput, so records must not have that attribute."""
    is_json = fields.media_type("TransformInput.ContentType") in ("application/json", "application/jsonlines")
    if is_json and _joins(fields) and _RESERVED in (context.record_attributes or ()):
        message = f"Input, but the records already have an attribute {_RESERVED}, which is reserved. Rename it"
        yield error("R8", "DataProcessing.JoinSource", message, _GUIDE)


DATA_PROCESSING_RULES: Final = (
    joinable_types,
    csv_by_lines,
    csv_by_index,
    reserved_attribute,
    supported_filter,
)
