"""Evaluating the service's JSONPath subset.

`planner.jobs.json_path` says what is in the subset; jsonpath-rfc9535 finds the nodes. Two documented spellings are not
RFC 9535 and are written anew for it (``.['a','b']``, ``.[*]`` and names such as ``my-field``), and what a path yields
follows the implementation that the guide names (json-path/JsonPath, Java), for RFC 9535 only knows lists of nodes:

    path                                         yields
    every step names or numbers one child        the value itself; none there: an error
    the last step names several children         an object of those that are there
    anything else (*, slices, several indexes)   an array of the values, in the path's order

Where a slice ends is not certain: the guide calls ``$[1:4]`` "second through fifth"; RFC 9535 and the Java
implementation stop before index 4, and so does this.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from planner.documents import Json
from planner.jobs.json_path import parse

Evaluator: TypeAlias = Callable[[Json], Json]


_STEP: Final = re.compile(r"\.?(?P<bracket>\[[^\]]*\])|\.(?P<name>[^.\[]+)")
_ONE_CHILD: Final = re.compile(r"\[\s*(?:-?\d+|'[^',]*')\s*\]")
_NAMES: Final = re.compile(r"\[\s*'[^']*'(?:\s*,\s*'[^']*')+\s*\]")


class NothingThereError(ValueError):
    """A path to one value, and the record has no such value."""


@dataclass(frozen=True, slots=True)
class Query:
    """A path of the subset, ready to be put to records."""

    text: str
    steps: tuple[str, ...]
    """Bracketed steps of RFC 9535."""
    indexes: tuple[int, ...]
    """Single indexes in it, which for a CSV row must lie inside."""

    @property
    def is_identity(self) -> bool:
        """Whether it is ``$``: everything, unchanged."""
        return not self.steps

    def evaluator(self) -> Evaluator:
        """The function that takes a record to what the path picks from it.

        It raises NothingThereError for a path to one value that is not there.
        """
        import jsonpath_rfc9535 as jsonpath

        if all(_ONE_CHILD.fullmatch(step) for step in self.steps):
            query = jsonpath.compile("$" + "".join(self.steps))

            def one(record: Json) -> Json:
                nodes = query.find(record)
                if not nodes:
                    raise NothingThereError(f"nothing at {self.text}")
                return nodes[0].value

            return one
        if _NAMES.fullmatch(self.steps[-1]) and all(_ONE_CHILD.fullmatch(step) for step in self.steps[:-1]):
            query = jsonpath.compile("$" + "".join(self.steps))
            return lambda record: {str(node.location[-1]): node.value for node in query.find(record)}
        query = jsonpath.compile("$" + "".join(self.steps))
        return lambda record: [node.value for node in query.find(record)]


def query_of(text: str) -> Query:
    """The query that a filter spells. Raises ValueError, with the place, when it is outside the subset."""
    path = parse(text)
    steps = []
    for match in _STEP.finditer(text, 1):
        name = match["name"]
        steps.append(match["bracket"] or ("[*]" if name == "*" else f"['{name}']"))
    return Query(text=text, steps=tuple(steps), indexes=path.indexes)
