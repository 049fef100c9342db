"""A model directory or ``model.tar.gz`` served here, by gunicorn and inference-server."""

import importlib.util
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from planner.container.archive import OpenModel
from planner.container.contract import ContainerDescription, Limits
from planner.container.cpus import available_cpus
from planner.container.process import STARTUP_TIMEOUT_S, WORKERS_VARIABLE, ProcessContainer
from planner.container.usage import Accounting
from planner.documents import replace
from planner.errors import ContainerStartError, MissingDependencyError

TIMEOUT_VARIABLE: Final = "SAGEMAKER_MODEL_SERVER_TIMEOUT"
_TIMEOUT_S: Final = "60"
"""The default of the SageMaker scikit-learn and XGBoost containers."""
_ONE_THREAD: Final = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1"
)
"""One thread per worker unless the user says else, as those containers have it: workers are the parallelism."""


def _check_server_installed() -> None:
    missing = [name for name in ("gunicorn", "inference_server") if importlib.util.find_spec(name) is None]
    if missing:
        raise MissingDependencyError(
            f"serving a model directory needs {' and '.join(missing)}: pip install 'batch-transform-planner[serve]'"
        )


def _count(environment: Mapping[str, str], variable: str, default: str) -> str:
    text = environment.get(variable, default)
    if not text.isdecimal() or int(text) < 1:
        raise ContainerStartError(f"{variable}={text!r}: give a whole number from 1 up")
    return str(int(text))


class ModelDirectoryContainer(ProcessContainer):
    """The four functions of ``inference.py`` behind the hosting contract, in worker processes.

    Workers: SAGEMAKER_MODEL_SERVER_WORKERS, else one per CPU it may use. Each loads the model for itself, and /ping
    answers 200 when all have. The interpreter is the planner's own, so what inference.py imports must be installed
    beside it; a requirements.txt in the model is not installed.
    """

    def __init__(
        self,
        model: Path,
        *,
        environment: Mapping[str, str] | None = None,
        limits: Limits | None = None,
        startup_timeout_s: float = STARTUP_TIMEOUT_S,
        accounting: Accounting = "auto",
    ) -> None:
        """Raises InputMissingError, ModelArchiveError (an archive is extracted here), MissingDependencyError."""
        _check_server_installed()
        super().__init__(
            str(model),
            environment=environment,
            limits=limits,
            startup_timeout_s=startup_timeout_s,
            accounting=accounting,
        )
        cpus = len(self._cpu_set or available_cpus())
        self._workers = _count(self._environment, WORKERS_VARIABLE, str(cpus))
        self._worker_timeout_s = _count(self._environment, TIMEOUT_VARIABLE, _TIMEOUT_S)
        self._path = model
        self._model: OpenModel | None = OpenModel(model)
        self._digest = self._model.digest

    @property
    def description(self) -> ContainerDescription:
        """What this is; available before start."""
        return replace(
            super().description,
            backend="model-dir",
            digest=self._digest,
            workers=int(self._workers),
            worker_variable=WORKERS_VARIABLE,
        )

    def _arguments(self) -> list[str]:
        settings = "python:planner.container.gunicorn_settings"
        return [sys.executable, "-m", "gunicorn", "--config", settings, "planner.container.serving:create_app()"]

    def _default_environment(self, scratch: Path) -> dict[str, str]:
        if self._model is None:  # started again after a stop
            self._model = OpenModel(self._path)
        ready = scratch / "ready"
        ready.mkdir()
        return {
            **super()._default_environment(scratch),
            **_ONE_THREAD,
            "PYTHONDONTWRITEBYTECODE": "1",  # the user's directory stays as it is
            WORKERS_VARIABLE: self._workers,
            TIMEOUT_VARIABLE: self._worker_timeout_s,
            "SM_MODEL_DIR": str(self._model.folder),
            "PLANNER_INFERENCE_SCRIPT": str(self._model.script),
            "PLANNER_READY_FOLDER": str(ready),
        }

    def _working_folder(self, scratch: Path) -> Path:
        """An empty one: modules of the caller's own must not stand in for the server's."""
        return scratch

    def _traces(self, scratch: Path) -> list[Path]:
        extracted = [self._model.folder] if self._model is not None and self._model.is_private else []
        return [*super()._traces(scratch), *extracted]

    def stop(self) -> None:
        """End the server and remove what was extracted."""
        try:
            super().stop()
        finally:
            if self._model is not None:
                self._model.close()
                self._model = None
