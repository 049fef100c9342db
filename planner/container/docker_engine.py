"""The Docker engine, or podman behind the same API: found, asked for an image, and left as it was found.

What the planner makes there (containers, networks) carries labels that say which process of which machine made it,
so that what a killed planner left can be told from what a living one uses.
"""

import contextlib
import os
import socket
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import psutil

from planner.errors import ContainerStartError, MissingDependencyError, PlannerError

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.images import Image

NAME: Final = "batch-transform-planner"
_PROCESS: Final = f"{NAME}.process"
_STARTED: Final = f"{NAME}.process-started"
_MACHINE: Final = f"{NAME}.machine"
_DEFAULT_HOST: Final = "unix:///var/run/docker.sock"
_CLOCK_SLACK_S: Final = 2.0
"""By how much two readings of a process's start may differ when the clock is set in between."""
_TIMEOUT_S: Final = 60

network_lock: Final = threading.Lock()
"""Held from making sure of the network until a container is in it, and while the network is removed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """One connection to an engine."""

    client: "DockerClient"
    host: str
    """Where it listens, as in DOCKER_HOST."""
    socket_path: str | None
    """Its Unix socket; None when it is reached otherwise."""
    is_native: bool
    """True if its containers are processes of this machine with addresses that this machine reaches; False behind a
    virtual machine (Docker Desktop), a network or a user's own network stack (rootless)."""
    cpus: int

    def close(self) -> None:
        """Close the connection."""
        self.client.close()

    def image(self, name: str) -> "Image":
        """The image of that name or id. Raises ContainerStartError if it is not there: nothing is ever pulled."""
        from docker.errors import ImageNotFound

        with translated(f"image {name}", ContainerStartError):
            try:
                return self.client.images.get(name)
            except ImageNotFound as error:
                raise ContainerStartError(
                    f"image {name} is not on the engine at {self.host}, and the planner pulls nothing by itself. "
                    f"Get it with: docker pull {name} (or docker build)."
                ) from error

    def make_network(self) -> str:
        """The name of this process's network without a way out, made if it is not there yet; under `network_lock`.

        The host has an address in it, so containers are reached from here, by no other machine, and reach nothing.
        """
        name = own_network()
        if not any(network.name == name for network in self.client.networks.list(names=[name])):
            self.client.networks.create(name, driver="bridge", internal=True, labels=own_labels())
        return name

    def remove(self, container: str) -> None:
        """Remove the container of that name, whatever it does, and the network if that was the last one in it."""
        from docker.errors import APIError, NotFound

        with contextlib.suppress(NotFound):
            self.client.api.remove_container(container, v=True, force=True)
        with network_lock, contextlib.suppress(NotFound, APIError):
            self.client.api.remove_network(own_network())

    def remove_leftovers(self) -> None:
        """Remove what planners of this machine that have ended without cleaning up left on the engine."""
        from docker.errors import APIError

        wanted = {"label": _PROCESS}
        for container in self.client.api.containers(all=True, filters=wanted):
            if _is_orphan(container.get("Labels") or {}):
                with contextlib.suppress(APIError):  # another planner does the same at this moment
                    self.client.api.remove_container(container["Id"], v=True, force=True)
        for network in self.client.api.networks(filters=wanted):
            if _is_orphan(network.get("Labels") or {}):
                with contextlib.suppress(APIError):
                    self.client.api.remove_network(network["Id"])


def own_network() -> str:
    """The name of this process's network."""
    return f"{NAME}-{os.getpid()}"


def own_labels() -> dict[str, str]:
    """What tells whose a container is."""
    process = psutil.Process()
    return {
        _PROCESS: str(process.pid),
        _STARTED: f"{process.create_time():.3f}",
        _MACHINE: socket.gethostname(),
    }


def _is_orphan(labels: Mapping[str, str]) -> bool:
    """True if the planner that made it ran on this machine and has ended."""
    if labels.get(_MACHINE) != socket.gethostname():
        return False
    try:
        process = psutil.Process(int(labels[_PROCESS]))
        if process.status() == psutil.STATUS_ZOMBIE:
            return True
        return abs(process.create_time() - float(labels[_STARTED])) > _CLOCK_SLACK_S
    except psutil.NoSuchProcess:
        return True
    except (psutil.Error, KeyError, ValueError):
        return False


@contextlib.contextmanager
def translated(what: str, kind: type[PlannerError]) -> Iterator[None]:
    """Turn the SDK's own failures into the given kind, with the engine's explanation."""
    from docker.errors import APIError, DockerException
    from requests.exceptions import RequestException

    try:
        yield
    except APIError as error:
        raise kind(f"{what}: the Docker engine refused: {error.explanation or error}") from error
    except (DockerException, RequestException) as error:
        raise kind(f"{what}: the Docker engine gave no answer: {error}") from error


def connect() -> Engine:
    """The engine that DOCKER_HOST names, or the one of this machine.

    Raises MissingDependencyError if there is none or the Docker SDK is not installed.
    """
    try:
        import docker
    except ImportError as error:
        raise MissingDependencyError(
            "running an image needs the Docker SDK: pip install 'batch-transform-planner[docker]'"
        ) from error
    host = os.environ.get("DOCKER_HOST") or _DEFAULT_HOST
    parts = urlsplit(host)
    socket_path = parts.path if parts.scheme == "unix" else None
    try:
        if socket_path is not None:  # the SDK would leave its socket open when nothing answers
            with socket.socket(socket.AF_UNIX) as probe:
                probe.connect(socket_path)
        client = docker.from_env(timeout=_TIMEOUT_S)
    except (docker.errors.DockerException, OSError) as error:
        raise MissingDependencyError(
            f"no Docker engine answers at {host}: {error}. Start Docker, or name the engine's socket in DOCKER_HOST "
            "(podman: DOCKER_HOST=unix:///run/podman/podman.sock). Without one: --model-dir or --command."
        ) from error
    try:
        with translated(host, MissingDependencyError):
            about = client.info()
    except BaseException:
        client.close()
        raise
    apart = any("rootless" in option for option in about.get("SecurityOptions") or ())
    apart = apart or "Docker Desktop" in about.get("OperatingSystem", "")
    return Engine(
        client=client,
        host=host,
        socket_path=socket_path,
        is_native=socket_path is not None and sys.platform == "linux" and not apart,
        cpus=int(about["NCPU"]),
    )
