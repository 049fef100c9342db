"""Transform jobs in progress: each a thread that watches over a process of its own."""

import contextlib
import logging
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from planner.container.process import STARTUP_TIMEOUT_S
from planner.documents import Json
from planner.errors import PlannerError
from planner.jobs.endpoint.images import ImageRule
from planner.jobs.endpoint.order import ORDER, OUTCOME, Order, Outcome, failed
from planner.jobs.endpoint.storage import Storage, StorageSettings
from planner.jobs.endpoint.store import Job, Store

END_S: Final = 60.0
"""How long a stopped job may take to end its containers before it is killed; they then end by themselves."""

_log: Final = logging.getLogger("planner.endpoint")


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """How jobs are run here."""

    storage: StorageSettings
    images: tuple[ImageRule, ...] = ()
    startup_delay_s: float = 0.0
    """Between CreationTime and TransformStartTime: what the service needs to provision instances."""
    container_startup_timeout_s: float = STARTUP_TIMEOUT_S
    network: bool = False
    """Whether containers of Docker reach the network, as those of the service do without isolation."""


class Runs:
    """The jobs in progress, of all regions."""

    def __init__(self, execution: Execution, storage: Storage) -> None:
        self._execution = execution
        self._storage = storage
        self._lock = threading.Lock()
        self._runs: dict[str, _Run] = {}
        self._is_closed = False

    def start(self, store: Store, job: Job, container: Json) -> None:
        """Begin a job."""
        order = Order(
            request=job.request,
            container=container,
            storage=self._execution.storage,
            images=self._execution.images,
            startup_timeout_s=self._execution.container_startup_timeout_s,
            network=self._execution.network,
            endpoint=os.getpid(),
        )
        run = _Run(store, job, order, self._storage, self._execution.startup_delay_s, on_end=self._forget)
        with self._lock:
            self._runs[job.arn] = run
            is_late = self._is_closed
        if is_late:
            run.stop()
        run.thread.start()

    def stop(self, job: Job) -> None:
        """Ask a job to stop; it ends a little later."""
        with self._lock:
            run = self._runs.get(job.arn)
        if run is not None:
            run.stop()

    def close(self) -> int:
        """Stop all jobs, those that a late request begins too, and wait for their ends; how many there were."""
        with self._lock:
            self._is_closed = True
            runs = list(self._runs.values())
        for run in runs:
            run.stop()
        for run in runs:
            run.join()
        return len(runs)

    def _forget(self, job: Job) -> None:
        with self._lock:
            del self._runs[job.arn]


class _Run:
    """One job in progress."""

    def __init__(
        self,
        store: Store,
        job: Job,
        order: Order,
        storage: Storage,
        delay_s: float,
        *,
        on_end: Callable[[Job], None],
    ) -> None:
        self._store = store
        self._job = job
        self._order = order
        self._storage = storage
        self._delay_s = delay_s
        self._on_end = on_end
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self.thread = threading.Thread(target=self._live, name=f"transform job {job.name}")

    def stop(self) -> None:
        """Let go of the process's standard input: it unwinds."""
        self._stopping.set()
        self._hang_up()

    def join(self) -> None:
        """Wait for the end; kill what does not end in time."""
        self.thread.join(END_S)
        if self.thread.is_alive() and self._process is not None:
            self._process.kill()
        self.thread.join()

    def _live(self) -> None:
        try:
            if self._stopping.wait(self._delay_s):
                outcome = Outcome(status="Stopped")
            else:
                self._store.start_job(self._job)
                _log.info("%s: started", self._job.name)
                outcome = self._carried_out()
        except (OSError, PlannerError) as error:
            outcome = failed(f"InternalServerError: {error}")
        except Exception:  # noqa: BLE001 - whatever a bug does, no job stays in progress for ever
            _log.exception("%s failed", self._job.name)
            outcome = failed("InternalServerError: a fault of the endpoint; its log has it")
        for note in outcome.notes:
            _log.info("%s: %s", self._job.name, note)
        _log.info("%s: %s%s", self._job.name, outcome.status, _because(outcome.failure_reason))
        self._store.end_job(self._job, outcome.status, outcome.failure_reason)
        self._on_end(self._job)

    def _carried_out(self) -> Outcome:
        scratch = self._storage.scratch()
        try:
            (scratch / ORDER).write_bytes(msgspec.json.encode(self._order))
            log = scratch / "log"
            with log.open("wb") as stream, self._lock:
                # -P: modules in the folder that the endpoint was started in must not stand in for ours.
                self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                    [sys.executable, "-P", "-m", "planner.jobs.endpoint.work", str(scratch)],
                    stdin=subprocess.PIPE,
                    stdout=stream,
                    stderr=stream,
                    start_new_session=True,  # Ctrl-C is the endpoint's: it stops the jobs
                )
            if self._stopping.is_set():
                self._hang_up()
            self._process.wait()
            self._hang_up()
            return self._outcome(scratch, log)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    def _hang_up(self) -> None:
        with self._lock:
            if self._process is not None and self._process.stdin is not None:
                with contextlib.suppress(OSError):
                    self._process.stdin.close()

    def _outcome(self, scratch: Path, log: Path) -> Outcome:
        assert self._process is not None
        if (scratch / OUTCOME).exists():
            return msgspec.json.decode((scratch / OUTCOME).read_bytes(), type=Outcome)
        if self._stopping.is_set():
            return Outcome(status="Stopped")
        said = log.read_text(errors="replace").strip()
        _log.error("%s: the job's process ended with %d:\n%s", self._job.name, self._process.returncode, said)
        last = said.splitlines()[-1:]
        return failed(f"InternalServerError: the job's process ended with {self._process.returncode}: {' '.join(last)}")


def _because(reason: str | None) -> str:
    return f": {reason}" if reason else ""
