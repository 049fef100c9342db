"""An image run as the service runs it, by a Docker engine of this machine."""

import contextlib
import itertools
import os
import time
from collections.abc import Mapping
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from planner.container.archive import OpenModel
from planner.container.contract import Address, ContainerDescription, Limits, Startup, Usage
from planner.container.docker_engine import (
    NAME,
    Engine,
    connect,
    network_lock,
    own_labels,
    own_network,
    translated,
)
from planner.container.docker_limits import share_cpus
from planner.container.docker_state import State, state_of
from planner.container.docker_usage import EngineMeter, follow
from planner.container.docker_watch import Specification, Watcher
from planner.container.hosting import HttpContainer, out_of_memory, why_not_ready
from planner.container.process import GRACE_S, PORT_VARIABLE, STARTUP_TIMEOUT_S, WORKERS_VARIABLE
from planner.errors import ContainerDiedError, ContainerStartError
from planner.units import show_bytes

if TYPE_CHECKING:
    from docker.models.containers import Container as EngineContainer

MODEL_FOLDER: Final = "/opt/ml/model"
_PORT: Final = "8080"
_LOG: Final = {"max-size": "1m", "max-file": "2"}
_PING_PERIOD_S: Final = 0.05
_NOTICE_S: Final = 3.0
"""How long a dropped connection waits for the engine's news that the server has ended."""
_serial = itertools.count()


