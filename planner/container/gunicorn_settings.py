"""How gunicorn serves a model directory: named by ``--config python:planner.container.gunicorn_settings``.

Every public name below is a gunicorn setting. The port and the workers come from the environment, as in a container.

Sync workers without keep-alive stand in for the SageMaker scikit-learn and XGBoost containers, where nginx opens a
connection per request to gunicorn. Measured with 2 workers, 4 clients and 5 ms per request: sync workers, which
accept only when idle, took 343 and 345 requests (p50 11.6, p95 12.3 ms); threaded workers with keep-alive split
4 connections 3:1 (one client got 332 requests, the others 117 each); threaded without keep-alive lost 15 % of the
throughput and doubled p95 by accepting ahead of their turn.
"""

import os
import sys
from pathlib import Path
from types import TracebackType

from gunicorn.errors import HaltServer

bind = f"127.0.0.1:{os.environ['SAGEMAKER_BIND_TO_PORT']}"
workers = int(os.environ["SAGEMAKER_MODEL_SERVER_WORKERS"])
timeout = int(os.environ["SAGEMAKER_MODEL_SERVER_TIMEOUT"])
worker_class = "sync"
chdir = str(Path(os.environ["PLANNER_INFERENCE_SCRIPT"]).parent)
graceful_timeout = 1  # seconds; requests in flight when the planner stops its server are of no use to anyone
errorlog = "-"
loglevel = "warning"
control_socket_disable = True  # gunicorn 25 and later would put a socket into the home folder; earlier ones ignore this


def _end_without_last_words(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    """Nothing for gunicorn's own end: the worker that could not start has said why, and that is to stand last."""
    if not isinstance(error, HaltServer):
        sys.__excepthook__(kind, error, traceback)


sys.excepthook = _end_without_last_words
