"""The WSGI application that serves a user's ``inference.py``: what gunicorn loads in every worker.

inference-server answers the routes of the hosting contract and calls the functions below as its hooks; they call
the user's functions with the signatures of the SageMaker toolkits:

    model_fn(model_dir), input_fn(body, content_type), predict_fn(input, model), output_fn(prediction, accept)

Told by the environment: SM_MODEL_DIR, the file in PLANNER_INFERENCE_SCRIPT, and PLANNER_READY_FOLDER, where each
worker leaves a mark once its model is loaded, so that /ping answers 200 only when all of them are ready.
Imports nothing else of the planner: its memory would count as the model's.
"""

import importlib.util
import logging
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import inference_server
import inference_server._plugin as inference_server_plugin
from werkzeug.datastructures import MIMEAccept
from werkzeug.exceptions import BadRequest, HTTPException, InternalServerError, UnsupportedMediaType, abort

FUNCTIONS: Final = ("model_fn", "input_fn", "predict_fn", "output_fn")
DEFAULT_ACCEPT: Final = "application/json"
"""What the toolkits take for no Accept header or ``*/*``, unless SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT says else."""

logger = logging.getLogger("planner.serving")


class Box:
    """A value on its way between hooks: a hook that returned None would be taken for one that declined."""

    def __init__(self, value: Any) -> None:
        self.value = value


def load_script(path: Path) -> ModuleType:
    """The user's module, with its folder on sys.path. Raises ImportError if a function is missing."""
    sys.path.insert(0, str(path.parent))
    spec = importlib.util.spec_from_file_location("inference", path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    sys.modules["inference"] = module
    spec.loader.exec_module(module)
    missing = [name for name in FUNCTIONS if not callable(getattr(module, name, None))]
    if missing:
        raise ImportError(f"{path} does not define {', '.join(missing)}")
    return module


class Hooks:
    """The user's four functions as hooks of inference-server."""

    def __init__(self, script: ModuleType, model_dir: str, workers: int, ready: Path) -> None:
        self._script = script
        self._model_dir = model_dir
        self._workers = workers
        self._ready = ready
        self._all_ready = False

    @inference_server.plugin_hook
    def model_fn(self) -> Box:
        """The loaded model."""
        return Box(self._script.model_fn(self._model_dir))

    @inference_server.plugin_hook
    def ping_fn(self) -> bool:
        """True once every worker has loaded its model."""
        self._all_ready = self._all_ready or len(list(self._ready.iterdir())) >= self._workers
        return self._all_ready

    @inference_server.plugin_hook
    def input_fn(self, input_data: bytes, content_type: str) -> Box:
        """The decoded input; what it raises about the input is the client's fault: 400, or 415 for the type."""
        return Box(_call(self._script.input_fn, input_data, content_type or "", refusal=BadRequest))

    @inference_server.plugin_hook
    def predict_fn(self, data: Box, model: Box) -> Box:
        """The prediction."""
        return Box(_call(self._script.predict_fn, data.value, model.value))

    @inference_server.plugin_hook
    def output_fn(self, prediction: Box, accept: MIMEAccept) -> tuple[bytes, str]:
        """Body and content type of the response."""
        wanted = accept.to_header()
        if wanted in ("", "*/*"):
            wanted = os.environ.get("SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT", DEFAULT_ACCEPT)
        return encode_output(_call(self._script.output_fn, prediction.value, wanted), wanted)

    @inference_server.plugin_hook
    def batch_strategy(self) -> str:
        """Many records a request, in the documented spelling."""
        return "MULTI_RECORD"

    @inference_server.plugin_hook
    def max_concurrent_transforms(self) -> int:
        """One request per worker."""
        return self._workers

    @inference_server.plugin_hook
    def max_payload_in_mb(self) -> int:
        """The service's own default."""
        return 6


def _call(function: Callable[..., Any], *arguments: Any, refusal: type[HTTPException] | None = None) -> Any:
    """What the user's function returns; what it raises, as the HTTP status that the toolkits would answer.

    An exception with a ``status_code`` of its own (the toolkits' errors have one) keeps it. ValueError, TypeError and
    LookupError are about the values: `refusal`, where one is given. The rest is 500, with its traceback in the log.
    """
    try:
        return function(*arguments)
    except HTTPException:
        raise
    except Exception as error:
        said = f"{function.__name__}: {type(error).__name__}: {error}"
        status = getattr(error, "status_code", None)
        if isinstance(status, int) and 400 <= status < 600:
            logger.warning("%s (%d)", said, status)
            abort(status, said)
        if type(error).__name__ == "UnsupportedFormatError":
            raise UnsupportedMediaType(said) from error
        if refusal is not None and isinstance(error, ValueError | TypeError | LookupError):
            logger.warning("%s", said)
            raise refusal(said) from error
        logger.exception("%s failed", function.__name__)
        raise InternalServerError(said) from error


def encode_output(output: Any, accept: str) -> tuple[bytes, str]:
    """Body and content type from what output_fn returned: bytes, text, or either with its content type."""
    body, content_type = output if isinstance(output, tuple) and len(output) == 2 else (output, None)
    if isinstance(body, str):
        body = body.encode()
    if not isinstance(body, bytes | bytearray | memoryview):
        said = f"output_fn returned {type(body).__name__}; bytes or text are wanted, or a pair with the content type"
        logger.error("%s", said)
        raise InternalServerError(said)
    return bytes(body), content_type or re.split("[,;]", accept, maxsplit=1)[0].strip()


def create_app() -> Any:
    """The application, with this worker's model loaded."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(message)s")
    ready = Path(os.environ["PLANNER_READY_FOLDER"])
    script = load_script(Path(os.environ["PLANNER_INFERENCE_SCRIPT"]))
    workers = int(os.environ["SAGEMAKER_MODEL_SERVER_WORKERS"])
    hooks = Hooks(script, os.environ["SM_MODEL_DIR"], workers, ready)
    inference_server_plugin.manager().register(hooks)
    inference_server.warmup()
    (ready / str(os.getpid())).touch()
    return inference_server.create_app()
