"""A tiny model of the SageMaker form: it multiplies; one line in, one line out. Words make it misbehave."""

# ruff: noqa: T201 - what a server prints is its log
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

BURN_S = 0.2
BURN = f"import time\nend = time.process_time() + {BURN_S}\nwhile time.process_time() < end: pass"
ALLOCATE_BYTES = 64 * 2**20


def model_fn(model_dir: str) -> float:
    fault = os.environ.get("MODEL_FAULT")
    if fault == "raise":
        raise RuntimeError("no such weights")
    if fault == "hang":
        time.sleep(60)
    return float((Path(model_dir) / "factor.txt").read_text())


def input_fn(body: bytes, content_type: str) -> list[Any]:
    if content_type != "application/jsonlines":
        raise ValueError(f"content type {content_type!r} is not application/jsonlines")
    return [json.loads(line) for line in body.splitlines()]


def predict_fn(values: list[Any], factor: float) -> list[float]:
    return [_misbehave(value) if isinstance(value, str) else factor * value for value in values]


def output_fn(prediction: list[float], accept: str) -> tuple[str, str]:
    return "".join(f"{json.dumps(value)}\n" for value in prediction), accept


def _misbehave(word: str) -> float:  # noqa: C901 - one case a word
    match word:
        case "sleep":
            time.sleep(20)
        case "die":
            print("last words", flush=True)
            os.killpg(0, signal.SIGKILL)
        case "fail":
            raise RuntimeError("the model is broken")
        case "burn":
            exec(BURN)
        case "burn in a child":
            subprocess.run([sys.executable, "-I", "-S", "-c", BURN], check=True)
        case "allocate":
            block = bytearray(ALLOCATE_BYTES)
            block[::4096] = b"x" * len(block[::4096])
        case "flood":
            for number in range(80_000):
                print(f"line {number} {'x' * 90}")
        case "environment":
            print(json.dumps(dict(os.environ)), flush=True)
        case "detach":
            _detach()
        case "cpus":
            return float(len(os.sched_getaffinity(0)))
        case "process":
            return float(os.getpid())
    return 0.0


def _detach() -> None:
    """A grandchild in a session of its own that ignores SIGTERM; its number goes to the log."""
    if os.fork() == 0:
        os.setsid()
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if os.fork() == 0:
            print(f"detached {os.getpid()}", flush=True)
            time.sleep(60)
        os._exit(0)
    os.wait()
