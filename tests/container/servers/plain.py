"""The hosting contract by hand, over the same inference.py as the model directory: python plain.py MODEL_DIR.

PARAMETERS in the environment is the body of /execution-parameters; without it that route answers 404. BIND is the
address to listen at: in a container that is every one of its own.
"""

# ruff: noqa: T201 - what a server prints is its log
import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

sys.path.insert(0, sys.argv[1])

import inference  # type: ignore[import-not-found]

MODEL = inference.model_fn(sys.argv[1])


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path == "/ping":
            self._answer(200, b"")
        elif self.path == "/execution-parameters" and "PARAMETERS" in os.environ:
            self._answer(200, os.environ["PARAMETERS"].encode())
        else:
            self._answer(404, b"no such route")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        try:
            values = inference.input_fn(body, self.headers["Content-Type"])
        except ValueError as error:
            self._answer(400, str(error).encode())
            return
        try:
            prediction = inference.predict_fn(values, MODEL)
        except RuntimeError as error:
            self._answer(500, str(error).encode())
            return
        output, content_type = inference.output_fn(prediction, self.headers.get("Accept", "application/json"))
        self._answer(200, output.encode(), content_type)

    def _answer(self, status: int, body: bytes, content_type: str = "text/plain") -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


print("serving", flush=True)
address = (os.environ.get("BIND", "127.0.0.1"), int(os.environ["SAGEMAKER_BIND_TO_PORT"]))
ThreadingHTTPServer(address, Handler).serve_forever()
