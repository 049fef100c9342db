"""What goes into the process of a job, and what comes back: two files in its scratch folder."""

from typing import Final, Literal

from planner.documents import Json, Value
from planner.jobs.endpoint.images import ImageRule
from planner.jobs.endpoint.storage import StorageSettings

ORDER: Final = "order.json"
OUTCOME: Final = "outcome.json"
LONGEST_REASON: Final = 1024
"""Characters of a FailureReason. Source: service model, shape FailureReason."""


class Order(Value, frozen=True, kw_only=True):
    """What a job is to do."""

    request: Json
    """Of CreateTransformJob."""
    container: Json
    """The Model's ContainerDefinition."""
    storage: StorageSettings
    images: tuple[ImageRule, ...]
    startup_timeout_s: float
    network: bool
    endpoint: int
    """Process that waits for the outcome; when it is gone, nobody else removes the scratch folder."""


class Outcome(Value, frozen=True, kw_only=True):
    """What became of it."""

    status: Literal["Completed", "Failed", "Stopped"]
    failure_reason: str | None = None
    notes: tuple[str, ...] = ()
    """What the service would not say: how this machine differs from the job's."""


def failed(reason: str, notes: tuple[str, ...] = ()) -> Outcome:
    """A failed job, its reason cut to what FailureReason holds."""
    text = reason.encode(errors="replace").decode()
    cut = text if len(text) <= LONGEST_REASON else f"{text[: LONGEST_REASON - 3]}..."
    return Outcome(status="Failed", failure_reason=cut, notes=notes)
