"""The hosting contract in three shapes (processes, threads, one event loop) for the servers of this folder.

Each server is given `answer(records) -> results`, one line in, one line out, and listens on the port that
SAGEMAKER_BIND_TO_PORT names. Standard library only, so that what is measured is the server's character.
"""

import asyncio
import hashlib
import os
import signal
import socket
from collections.abc import Awaitable, Callable, Sequence
from http.server import BaseHTTPRequestHandler, HTTPServer, ThreadingHTTPServer
from typing import TypeAlias

Records: TypeAlias = Sequence[bytes]
Answer: TypeAlias = Callable[[Records], Records]

PORT = int(os.environ.get("SAGEMAKER_BIND_TO_PORT", "8080"))


def burn(record: bytes, rounds: int) -> bytes:
    """A result that costs `rounds` hashes of CPU time, about half a microsecond each, and holds the interpreter."""
    digest = record
    for _ in range(rounds):
        digest = hashlib.sha256(digest).digest()
    return digest.hex()[:8].encode()


def handler(answer: Answer, *, keep_alive: bool = True) -> type[BaseHTTPRequestHandler]:
    """A request handler around answer."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def do_GET(self) -> None:
            self._send(200 if self.path == "/ping" else 404, b"")

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self._send(200, b"\n".join(answer(body.splitlines())) + b"\n")

        def _send(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/jsonlines")
            self.send_header("Content-Length", str(len(body)))
            if not keep_alive:
                self.send_header("Connection", "close")
                self.close_connection = True
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            pass

    return Handler


class _Threads(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


def serve_threads(answer: Answer) -> None:
    """One process, one thread a connection."""
    _Threads(("127.0.0.1", PORT), handler(answer)).serve_forever()


def serve_processes(answer: Answer, workers: int) -> None:
    """Forked workers that take requests, one each, from one socket.

    Connections end with each response, as they do between a proxy and a synchronous worker: a kept connection
    would tie a client to one worker.
    """
    listener = socket.create_server(("127.0.0.1", PORT), backlog=256)
    children = []
    for _ in range(workers):
        child = os.fork()
        if child == 0:
            server = HTTPServer(("127.0.0.1", PORT), handler(answer, keep_alive=False), bind_and_activate=False)
            server.socket.close()
            server.socket = listener
            server.server_address = ("127.0.0.1", PORT)
            server.serve_forever()
        children.append(child)

    def end(_signal: int, _frame: object) -> None:
        for child in children:
            os.kill(child, signal.SIGKILL)
        os._exit(0)

    signal.signal(signal.SIGTERM, end)
    while True:
        os.wait()


def serve_event_loop(answer: Callable[[Records], Awaitable[Records]]) -> None:
    """One event loop; answers may wait without holding it."""

    async def connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                length = 0
                for line in head.split(b"\r\n"):
                    if line.startswith(b"content-length:"):
                        length = int(line.split(b":")[1])
                body = await reader.readexactly(length) if length else b""
                result = b"\n".join(await answer(body.splitlines())) + b"\n" if body else b""
                writer.write(
                    b"HTTP/1.1 200 OK\r\nContent-Type: application/jsonlines\r\nContent-Length: %d\r\n\r\n"
                    % len(result)
                    + result
                )
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def run() -> None:
        server = await asyncio.start_server(connection, "127.0.0.1", PORT, limit=2**26, backlog=256)
        async with server:
            await server.serve_forever()

    asyncio.run(run())
