"""What the served application makes of the user's functions: statuses, defaults, types."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from planner.container.model_dir import ModelDirectoryContainer
from tests.container.contract import LINES
from tests.container.traces import eventually

SCRIPT = """
class UnsupportedFormatError(Exception): pass

class WithStatus(Exception):
    status_code = 413

def model_fn(model_dir): return {}

def input_fn(body, content_type):
    if body == b"unsupported": raise UnsupportedFormatError(content_type)
    if body == b"large": raise WithStatus("too much")
    if body == b"key": return {}["absent"]
    if body == b"bug": raise RuntimeError("a bug in input_fn")
    return body

def predict_fn(data, model):
    if data == b"value": raise ValueError("the model is broken")
    return data

def output_fn(prediction, accept):
    if prediction == b"accept": return accept
    if prediction == b"wrong": return {"not": "bytes"}
    if prediction == b"pair": return b"body", "application/x-npy"
    return prediction
"""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModelDirectoryContainer]:
    folder = tmp_path_factory.mktemp("model")
    (folder / "inference.py").write_text(SCRIPT)
    with ModelDirectoryContainer(folder, environment={"SAGEMAKER_MODEL_SERVER_WORKERS": "1"}) as container:
        yield container


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        (b"unsupported", 415, "UnsupportedFormatError: application/jsonlines"),
        (b"large", 413, "too much"),
        (b"key", 400, "KeyError"),
        (b"bug", 500, "a bug in input_fn"),
        (b"value", 500, "the model is broken"),
        (b"wrong", 500, "output_fn returned dict"),
    ],
)
def test_what_a_function_raises_becomes_the_status_the_toolkits_would_answer(
    served: ModelDirectoryContainer, body: bytes, status: int, reason: str
) -> None:
    answer = served.invoke(body, content_type=LINES)
    assert (answer.status, reason in answer.body.decode()) == (status, True)


def test_a_bug_leaves_its_traceback_in_the_log(served: ModelDirectoryContainer) -> None:
    served.invoke(b"bug", content_type=LINES)
    assert eventually(lambda: "RuntimeError: a bug in input_fn" in served.log_tail(40))
    assert "Traceback" in served.log_tail(40)


@pytest.mark.parametrize(
    ("asked", "told"),
    [(None, b"application/json"), ("*/*", b"application/json"), ("text/csv", b"text/csv"), ("a/b;q=0.5", b"a/b;q=0.5")],
)
def test_output_fn_is_told_the_accept_header_or_the_default_of_the_toolkits(
    served: ModelDirectoryContainer, asked: str | None, told: bytes
) -> None:
    assert served.invoke(b"accept", content_type=LINES, accept=asked).body == told


def test_a_pair_from_output_fn_is_body_and_content_type(served: ModelDirectoryContainer) -> None:
    answer = served.invoke(b"pair", content_type=LINES)
    assert (answer.body, answer.content_type) == (b"body", "application/x-npy")


def test_a_served_model_does_not_carry_the_planner_with_it() -> None:
    """Its memory would count as the model's."""
    program = (
        "import os, sys; os.environ.update(PLANNER_READY_FOLDER='', PLANNER_INFERENCE_SCRIPT=''); "
        "import planner.container.serving; "
        "loaded = {name.split('.')[0] for name in sys.modules}; "
        "print(sorted(loaded & {'msgspec', 'psutil', 'numpy', 'pandas', 'boto3', 'click', 'rich'}))"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, cwd=Path.cwd())
    assert result.stdout == b"[]\n"
