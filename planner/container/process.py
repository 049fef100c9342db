"""A model server that the planner runs as a process of this machine."""

import contextlib
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from planner.container import supervisor
from planner.container.contract import Address, ContainerDescription, Limits, Startup, Usage
from planner.container.cpus import choose_cpus, quota_of
from planner.container.hosting import HttpContainer, out_of_memory, why_not_ready
from planner.container.ports import free_port, refuse_taken_port
from planner.container.usage import Accounting, UsageMeter, open_meter
from planner.errors import ContainerDiedError, ContainerStartError

STARTUP_TIMEOUT_S: Final = 120.0
GRACE_S: Final = 5.0
"""Between SIGTERM and SIGKILL. The service allows 30 s; a server here has no work left when it is told to end."""
WORKERS_VARIABLE: Final = "SAGEMAKER_MODEL_SERVER_WORKERS"
PORT_VARIABLE: Final = "SAGEMAKER_BIND_TO_PORT"

_INHERITED: Final = (
    "PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "VIRTUAL_ENV", "LD_LIBRARY_PATH", "PYTHONPATH",
)  # fmt: skip
"""All that a server sees of the caller's own environment: credentials (AWS_*) never."""
_PING_PERIOD_S: Final = 0.025
_LOG_BYTES: Final = 2**20
_NOTICE_S: Final = 0.5
"""How long a dropped connection waits for the news that the server has ended."""


