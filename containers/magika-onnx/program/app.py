"""The hosting contract as WSGI: JSON lines in, JSON lines out.

A record is ``{"content": "text of a file"}``, and its answer ``{"label": "python", "score": 0.98}``, the kind of file.
One inference per record, so batching saves little.
"""

# ruff: noqa: INP001 - an image's own program, not a package

import json
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any

from magika import Magika

MODEL = Magika()


def classify(body: bytes) -> bytes:
    """One line per line. Raises ValueError (KeyError, TypeError) on what is not such a line."""
    answers = []
    for line in body.splitlines():
        found = MODEL.identify_bytes(json.loads(line)["content"].encode())
        answers.append(json.dumps({"label": str(found.output.label), "score": round(found.score, 4)}))
    return "".join(f"{answer}\n" for answer in answers).encode()


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """GET /ping, POST /invocations; no /execution-parameters, as many containers have none."""
    status, kind, answer = HTTPStatus.OK, "text/plain", b""
    match environ["REQUEST_METHOD"], environ["PATH_INFO"]:
        case "GET", "/ping":
            pass
        case "POST", "/invocations" if environ.get("CONTENT_TYPE", "").split(";")[0] != "application/jsonlines":
            status, answer = HTTPStatus.UNSUPPORTED_MEDIA_TYPE, b"only application/jsonlines\n"
        case "POST", "/invocations":
            try:
                kind, answer = "application/jsonlines", classify(environ["wsgi.input"].read())
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                status, kind = HTTPStatus.BAD_REQUEST, "text/plain"
                answer = f'not a line such as {{"content": "text"}}: {error!r}\n'.encode()
        case _:
            status = HTTPStatus.NOT_FOUND
    headers = [("Content-Type", kind), ("Content-Length", str(len(answer)))]
    start_response(f"{status.value} {status.phrase}", headers)
    return [answer]
