"""Contract checks: what would fail in the job, found here, before the first number is measured."""

import time
from typing import Final

from planner.container.contract import Container, Response
from planner.errors import InvocationError, ResponseMismatchError
from planner.profiling.http1 import SNIPPET_BYTES, Failure
from planner.records.dataset import SplitType
from planner.units import show_bytes

LINE_TYPES: Final = frozenset({"text/csv", "application/jsonlines", "application/x-jsonlines", "application/x-ndjson"})
"""Response types in which one line is one record."""
_LOG_LINES: Final = 15
_NEWS_S: Final = 0.5
"""How long a lost connection waits for the news that the server has ended."""


def media_type(content_type: str | None) -> str:
    """The type without its parameters: ``text/csv`` of ``text/csv; charset=utf-8``; empty for None."""
    return (content_type or "").partition(";")[0].strip().lower()


def count_lines(body: bytes) -> int:
    """Lines in the body; newlines at its very end do not begin another."""
    stripped = body.rstrip(b"\r\n")
    return stripped.count(b"\n") + 1 if stripped else 0


def with_log(container: Container, message: str) -> str:
    """The message, followed by the last lines of the container's log where they can be seen."""
    log = container.log_tail(_LOG_LINES)
    return f"{message}\nLast lines of its log:\n{log}" if log else message


def failed_invocation(
    container: Container, failure: Failure, *, records: int, request_bytes: int, concurrency: int = 1
) -> InvocationError:
    """The error for a request that brought no 2xx answer. ContainerDiedError is raised instead if that is why."""
    _raise_if_ended(container, patience_s=_NEWS_S if failure.kind in ("reset", "refused") else 0.0)
    sent = f"{records:,} record{'s' if records != 1 else ''} ({show_bytes(request_bytes)})"
    advice = {
        413: "The server limits the body size: lower --records-per-request or raise the server's limit.",
        415: "The server does not take this content type: check --content-type.",
        406: "The server does not answer in the type asked for: check --accept.",
    }.get(failure.status or 0, "A transform job would fail on it the same way: check the sample and the container.")
    if failure.kind == "timeout":
        advice = "Send fewer records per request, or fewer requests at once."
    return InvocationError(
        with_log(
            container,
            f"POST /invocations with {sent}, {concurrency} in flight, failed with {failure}. {advice}",
        )
    )


def _raise_if_ended(container: Container, patience_s: float) -> None:
    """Raise ContainerDiedError if the server has ended, or does so shortly: its connections go before it does."""
    deadline_s = time.monotonic() + patience_s
    container.check_alive()
    while time.monotonic() < deadline_s:
        time.sleep(0.02)
        container.check_alive()


def check_response(container: Container, response: Response, *, records: int, request_bytes: int) -> bool:
    """Whether the number of records in the answer could be checked (its type says one line per record).

    Raises InvocationError for a status other than 2xx, ResponseMismatchError for another number of lines.
    """
    if not 200 <= response.status < 300:
        text = response.body[:SNIPPET_BYTES].decode("utf-8", "replace").strip()
        failure = Failure(kind="status", status=response.status, snippet=text)
        raise failed_invocation(container, failure, records=records, request_bytes=request_bytes)
    if media_type(response.content_type) not in LINE_TYPES:
        return False
    lines = count_lines(response.body)
    if lines != records:
        start = response.body[:SNIPPET_BYTES].decode("utf-8", "replace").strip()
        raise ResponseMismatchError(
            f"a request of {records:,} records was answered with {lines:,} lines of "
            f"{media_type(response.content_type)}; the job needs one line per record, or its output cannot be "
            f"joined to its input. The answer begins: {start!r}"
        )
    return True


def divisible(split_type: SplitType) -> bool:
    """Whether a request may hold more than one record: not when each object is sent whole."""
    return split_type != "None"
