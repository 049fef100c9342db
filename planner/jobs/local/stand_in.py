"""A model server without a model: takes each request whole, works and waits for a given time, answers so many bytes.

Run as a script, in processes of its own and without this package, on the port in SAGEMAKER_BIND_TO_PORT. In its
environment: STAND_IN_CPU_S, CPU seconds of a request with all that receiving and answering it costs; STAND_IN_WAIT_S,
seconds that it sleeps besides; STAND_IN_RESPONSE_BYTES; STAND_IN_CLOSES, 1: it ends the connection with each answer, as
servers of synchronous workers do; STAND_IN_WORKERS, forked processes, each of which serves one connection at a time.

The work is passes over the request's own bytes, copied and cut into lines: how much memory it goes through grows with
the request, as it does in servers, and so does what it suffers from neighbours in caches and on the way to memory.
"""

import contextlib
import itertools
import os
import socket
import time
from dataclasses import dataclass

_LENGTH = b"\r\ncontent-length: "
_CHUNK_BYTES = 256 * 1024
_WORKED_BYTES = 32 * 1024
"""Between two looks at the clock."""


@dataclass(frozen=True)
class Manner:
    """How requests are answered."""

    cpu_s: float
    wait_s: float
    answer: bytes
    closes: bool


def _answer(body_bytes: int, *, closes: bool) -> bytes:
    last = b"Connection: close\r\n" if closes else b""
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n%b\r\n" % (body_bytes, last) + b"x" * body_bytes


def _received(connection: socket.socket) -> tuple[bytes, bytes] | None:
    """Head and body of the next request; None when the other side has closed."""
    head = b""
    while (end := head.find(b"\r\n\r\n")) < 0:
        chunk = connection.recv(_CHUNK_BYTES)
        if not chunk:
            return None
        head += chunk
    head, parts = head[: end + 2], [head[end + 4 :]]
    found = head.lower().find(_LENGTH)
    missing = 0 if found < 0 else int(head[found + len(_LENGTH) :].split(b"\r", 1)[0]) - len(parts[0])
    while missing > 0:
        chunk = connection.recv(min(missing, _CHUNK_BYTES))
        if not chunk:
            return None
        parts.append(chunk)
        missing -= len(chunk)
    return head, b"".join(parts)


def _work(body: bytes, until_s: float) -> None:
    """Pass over the body again and again until the process has used its CPU time up to then."""
    for start in itertools.cycle(range(0, max(1, len(body)), _WORKED_BYTES)):
        if time.process_time() >= until_s:
            return
        body[start : start + _WORKED_BYTES].splitlines()


def _serve(connection: socket.socket, manner: Manner) -> None:
    """Answer the requests of one connection."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    while True:
        until_s = time.process_time() + manner.cpu_s
        request = _received(connection)
        if request is None:
            return
        head, body = request
        if head.startswith(b"POST"):
            if manner.wait_s:
                time.sleep(manner.wait_s)
            _work(body, until_s)
            connection.sendall(manner.answer)
        else:
            connection.sendall(_answer(0, closes=True))
            return
        if manner.closes:
            return


def _accept(listener: socket.socket, manner: Manner) -> None:
    while True:
        connection, _ = listener.accept()
        with contextlib.suppress(ConnectionError), connection:
            _serve(connection, manner)


def main() -> None:
    """Serve until killed."""
    closes = os.environ["STAND_IN_CLOSES"] == "1"
    manner = Manner(
        cpu_s=float(os.environ["STAND_IN_CPU_S"]),
        wait_s=float(os.environ["STAND_IN_WAIT_S"]),
        answer=_answer(int(os.environ["STAND_IN_RESPONSE_BYTES"]), closes=closes),
        closes=closes,
    )
    with socket.create_server(("127.0.0.1", int(os.environ["SAGEMAKER_BIND_TO_PORT"])), backlog=256) as listener:
        for _ in range(int(os.environ["STAND_IN_WORKERS"]) - 1):
            if os.fork() == 0:
                break
        _accept(listener, manner)


if __name__ == "__main__":
    main()
