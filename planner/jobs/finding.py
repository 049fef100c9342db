"""One thing that a check has to say about a CreateTransformJob request, and the reader that the checks share."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from planner.documents import Json, Value

Severity: TypeAlias = Literal["error", "warning"]

LINES: frozenset[str] = frozenset(
    {"text/csv", "application/jsonlines", "application/x-jsonlines", "application/jsonl", "application/x-ndjson"}
)
"""Media types whose records are lines; all but the first two are spellings of JSON Lines met in the wild."""


class Finding(Value, frozen=True, kw_only=True):
    """What is wrong with a request, or doubtful about it."""

    rule: str
    """Which check: R1 to R12, a name such as "enum", or "botocore" for its own validator."""
    severity: Severity
    """error: the service or its documentation refuses it; warning: advised against, or not known to work."""
    path: str
    """Where in the request: TransformInput.SplitType; empty: the request as a whole."""
    message: str
    """What, the value with its unit, and what to do."""
    source: str
    """Who says so."""

    def __str__(self) -> str:
        where = f"{self.path}: " if self.path else ""
        return f"{where}{self.message} [{self.rule}; {self.source}]"


class RequestContext(Value, frozen=True, kw_only=True):
    """What a request does not say and some rules need; None means not known, and its rule is silent."""

    largest_record_bytes: int | None = None
    """Largest record, delimiter included, as sent; the largest whole object when SplitType is None."""
    objects: int | None = None
    """Number of input objects."""
    latency_p99_s: float | None = None
    """99th percentile of the container's latency for one request, at its upper bound."""
    joined_columns: int | None = None
    """CSV: columns that OutputFilter sees: those of the input (when joined) and of the response together."""
    record_attributes: tuple[str, ...] | None = None
    """JSON: names of the attributes of the input records."""
    has_embedded_newlines: bool | None = None
    """CSV: whether some quoted field holds a line break."""
    free_private_ips: int | None = None
    """Free private addresses in all subnets of the Model's VpcConfig together; None without a VpcConfig."""
    opens_all_ports_within_group: bool | None = None
    """Whether the Model's security group lets its members reach each other on all ports."""
    algorithm: str | None = None
    """Built-in algorithm that the Model runs, such as "deepar"."""


@dataclass(frozen=True, slots=True)
class Fields:
    """A request as rules read it: a field that is absent or of the wrong type is None.

    Wrong types and missing fields are botocore's to report; a rule that looks further must not fall over them.
    """

    request: Json

    def at(self, path: str) -> Json:
        """The value at a dotted path, None when any step of it is missing."""
        value = self.request
        for name in path.split("."):
            if not isinstance(value, Mapping):
                return None
            value = value.get(name)
        return value

    def text(self, path: str) -> str | None:
        """The string at the path."""
        value = self.at(path)
        return value if isinstance(value, str) else None

    def count(self, path: str) -> int | None:
        """The integer at the path; True is not 1."""
        value = self.at(path)
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    def media_type(self, path: str) -> str | None:
        """The MIME type at the path without its parameters, in lower case; None when empty."""
        text = self.text(path)
        return text.partition(";")[0].strip().lower() or None if text else None

    @property
    def split_type(self) -> str:
        """TransformInput.SplitType; None, the service's default, when it is not set."""
        return self.text("TransformInput.SplitType") or "None"

    @property
    def assemble_with(self) -> str:
        """TransformOutput.AssembleWith; None, the service's default, when it is not set."""
        return self.text("TransformOutput.AssembleWith") or "None"


def error(rule: str, path: str, message: str, source: str) -> Finding:
    """A finding that makes the request one that must not be sent."""
    return Finding(rule=rule, severity="error", path=path, message=message, source=source)


def warning(rule: str, path: str, message: str, source: str) -> Finding:
    """A finding that the user should know of and may accept."""
    return Finding(rule=rule, severity="warning", path=path, message=message, source=source)
