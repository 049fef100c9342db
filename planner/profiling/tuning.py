"""What a search over environment variables tried and chose, as a profile holds it."""

from collections.abc import Mapping

from planner.documents import Value


class Trial(Value, frozen=True, kw_only=True):
    """One setting of environment variables that was tried."""

    environment: Mapping[str, str]
    """The tuned variables; empty: the container as it was given."""
    throughput_records_per_s: float | None
    """Best of its few points; None where it failed."""
    verified_records_per_s: float | None = None
    """At that point again, for longer, at the end of the search; None: it was not among the best, or failed then."""
    records_per_request: int | None = None
    concurrency: int | None = None
    reason: str = ""
    """Why it failed."""


class Tuning(Value, frozen=True, kw_only=True):
    """The search over environment variables that the profile was measured after, under its best setting."""

    space: Mapping[str, tuple[str, ...]]
    """Values tried from, by variable."""
    chosen: Mapping[str, str]
    trials: tuple[Trial, ...]
    """In order; the first is the container as it was given."""
