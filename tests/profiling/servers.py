"""Real servers on the loopback that behave, or misbehave, as a test says, and a container around one."""

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from planner.container.contract import Address, ContainerDescription, Limits, Startup, Usage
from planner.container.hosting import HttpContainer
from planner.errors import ContainerDiedError


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What the server does with a request."""

    status: int = 200
    body: bytes = b"ok"
    content_type: str = "text/plain"
    delay_s: float = 0.0
    announced_close: bool = False
    """Connection: close in the answer, and closed."""
    silent_close: bool = False
    """Closed after the answer without saying so."""
    reset: bool = False
    """No answer: the connection is reset."""
    raw: bytes | None = None
    """Sent as it is, then the connection is closed."""

    def wire(self) -> bytes:
        close = "Connection: close\r\n" if self.announced_close else ""
        head = (
            f"HTTP/1.1 {self.status} Said\r\nContent-Type: {self.content_type}\r\n{close}"
            f"Content-Length: {len(self.body)}\r\n\r\n"
        )
        return head.encode() + self.body


@dataclass(slots=True)
class Server:
    """A threaded server; `answer` maps the body of each POST to a reply. GET is answered 200."""

    answer: Callable[[bytes], Reply]
    bodies: list[bytes] = field(default_factory=list)
    connections: int = 0
    in_flight: int = 0
    most_in_flight: int = 0
    port: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _threads: list[threading.Thread] = field(default_factory=list)
    _sockets: list[socket.socket] = field(default_factory=list)
    _listener: socket.socket | None = None

    @property
    def address(self) -> Address:
        return Address(host="127.0.0.1", port=self.port)

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self._listener.getsockname()[1]
        self._spawn(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        if self._listener is not None:
            with contextlib.suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None
        for connection in self._sockets:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()
        for thread in self._threads:
            thread.join()

    def _spawn(self, target: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        listener = self._listener
        assert listener is not None
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            self.connections += 1
            self._sockets.append(connection)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._spawn(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection, connection.makefile("rb", buffering=2**18) as stream:
            while head := stream.readline():
                length = 0
                while (line := stream.readline()).strip():
                    if line.lower().startswith(b"content-length:"):
                        length = int(line.partition(b":")[2])
                body = stream.read(length)
                if head.startswith(b"GET"):
                    connection.sendall(Reply().wire())
                elif not self._reply(connection, body):
                    return

    def _reply(self, connection: socket.socket, body: bytes) -> bool:
        """Answer one POST; whether the connection goes on."""
        with self._lock:
            self.bodies.append(body)
            self.in_flight += 1
            self.most_in_flight = max(self.most_in_flight, self.in_flight)
        reply = self.answer(body)
        if reply.delay_s:
            time.sleep(reply.delay_s)
        with self._lock:
            self.in_flight -= 1
        if reply.reset:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return False
        connection.sendall(reply.wire() if reply.raw is None else reply.raw)
        return not (reply.announced_close or reply.silent_close or reply.raw is not None)


class ServedHere(HttpContainer):
    """A container around such a server. Each request costs a made-up time of CPU; memory is 1 MiB per 100 requests."""

    def __init__(
        self,
        answer: Callable[[bytes], Reply],
        *,
        workers: int | None = None,
        digest: str | None = None,
        cpu_s_per_request: float = 0.002,
    ) -> None:
        self.server = Server(answer)
        self.starts = 0
        self.stops = 0
        self.dead = False
        self.cpu_s_per_request = cpu_s_per_request
        self._description = ContainerDescription(
            backend="process", target="served here", digest=digest, environment={}, limits=Limits(), workers=workers
        )

    @property
    def description(self) -> ContainerDescription:
        return self._description

    @property
    def address(self) -> Address:
        return self.server.address

    def start(self) -> Startup:
        self.starts += 1
        self.server.__enter__()
        return Startup(ping_s=0.01)

    def check_alive(self) -> None:
        if self.dead:
            raise ContainerDiedError("the server ended with status 137")

    def usage(self) -> Usage | None:
        count = len(self.server.bodies)
        return Usage(
            cpu_s=self.cpu_s_per_request * count,
            memory_bytes=2**20,
            memory_peak_bytes=2**20 * (1 + count // 100),
            source="process-tree",
        )

    def reset_memory_peak(self) -> None:
        """The made-up peak only grows."""

    def log_tail(self, lines: int = 20) -> str:
        return "Traceback: the model fell over"

    def stop(self) -> None:
        self.stops += 1
        self.server.close()


@contextlib.contextmanager
def started(container: ServedHere) -> Iterator[ServedHere]:
    with container:
        yield container


def one_line_each(body: bytes) -> Reply:
    """A well-behaved model: one line of CSV per line of input."""
    return Reply(body=b"1\n" * body.count(b"\n"), content_type="text/csv", delay_s=0.002)
