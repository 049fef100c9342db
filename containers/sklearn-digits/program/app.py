"""The hosting contract as WSGI: text/csv rows of 64 pixels in, rows ``label,probability`` out."""

# ruff: noqa: INP001 - an image's own program, not a package

import io
import json
import os
from collections.abc import Callable, Iterable
from http import HTTPStatus
from pathlib import Path
from typing import Any

import joblib
import numpy as np

PIXELS = 64
MODEL = joblib.load(Path(os.environ.get("SM_MODEL_DIR", "/opt/ml/model")) / "model.joblib")


def classify(body: bytes) -> bytes:
    """One row per row. Raises ValueError on what is not rows of 64 numbers."""
    rows = np.loadtxt(io.BytesIO(body), delimiter=",", ndmin=2)
    if rows.shape[1] != PIXELS:
        raise ValueError(f"rows have {rows.shape[1]} numbers instead of {PIXELS}")
    probabilities = MODEL.predict_proba(rows)
    best = probabilities.argmax(axis=1)
    return b"".join(b"%d,%.4f\n" % (MODEL.classes_[k], row[k]) for k, row in zip(best, probabilities, strict=True))


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """GET /ping, GET /execution-parameters, POST /invocations."""
    status, kind, answer = HTTPStatus.OK, "text/plain", b""
    match environ["REQUEST_METHOD"], environ["PATH_INFO"]:
        case "GET", "/ping":
            pass
        case "GET", "/execution-parameters":
            workers = int(os.environ["SAGEMAKER_MODEL_SERVER_WORKERS"])
            wishes = {"MaxConcurrentTransforms": workers, "BatchStrategy": "MULTI_RECORD", "MaxPayloadInMB": 6}
            kind, answer = "application/json", json.dumps(wishes).encode()
        case "POST", "/invocations" if environ.get("CONTENT_TYPE", "").split(";")[0] != "text/csv":
            status, answer = HTTPStatus.UNSUPPORTED_MEDIA_TYPE, b"only text/csv\n"
        case "POST", "/invocations":
            try:
                kind, answer = "text/csv", classify(environ["wsgi.input"].read())
            except ValueError as error:
                status, kind, answer = HTTPStatus.BAD_REQUEST, "text/plain", f"{error}\n".encode()
        case _:
            status = HTTPStatus.NOT_FOUND
    headers = [("Content-Type", kind), ("Content-Length", str(len(answer)))]
    start_response(f"{status.value} {status.phrase}", headers)
    return [answer]
