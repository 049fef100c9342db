"""A CreateTransformJob request as people read it: what it sets, then what it was let through with."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from planner.documents import Json
from planner.jobs.request import TransformJobDocument

if TYPE_CHECKING:
    from rich.console import RenderableType


def render(document: TransformJobDocument) -> "RenderableType":
    """A table of every field that the request sets, and its warnings below."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    table = Table(title="CreateTransformJob", title_justify="left", box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for path, value in _leaves(document.request, ""):
        table.add_row(Text(path), Text(value))
    passed = "Passed botocore's validator, the limits of the service model and the documented rules."
    parts: list[RenderableType] = [table, Text(), Text(f"{passed} Region of the plan: {document.region}.")]
    parts += [Text(f"Warning: {finding}", style="yellow") for finding in document.findings]
    return Group(*parts)


def _leaves(value: Json, path: str) -> Iterator[tuple[str, str]]:
    """(dotted path, text) of every value that is not itself a mapping; a tag is one row."""
    if isinstance(value, dict):
        for name, part in value.items():
            yield from _leaves(part, f"{path}.{name}".lstrip("."))
    elif path == "Tags" and isinstance(value, list):
        for tag in value:
            yield f"Tags {tag['Key']}", tag["Value"]
    else:
        yield path, str(value)