class DockerContainer(HttpContainer):
    """``docker run IMAGE serve`` with the service's environment, on port 8080, under an init process.

    - A model (directory or ``model.tar.gz``) is mounted read-only at /opt/ml/model; without one the image has its own.
    - Network: one that only this machine is in, unless `network` asks for the engine's usual one. The server is
      reached at its own address: a published port goes through a proxy process, which would be measured as well.
      Where that address cannot be reached (Docker Desktop, rootless engines) the port is published on 127.0.0.1,
      which takes `network`.
    - CPUs: whole ones by pinning, a fraction by a quota; memory: without swap on top.
    - It is removed by `stop`, else by the watcher process, else when the next one starts.
    """

    def __init__(
        self,
        image: str,
        *,
        model: Path | None = None,
        environment: Mapping[str, str] | None = None,
        limits: Limits | None = None,
        network: bool = False,
        startup_timeout_s: float = STARTUP_TIMEOUT_S,
    ) -> None:
        """Raises MissingDependencyError without an engine, ContainerStartError without the image on it.

        The model is extracted here: InputMissingError, ModelArchiveError. ContainerLimitError for the limits.
        """
        self._target = image
        self._path = model
        self._environment = dict(environment or {})
        self._limits = limits or Limits()
        self._has_network = network
        self._startup_timeout_s = startup_timeout_s
        self._port = self._environment.get(PORT_VARIABLE, _PORT)
        if not self._port.isdecimal() or not 0 < int(self._port) < 65536:
            raise ContainerStartError(f"{PORT_VARIABLE}={self._port!r} is not a port number")
        with closing(connect()) as engine:
            found = engine.image(image)
            own: list[str] = (found.attrs.get("Config") or {}).get("Env") or []
            self._cpus = share_cpus(self._limits, engine)
            self._refuse_unreachable(engine)
        self._image_id = str(found.id)
        self._image_environment = dict(pair.split("=", 1) for pair in own if "=" in pair)
        self._model = None if model is None else OpenModel(model, needs_script=False)
        self._model_digest = None if self._model is None else self._model.digest
        self._engine: Engine | None = None
        self._name = ""
        self._container: EngineContainer | None = None
        self._watcher: Watcher | None = None
        self._meter: EngineMeter | None = None
        self._address: Address | None = None
        self._last_log = ""

    def _refuse_unreachable(self, engine: Engine) -> None:
        if not engine.is_native and not self._has_network:
            raise ContainerStartError(
                f"{self._target}: containers of the engine at {engine.host} can be reached through a published port "
                "only, and such a container reaches the network as well. Allow that with --network, or use an engine "
                "that runs as root on this machine."
            )

    @property
    def description(self) -> ContainerDescription:
        """What this is; available before start."""
        workers = (self._image_environment | self._environment).get(WORKERS_VARIABLE, "")
        return ContainerDescription(
            backend="docker",
            target=self._target,
            digest=" ".join(filter(None, (self._image_id, self._model_digest))),
            environment=self._environment,
            limits=self._limits,
            workers=int(workers) if workers.isdecimal() else None,
            worker_variable=WORKERS_VARIABLE if workers.isdecimal() else None,
            cpu_set=self._cpus.host_set,
        )

    @property
    def address(self) -> Address:
        """Where to send requests. Raises ContainerDiedError before `start` and after `stop`."""
        if self._address is None:
            raise ContainerDiedError(f"{self._target}: not running")
        return self._address

    def start(self) -> Startup:
        """Seconds from the container's start to the first ``/ping`` that answered 200; nothing is left of a failure.

        Raises ContainerStartError (with the log's tail) if it ends or stays silent past its time limit.
        """
        if self._engine is not None:
            raise ContainerStartError(f"{self._target}: already running")
        try:
            self._engine = engine = connect()
            with translated(self._target, ContainerStartError):
                engine.remove_leftovers()
            if self._path is not None and self._model is None:  # started again after a stop
                self._model = OpenModel(self._path, needs_script=False)
            self._name = f"{NAME}-{os.getpid()}-{next(_serial)}"
            self._watch(engine)
            began = self._launch(engine)
            self._wait_for_ping(began)
            return Startup(ping_s=time.monotonic() - began)
        except BaseException:
            self.stop()
            raise

    def _watch(self, engine: Engine) -> None:
        if engine.socket_path is None:
            return  # what a killed planner leaves is then removed by the next one's start
        private = self._model is not None and self._model.is_private
        self._watcher = Watcher(
            Specification(
                socket_path=engine.socket_path,
                parent=os.getpid(),
                container=self._name,
                network=own_network(),
                folders=[str(self._model.folder)] if self._model is not None and private else [],
            )
        )

    def _launch(self, engine: Engine) -> float:
        """Create and start the container, and begin to follow it; when it was started."""
        with translated(self._target, ContainerStartError), network_lock:
            options = self._options(engine)
            if not self._has_network:
                options["network"] = engine.make_network()
            self._container = engine.client.containers.create(self._image_id, ["serve"], **options)
            began = time.monotonic()
            self._container.start()
        state = self._state()
        if state.is_running:
            self._address = state.address(self._port, is_native=engine.is_native)
            process = state.process if engine.is_native else None
            self._meter = follow(self._container, process, has_quota=self._cpus.is_quota)
        return began

    def _options(self, engine: Engine) -> dict[str, Any]:
        """What `docker run` would be told, in the SDK's words."""
        from docker.types import LogConfig, Mount

        options: dict[str, Any] = {
            "name": self._name,
            "labels": own_labels(),
            "environment": {"SAGEMAKER_BATCH": "true", PORT_VARIABLE: self._port, **self._environment},
            "init": True,  # passes SIGTERM on, and a server that is not the first process can be killed from inside
            "detach": True,
            "use_config_proxy": False,
            "log_config": LogConfig(type="json-file", config=_LOG),
            **self._cpus.options,
        }
        if self._limits.memory_bytes is not None:
            options |= {"mem_limit": self._limits.memory_bytes, "memswap_limit": self._limits.memory_bytes}
        if self._model is not None:
            if self._model.is_private:
                self._model.folder.chmod(0o755)  # the image's user may be any
            options["mounts"] = [Mount(MODEL_FOLDER, str(self._model.folder), type="bind", read_only=True)]
        if not engine.is_native:
            options["ports"] = {f"{self._port}/tcp": ("127.0.0.1", None)}
        return options

    def _wait_for_ping(self, began: float) -> None:
        def still_runs() -> None:
            state = self._state()
            if not state.is_running:
                raise ContainerStartError(
                    f"{self._target}: {self._end(state)} before /ping answered 200, after "
                    f"{time.monotonic() - began:.1f} s.{self._quoted_log()}"
                )
            if self._meter is not None and (kills := self._meter.oom_kills()):
                told = out_of_memory(self._target, kills, self._limits.memory_bytes)
                raise ContainerStartError(f"{told}{self._quoted_log()}")

        still_runs()  # what has ended at once has no address
        deadline = began + self._startup_timeout_s
        seen = why_not_ready(self.address, deadline, period_s=_PING_PERIOD_S, still_runs=still_runs)
        if seen is not None:
            raise ContainerStartError(
                f"{self._target}: not ready after {self._startup_timeout_s:g} s: {seen}. It must serve GET /ping on "
                f"port {self._port} of every address (0.0.0.0). Allow a longer start-up, or see the log."
                f"{self._quoted_log()}"
            )

    def _state(self) -> State:
        """What the engine says of the container now. Raises ContainerDiedError if the engine does not know it."""
        if self._container is None:
            raise ContainerDiedError(f"{self._target}: not running")
        with translated(self._target, ContainerDiedError):
            self._container.reload()
        return state_of(self._container.attrs)

    def _end(self, state: State) -> str:
        """How it ended, in words."""
        limit = self._limits.memory_bytes
        return state.end(None if limit is None else show_bytes(limit))

    def check_alive(self) -> None:
        """Raise ContainerDiedError (with the log's tail) if it has ended, or lost a process to its memory limit."""
        state = self._state()
        if not state.is_running:
            raise ContainerDiedError(f"{self._target}: {self._end(state)} while it was in use.{self._quoted_log()}")
        kills = 0 if self._meter is None else self._meter.oom_kills()
        if kills or state.was_out_of_memory:
            told = out_of_memory(self._target, kills, self._limits.memory_bytes)
            raise ContainerDiedError(f"{told}{self._quoted_log()}")

    def _check_after_no_answer(self) -> None:
        """As `check_alive`; a server that drops its connections is often about to end."""
        deadline = time.monotonic() + _NOTICE_S
        while self._state().is_running and time.monotonic() < deadline:
            time.sleep(_PING_PERIOD_S)
        self.check_alive()

    def usage(self) -> Usage | None:
        """What it has used; None while it is not running."""
        return None if self._meter is None else self._meter.usage()

    def reset_memory_peak(self) -> None:
        """Start a new memory peak from what is in use now."""
        if self._meter is not None:
            self._meter.reset_memory_peak()

    def log_tail(self, lines: int = 20) -> str:
        """The last lines that it wrote to stdout and stderr; after `stop`, those it ended with."""
        if self._container is None:
            return "\n".join(self._last_log.splitlines()[-lines:])
        written: list[str] = []
        with contextlib.suppress(ContainerDiedError), translated(self._target, ContainerDiedError):
            for piece in self._container.logs(tail=lines, stream=True, follow=False):  # podman sends lines unended
                written += piece.decode(errors="replace").splitlines()
        return "\n".join(written[-lines:])

    def _quoted_log(self) -> str:
        tail = self.log_tail()
        return f" Its last lines:\n{tail}" if tail else " It wrote nothing to its log."

    def stop(self) -> None:
        """End it: SIGTERM, then SIGKILL; then remove it. Safe to call twice, or before start."""
        with ExitStack() as undo:  # the last entered is done first, and all are done on a second Ctrl-C too
            if self._model is not None:
                undo.callback(self._model.close)
            if self._watcher is not None:
                undo.callback(self._watcher.close)
            if self._engine is not None:
                undo.callback(self._engine.close)
                undo.callback(self._remove, self._engine, self._name)
            if self._meter is not None:
                undo.callback(self._meter.close)
            undo.callback(self._forget)
            if self._container is not None:
                with contextlib.suppress(ContainerDiedError), translated(self._target, ContainerDiedError):
                    self._container.stop(timeout=int(GRACE_S))
                self._last_log = self.log_tail(200)

    def _remove(self, engine: Engine, name: str) -> None:
        with contextlib.suppress(ContainerDiedError), translated(self._target, ContainerDiedError):
            engine.remove(name)

    def _forget(self) -> None:
        self._model = self._watcher = self._engine = self._meter = self._container = self._address = None
