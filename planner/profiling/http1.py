"""One HTTP/1.1 connection with at most one request in flight, driven by a selector.

The request's bytes stand ready before the clock starts; llhttp (httptools) reads the response. A connection is
kept while the server keeps it. When the server has closed it between two requests, which it may do at any time
(RFC 9112, section 9.3.1), the next request meets a reset or an end of stream before any byte of an answer: it
is sent once more on a fresh connection, as Go's client does, and only a second refusal is a failure.
"""

import errno
import selectors
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

import httptools

from planner.container.contract import Address

SNIPPET_BYTES: Final = 300
"""How much of the first failing body is kept for the message."""

_JOINED_BYTES: Final = 64 * 1024
"""Up to here one copied buffer and one send() cost less than sendmsg() on two."""
RECEIVE_BUFFER_BYTES: Final = 256 * 1024
"""Size of the buffer that the connections of one loop share; an answer of 1 MB then takes few calls."""
_CONNECTING: Final = frozenset({0, errno.EINPROGRESS, errno.EWOULDBLOCK})

READ: Final = selectors.EVENT_READ
WRITE: Final = selectors.EVENT_WRITE

FailureKind: TypeAlias = Literal["status", "timeout", "reset", "refused", "malformed"]
"""An answer of 4xx or 5xx; no answer in time; closed in the middle; no connection; not HTTP."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request as it goes over the wire."""

    parts: tuple[memoryview, ...]
    """Head and body; joined where that is cheaper."""
    wire_bytes: int
    body_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why a request brought no 2xx answer."""

    kind: FailureKind
    status: int | None = None
    snippet: str = ""
    """The beginning of the body, or the operating system's words."""

    def __str__(self) -> str:
        what = f"status {self.status}" if self.kind == "status" else self.kind
        return f"{what}: {self.snippet}" if self.snippet else what


def prepare_request(address: Address, body: bytes, *, content_type: str, accept: str | None) -> Request:
    """The bytes of ``POST /invocations`` with this body."""
    head = (
        f"POST {address.base_path}/invocations HTTP/1.1\r\n"
        f"Host: {address.host}:{address.port}\r\n"
        f"Content-Type: {content_type}\r\n"
        + (f"Accept: {accept}\r\n" if accept else "")
        + f"Content-Length: {len(body)}\r\n\r\n"
    ).encode("latin-1")
    small = len(head) + len(body) <= _JOINED_BYTES
    parts = (memoryview(head + body),) if small else (memoryview(head), memoryview(body))
    return Request(parts=parts, wire_bytes=len(head) + len(body), body_bytes=len(body))


def _rest(parts: Sequence[memoryview], sent: int) -> list[memoryview]:
    """What is left of the parts after the first `sent` bytes; views, not copies."""
    left = []
    for part in parts:
        if sent < len(part):
            left.append(part[sent:])
        sent = max(0, sent - len(part))
    return left


