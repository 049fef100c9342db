"""A connection that keeps what it receives, and requests as the service's agent sends them."""

import selectors
from typing import Final

from planner.container.contract import Address
from planner.errors import RequestRejectedError
from planner.profiling.http1 import Connection, Failure, Request

_JOINED_BYTES: Final = 64 * 1024
"""Up to here one copied buffer and one system call cost less than two parts."""


class KeepingConnection(Connection):
    """`planner.profiling.http1.Connection`, which counts the bytes of an answer, and the answer's bytes."""

    __slots__ = ("_chunks", "opened")

    def __init__(self, address: Address, selector: selectors.BaseSelector, buffer: memoryview) -> None:
        super().__init__(address, selector, buffer)
        self._chunks: list[bytes] = []
        self.opened = 0
        """How often it was opened: more than once where the server ended it."""

    def _connect(self) -> bool:
        self.opened += 1
        return super()._connect()

    def begin(self, request: Request, now_s: float) -> bool:
        """Send the request, or start connecting. True if it has already failed."""
        self._chunks = []
        return super().begin(request, now_s)

    def on_body(self, chunk: bytes) -> None:
        """Keep the body of an answer, and only count that of a failure."""
        super().on_body(chunk)
        if 200 <= self.status < 300:
            self._chunks.append(chunk)

    def take_body(self) -> bytes:
        """The answer's body; the connection lets go of it."""
        body, self._chunks = b"".join(self._chunks), []
        return body


def request_head(address: Address, content_type: str | None, accept: str | None) -> bytes:
    """The head of every ``POST /invocations`` of a job, up to what tells the body's length.

    Raises RequestRejectedError for a type that no HTTP header can hold.
    """
    head = (
        f"POST {address.base_path}/invocations HTTP/1.1\r\n"
        f"Host: {address.host}:{address.port}\r\n"
        + (f"Content-Type: {content_type}\r\n" if content_type else "")
        + (f"Accept: {accept}\r\n" if accept else "")
    )
    try:
        return head.encode("latin-1")
    except UnicodeEncodeError as error:
        raise RequestRejectedError(
            f"ContentType {content_type!r} and Accept {accept!r} go into HTTP headers, which hold latin-1 only; "
            "use a MIME type such as text/csv"
        ) from error


def request_with(head: bytes, body: bytes, *, in_chunks: bool = False) -> Request:
    """The request with this body, ready to be sent; in_chunks: of a length that is not announced, in one HTTP chunk."""
    if in_chunks:
        chunk = (b"%x\r\n" % len(body), body, b"\r\n") if body else ()
        pieces: tuple[bytes, ...] = (b"%bTransfer-Encoding: chunked\r\n\r\n" % head, *chunk, b"0\r\n\r\n")
    else:
        pieces = (b"%bContent-Length: %d\r\n\r\n" % (head, len(body)), body)
    wire_bytes = sum(map(len, pieces))
    parts = (b"".join(pieces),) if wire_bytes <= _JOINED_BYTES else pieces
    return Request(parts=tuple(map(memoryview, parts)), wire_bytes=wire_bytes, body_bytes=len(body))


def service_words(failure: Failure) -> str:
    """A failed request in the words of the service's agent, as they stand in public job logs.

    4xx is ``ClientError: 413``; another status ``Bad HTTP status received from algorithm: 500``; a time-out, a lost
    connection or a crashed worker ``Unable to get response from algorithm``. What the server said follows in brackets.
    """
    said = f" ({failure.snippet})" if failure.snippet else ""
    if failure.kind != "status":
        return f"Unable to get response from algorithm ({failure})"
    assert failure.status is not None
    if 400 <= failure.status < 500:
        return f"ClientError: {failure.status}{said}"
    return f"Bad HTTP status received from algorithm: {failure.status}{said}"
