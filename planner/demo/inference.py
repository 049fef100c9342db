"""The demo model's four functions, packed into model.tar.gz as they stand: nothing here may import the planner.

A record is one image of the digits data set as 64 numbers: a line of CSV, or a JSON Lines object
``{"features": [...]}``. The answer is one line per record, in the same order.
"""

import io
import json
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from numpy.typing import NDArray

PIXELS = 64


def model_fn(model_dir: str) -> Any:
    """The classifier that was packed beside this file."""
    return joblib.load(Path(model_dir) / "model.joblib")


def input_fn(body: bytes | str, content_type: str) -> NDArray[np.float64]:
    """Records as an array of shape (records, 64). Raises ValueError on any other type or width."""
    text = body.decode() if isinstance(body, bytes) else body
    match content_type.split(";", maxsplit=1)[0].strip().lower():
        case "text/csv":
            records = np.loadtxt(io.StringIO(text), delimiter=",", ndmin=2)
        case "application/jsonlines" | "application/x-jsonlines" | "application/jsonl":
            records = np.array([json.loads(line)["features"] for line in text.splitlines()], dtype=np.float64)
        case other:
            raise ValueError(f"content type {other!r} is not text/csv or application/jsonlines")
    if records.ndim != 2 or records.shape[1] != PIXELS:
        raise ValueError(f"a record has {PIXELS} numbers; got an array of shape {records.shape}")
    return records


def predict_fn(records: NDArray[np.float64], model: Any) -> NDArray[np.float64]:
    """Probability of each class, shape (records, 10)."""
    probabilities: NDArray[np.float64] = model.predict_proba(records)
    return probabilities


def output_fn(probabilities: NDArray[np.float64], accept: str) -> tuple[bytes, str]:
    """One line per record: the most probable digit and its probability; the body and its content type.

    The last line has no end: AssembleWith=Line adds one after every answer, and a second would leave blank lines.
    """
    digits, best = probabilities.argmax(axis=1), probabilities.max(axis=1)
    if accept.split(";", maxsplit=1)[0].split(",", maxsplit=1)[0].strip().lower() == "text/csv":
        lines = [f"{digit},{share:.4f}" for digit, share in zip(digits, best, strict=True)]
        return "\n".join(lines).encode(), "text/csv"
    lines = [f'{{"digit":{digit},"probability":{share:.4f}}}' for digit, share in zip(digits, best, strict=True)]
    return "\n".join(lines).encode(), "application/jsonlines"