class Connection:
    """A connection to the server that is opened when first needed and again after each loss.

    `begin` puts a request on its way; `on_ready` moves it on when the selector says so and returns True once
    the answer is complete (`status`, `response_bytes`) or failed (`failure`).
    """

    __slots__ = (
        "_address",
        "_answered",
        "_buffer",
        "_complete",
        "_events",
        "_framed",
        "_headers_complete",
        "_keep",
        "_parser",
        "_request",
        "_retried",
        "_selector",
        "_sent",
        "_snippet",
        "_socket",
        "_used",
        "failure",
        "response_bytes",
        "started_s",
        "status",
    )

    def __init__(self, address: Address, selector: selectors.BaseSelector, buffer: memoryview) -> None:
        self._address = address
        self._buffer = buffer
        self._selector = selector
        self._socket: socket.socket | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._used = False
        self._events = 0
        self.started_s = 0.0
        self._retried = False
        self._reset_answer()

    def _reset_answer(self) -> None:
        self._sent = 0
        self._answered = self._headers_complete = self._framed = self._complete = self._keep = False
        self._snippet = b""
        self.status = 0
        self.response_bytes = 0
        self.failure: Failure | None = None

    # --- called by llhttp ---------------------------------------------------------------------------
    def on_header(self, name: bytes, _value: bytes) -> None:
        """Note whether the body's end is announced; if not, the end of the stream is its end."""
        if len(name) in (14, 17) and name.lower() in (b"content-length", b"transfer-encoding"):
            self._framed = True

    def on_headers_complete(self) -> None:
        """Note the status."""
        self.status = self._parser.get_status_code()
        self._headers_complete = True

    def on_body(self, chunk: bytes) -> None:
        """Count the body; keep the beginning of a failing one."""
        self.response_bytes += len(chunk)
        if self.status >= 300 and len(self._snippet) < SNIPPET_BYTES:
            self._snippet += chunk[: SNIPPET_BYTES - len(self._snippet)]

    def on_message_complete(self) -> None:
        """Note the end of the answer; interim answers (1xx) are not it."""
        self._complete = self.status >= 200
        self._keep = self._parser.should_keep_alive()

    # --- called by the loop -------------------------------------------------------------------------
    def begin(self, request: Request, now_s: float) -> bool:
        """Send the request, or start connecting. True if it has already failed."""
        self._request = request
        self.started_s = now_s
        self._retried = False
        self._reset_answer()
        if self._socket is None:
            return self._connect()
        return self._flush()

    def on_ready(self, mask: int) -> bool:
        """Send and receive what can be. True once the request is over, one way or the other."""
        if mask & WRITE and self._flush():
            return True
        return bool(mask & READ) and self._receive()

    def time_out(self, timeout_s: float) -> None:
        """Give the request up."""
        self._fail("timeout", f"no complete answer within {timeout_s:g} s")

    def close(self) -> None:
        """Close the socket, if there is one."""
        if self._socket is not None:
            if self._events:
                self._selector.unregister(self._socket)
                self._events = 0
            self._socket.close()
            self._socket = None

    # --- inside -------------------------------------------------------------------------------------
    def _connect(self) -> bool:
        self.close()
        self._parser = httptools.HttpResponseParser(self)
        self._used = False
        try:
            family, kind, protocol, _, place = socket.getaddrinfo(
                self._address.host, self._address.port, type=socket.SOCK_STREAM
            )[0]
            self._socket = socket.socket(family, kind, protocol)
            self._socket.settimeout(0)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            code = self._socket.connect_ex(place)
        except OSError as error:
            return self._fail("refused", str(error))
        if code not in _CONNECTING:
            return self._fail("refused", errno.errorcode.get(code, str(code)))
        self._watch(READ | WRITE)
        return False

    def _watch(self, events: int) -> None:
        if events != self._events:
            assert self._socket is not None
            if self._events:
                self._selector.modify(self._socket, events, self)
            else:
                self._selector.register(self._socket, events, self)
            self._events = events

    def _flush(self) -> bool:
        """Send as much as the socket takes. True if the request failed."""
        assert self._socket is not None
        request = self._request
        try:
            if self._sent == 0 and len(request.parts) == 1:
                self._sent = self._socket.send(request.parts[0])
            while self._sent < request.wire_bytes:
                self._sent += self._socket.sendmsg(_rest(request.parts, self._sent))
        except BlockingIOError:
            self._watch(READ | WRITE)
            return False
        except ConnectionRefusedError as error:
            return self._lost(error)
        except OSError:
            # The server may have answered (413, say) before it closed: what it said is still to be read.
            return self._receive()
        self._watch(READ)
        return False

    def _receive(self) -> bool:
        """Read what has come. True once the answer is complete or has failed."""
        assert self._socket is not None
        try:
            count = self._socket.recv_into(self._buffer)
        except BlockingIOError:
            return False
        except OSError as error:
            return self._lost(error)
        if count == 0:
            return self._ended()
        self._answered = True
        try:
            self._parser.feed_data(self._buffer[:count])
        except httptools.HttpParserError as error:
            if not self._complete:
                return self._fail("malformed", f"not an HTTP response: {error}")
            self._keep = False
        return self._complete and self._finish()

    def _finish(self) -> bool:
        self._used = True
        if not self._keep or self._sent < self._request.wire_bytes:
            self.close()
        if not 200 <= self.status < 300:
            self.failure = Failure(
                kind="status", status=self.status, snippet=self._snippet.decode("utf-8", "replace").strip()
            )
        return True

    def _ended(self) -> bool:
        """The server closed the connection: the end of a body without announced length, or too early."""
        if self._headers_complete and not self._framed:
            self._complete = True
            return self._finish()
        return self._lost(ConnectionResetError(errno.ECONNRESET, "the server closed the connection"))

    def _lost(self, error: OSError) -> bool:
        """The connection ended without a complete answer: try once more if it was an old one, else fail."""
        if self._used and not self._answered and not self._retried:
            self._retried = True
            self._reset_answer()
            return self._connect()
        refused = isinstance(error, ConnectionRefusedError)
        return self._fail("refused" if refused else "reset", error.strerror or str(error))

    def _fail(self, kind: FailureKind, reason: str) -> bool:
        self.close()
        self.failure = Failure(kind=kind, snippet=reason)
        return True
