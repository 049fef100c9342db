"""A model server for tests of local runs: answers one line per record and writes down what it was asked.

Run as ``python local_server.py LOG``; every request is one JSON line of LOG. What a body holds decides how it goes:
POISON is answered 500 each time, FLAKY 503 the first time, REFUSED 413, SLOW after two seconds, WAKING after half a
second the first time, DIE ends the process.
Variables: CLOSES (1: each answer ends the connection), DELAY_MS (at most so long, by the body's own checksum),
PARAMETERS (body of /execution-parameters), MODE ("upper": every line in capitals; "label": a JSON object per line;
"number": the count of the fields of a CSV line; "short": one line too few).
"""

import json
import os
import sys
import threading
import time
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

LOG = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(os.devnull)
MODE = os.environ.get("MODE", "upper")
DELAY_MS = float(os.environ.get("DELAY_MS", "0"))
_lock = threading.Lock()
_seen: set[int] = set()
_in_flight: set[int] = set()


def answer_to(body: bytes) -> bytes:
    """The answer to a body whose every line is a record."""
    lines = body.removesuffix(b"\n").split(b"\n")
    if MODE == "label":
        return b"".join(b'{"label":%d}\n' % len(line) for line in lines)
    if MODE == "number":
        return b"".join(b"%d\n" % len(line.split(b",")) for line in lines)
    if MODE == "short":
        return b"x\n" * (len(lines) - 1)
    return b"\n".join(line.upper() for line in lines)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one packet: else the second waits for the acknowledgement of the first

    def log_message(self, *_: object) -> None:
        pass

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if os.environ.get("CLOSES") == "1":
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        if self.path == "/ping":
            self._answer(200, b"")
        elif self.path == "/execution-parameters" and "PARAMETERS" in os.environ:
            self._answer(200, os.environ["PARAMETERS"].encode())
        else:
            self._answer(404, b"")

    def do_POST(self) -> None:
        body = self._body()
        checksum = zlib.crc32(body)
        with _lock:
            _in_flight.add(threading.get_ident())
            first = checksum not in _seen
            _seen.add(checksum)
            self._note(body, len(_in_flight))
        time.sleep(checksum % 1000 / 1000 * DELAY_MS / 1000)
        if b"DIE" in body:
            os._exit(3)
        if b"SLOW" in body:
            time.sleep(2)
        if b"WAKING" in body and first:
            time.sleep(0.5)
        status = 500 if b"POISON" in body else 413 if b"REFUSED" in body else 503 if b"FLAKY" in body and first else 200
        answer = answer_to(body) if status == 200 else b"no"
        with _lock:
            _in_flight.discard(threading.get_ident())
        self._answer(status, answer)

    def _body(self) -> bytes:
        if self.headers["Transfer-Encoding"] != "chunked":
            return self.rfile.read(int(self.headers["Content-Length"]))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _note(self, body: bytes, in_flight: int) -> None:
        row = {
            "server": os.getpid(),
            "bytes": len(body),
            "records": len(body.removesuffix(b"\n").split(b"\n")),
            "first": body[:40].decode("utf-8", "replace"),
            "in_flight": in_flight,
            "content_type": self.headers["Content-Type"],
            "accept": self.headers["Accept"],
            "encoding": self.headers["Transfer-Encoding"],
            "environment": {name: value for name, value in os.environ.items() if name.startswith("SAGEMAKER_")},
        }
        with LOG.open("a") as log:
            log.write(json.dumps(row) + "\n")


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


if __name__ == "__main__":
    Server(("127.0.0.1", int(os.environ["SAGEMAKER_BIND_TO_PORT"])), Handler).serve_forever()