class ProcessContainer(HttpContainer):
    """A command line run as a model server: ``/ping`` and ``/invocations`` on the port in SAGEMAKER_BIND_TO_PORT.

    The command is split as a shell would but no shell runs it. `environment` is set on top of SAGEMAKER_BATCH and
    a few inherited variables. Standard output and error go to a log of at most 2 MiB. See
    planner.container.supervisor for how it ends, and planner.container.usage for what is measured.
    """

    def __init__(
        self,
        command: str,
        *,
        environment: Mapping[str, str] | None = None,
        limits: Limits | None = None,
        startup_timeout_s: float = STARTUP_TIMEOUT_S,
        accounting: Accounting = "auto",
    ) -> None:
        self._target = command
        self._environment = dict(environment or {})
        self._limits = limits or Limits()
        self._startup_timeout_s = startup_timeout_s
        self._accounting: Accounting = accounting
        self._cpu_set = choose_cpus(self._limits)
        if quota_of(self._limits) is not None:
            open_meter(self._limits, accounting).close()  # refused here rather than at the start
        self._address: Address | None = None
        self._scratch: Path | None = None
        self._supervisor: subprocess.Popen[bytes] | None = None
        self._meter: UsageMeter | None = None
        self._last_log = ""

    @property
    def description(self) -> ContainerDescription:
        """What this is; available before start."""
        workers = self._environment.get(WORKERS_VARIABLE, "")
        return ContainerDescription(
            backend="process",
            target=self._target,
            environment=self._environment,
            limits=self._limits,
            workers=int(workers) if workers.isdecimal() else None,
            worker_variable=WORKERS_VARIABLE if workers.isdecimal() else None,
            cpu_set=self._cpu_set,
        )

    @property
    def address(self) -> Address:
        """Where to send requests. Raises ContainerDiedError before `start` and after `stop`."""
        if self._address is None:
            raise ContainerDiedError(f"{self._target}: not running")
        return self._address

    def _arguments(self) -> list[str]:
        """The command, split into words. Raises ContainerStartError."""
        try:
            arguments = shlex.split(self._target)
        except ValueError as error:
            raise ContainerStartError(f"command {self._target!r} cannot be split into words: {error}") from error
        if not arguments:
            raise ContainerStartError("the command is empty; give the program that serves and its arguments")
        return arguments

    def _default_environment(self, scratch: Path) -> dict[str, str]:
        """What the service sets in every container of a transform job, and output that is not held back."""
        del scratch
        return {"SAGEMAKER_BATCH": "true", "PYTHONUNBUFFERED": "1"}

    def start(self) -> Startup:
        """Seconds from start to the first ``/ping`` that answered 200.

        Raises ContainerStartError (with the log's tail) if it ends or stays silent past its time limit, and
        ContainerLimitError if a limit cannot be imposed. Nothing is left of a start that failed.
        """
        if self._supervisor is not None:
            raise ContainerStartError(f"{self._target}: already running")
        try:
            arguments = self._arguments()
            self._scratch = Path(tempfile.mkdtemp(prefix="batch-transform-planner-"))
            environment = self._launch_environment(self._scratch)
            self._address = Address(host="127.0.0.1", port=int(environment[PORT_VARIABLE]))
            self._meter = open_meter(self._limits, self._accounting)
            began = time.monotonic()
            self._supervisor = self._launch(arguments, environment, self._scratch, self._meter)
            self._meter.begin(self._supervisor.pid)
            self._wait_for_ping(began)
            return Startup(ping_s=time.monotonic() - began)
        except BaseException:
            self.stop()
            raise

    def _traces(self, scratch: Path) -> list[Path]:
        """Folders that the supervisor removes if the planner is killed."""
        return [scratch]

    def _working_folder(self, scratch: Path) -> Path | None:
        """Where the command runs; None: where the planner does, so that relative paths mean what the user meant."""
        del scratch
        return None

    def _launch_environment(self, scratch: Path) -> dict[str, str]:
        """Inherited, default, and the user's own variables, with a port in any case. Raises ContainerStartError."""
        environment = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        environment |= self._default_environment(scratch) | self._environment
        port = environment.setdefault(PORT_VARIABLE, str(free_port()))
        if not port.isdecimal() or not 0 < int(port) < 65536:
            raise ContainerStartError(f"{PORT_VARIABLE}={port!r} is not a port number")
        refuse_taken_port(int(port), PORT_VARIABLE)
        return environment

    def _launch(
        self, arguments: list[str], environment: dict[str, str], scratch: Path, meter: UsageMeter
    ) -> subprocess.Popen[bytes]:
        log = scratch / "server.log"
        specification = supervisor.Specification(
            arguments=arguments,
            parent=os.getpid(),
            cpus=None if self._cpu_set is None else list(self._cpu_set),
            cgroup_folders=[str(folder) for folder in meter.folders],
            traces=[str(folder) for folder in self._traces(scratch)],
            log=str(log),
            log_bytes=_LOG_BYTES,
            grace_s=GRACE_S,
        )
        program = [sys.executable, "-I", "-S", str(Path(supervisor.__file__)), json.dumps(specification)]
        with log.open("ab") as errors:
            return subprocess.Popen(  # noqa: S603 - running the user's command is what this is for
                program,
                env=environment,
                cwd=self._working_folder(scratch),
                stdin=subprocess.DEVNULL,
                stdout=errors,
                stderr=errors,
                start_new_session=True,
            )

    def _wait_for_ping(self, began: float) -> None:
        def still_runs() -> None:
            code = self._ended()
            if code is not None:
                raise ContainerStartError(
                    f"{self._target}: ended {_how(code)} before /ping answered 200, after "
                    f"{time.monotonic() - began:.1f} s.{self._quoted_log()}"
                )
            if self._meter is not None and (kills := self._meter.oom_kills()):
                told = out_of_memory(self._target, kills, self._limits.memory_bytes)
                raise ContainerStartError(f"{told}{self._quoted_log()}")

        deadline = began + self._startup_timeout_s
        seen = why_not_ready(self.address, deadline, period_s=_PING_PERIOD_S, still_runs=still_runs)
        if seen is not None:
            raise ContainerStartError(
                f"{self._target}: not ready after {self._startup_timeout_s:g} s: {seen}. It must serve GET /ping on "
                f"the port in {PORT_VARIABLE} ({self.address.port} here). Allow a longer start-up, or see the log."
                f"{self._quoted_log()}"
            )

    def _ended(self) -> int | None:
        """The exit code of the server, if it has ended."""
        return None if self._supervisor is None else self._supervisor.poll()

    def check_alive(self) -> None:
        """Raise ContainerDiedError (with the log's tail) if it has ended, or lost a process to its memory limit."""
        if self._supervisor is None:
            raise ContainerDiedError(f"{self._target}: not running")
        code = self._ended()
        if self._meter is not None and (kills := self._meter.oom_kills()):
            told = out_of_memory(self._target, kills, self._limits.memory_bytes)
            raise ContainerDiedError(f"{told}{self._quoted_log()}")
        if code is not None:
            raise ContainerDiedError(
                f"{self._target}: the server ended {_how(code)} while it was in use.{self._quoted_log()}"
            )

    def _check_after_no_answer(self) -> None:
        """As `check_alive`; a server that drops its connections is often about to end."""
        if self._supervisor is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._supervisor.wait(_NOTICE_S)
        self.check_alive()

    def usage(self) -> Usage | None:
        """What it has used; None while it is not running."""
        return None if self._meter is None else self._meter.usage()

    def reset_memory_peak(self) -> None:
        """Start a new memory peak from what is in use now."""
        if self._meter is not None:
            self._meter.reset_memory_peak()

    def log_tail(self, lines: int = 20) -> str:
        """The last lines that it wrote to stdout and stderr; after `stop`, those it ended with.

        While it runs, a line takes the supervisor a moment to copy: what was written just now may be missing.
        """
        if self._scratch is None:
            return "\n".join(self._last_log.splitlines()[-lines:])
        text = b""
        for name in ("server.log.1", "server.log"):
            with contextlib.suppress(FileNotFoundError):
                text += (self._scratch / name).read_bytes()
        return "\n".join(text.decode(errors="replace").splitlines()[-lines:])

    def _quoted_log(self) -> str:
        tail = self.log_tail()
        return f" Its last lines:\n{tail}" if tail else " It wrote nothing to its log."

    def stop(self) -> None:
        """End it: SIGTERM, then SIGKILL. Safe to call twice, or before start."""
        process, meter, scratch = self._supervisor, self._meter, self._scratch
        try:
            if process is not None:
                _end(process)
        finally:
            self._last_log = self.log_tail(200)
            self._supervisor = self._meter = self._scratch = self._address = None
            if meter is not None:
                meter.close()
            if scratch is not None:
                shutil.rmtree(scratch, ignore_errors=True)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the supervisor, which ends the server; on a second Ctrl-C at once."""
    try:
        process.terminate()
        process.wait(GRACE_S + 6)
    except BaseException as error:
        process.kill()  # the kernel then kills the server, which asked for that
        process.wait()
        if not isinstance(error, subprocess.TimeoutExpired):
            raise


def _how(code: int) -> str:
    """How a process ended, in words, from the supervisor's exit code."""
    number = code - 128 if code > 128 else -code
    if number > 0:
        with contextlib.suppress(ValueError):
            return f"by signal {number} ({signal.Signals(number).name})"
    return f"with exit code {code}"
