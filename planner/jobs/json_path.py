"""The subset of JSONPath that DataProcessing filters may use.

    $                       the root; every path begins with it
    .name                   a child
    .* or [*]               all children
    ['a','b']               children by name; with several names, none may name a grandchild ('a.b')
    [1] [0,-1] [2:5] [0,5:] indexes (negative ones count from the end), slices, and lists of both

Source: AWS developer guide, batch-transform-data-processing, "Supported JSONPath Operators"; the mixed list and
``$['id','SageMakerOutput']`` stand in the API reference of DataProcessing. Where a slice ends is not certain: the
guide calls ``$[1:4]`` inclusive, JSONPath itself does not.
"""

import re
from dataclasses import dataclass
from typing import Final

_NAME: Final = r"[^\s.\[\](){}*?@'\",:]+"
_QUOTED: Final = r"'[^'\\]+'"
_ITEM: Final = r"(?:-?\d+)?:(?:-?\d+)?|-?\d+"
_STEP: Final = re.compile(
    rf"""\.(?P<name>{_NAME}) | (?P<wildcard>\.\*|\.?\[\*\])
    | \.?\[\s*(?P<names>{_QUOTED}(?:\s*,\s*{_QUOTED})*)\s*\]
    | \.?\[\s*(?P<items>(?:{_ITEM})(?:\s*,\s*(?:{_ITEM}))*)\s*\]""",
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonPath:
    """A path of the subset, as far as the rules look into it."""

    steps: int
    is_by_index: bool
    """Whether it picks by index alone, the only way into a CSV row: ``$`` or one bracket of indexes and slices."""
    indexes: tuple[int, ...]
    """Single indexes, in order; slices are not among them because they may run past the end."""


def parse(text: str) -> JsonPath:
    """The path that the text spells. Raises ValueError, saying where and why, when it is outside the subset."""
    if not text.startswith("$"):
        raise ValueError(f"{text!r} does not begin with $")
    position, steps, by_index, indexes = 1, 0, True, []
    while position < len(text):
        step = _STEP.match(text, position)
        if step is None:
            raise ValueError(f"{text!r} is outside the supported subset at {text[position:]!r}")
        if step["names"] and "," in step["names"] and "." in step["names"]:
            raise ValueError(f"{text!r} names a grandchild inside brackets, {step['names']}")
        items = re.split(r"\s*,\s*", step["items"]) if step["items"] else []
        indexes += [int(item) for item in items if ":" not in item]
        by_index = by_index and bool(items or step[0] in ("[*]", ".[*]"))
        position, steps = step.end(), steps + 1
    return JsonPath(steps=steps, is_by_index=by_index and steps <= 1, indexes=tuple(indexes))
