"""The process that removes a container from its engine when the planner ends, however that came (``kill -9`` too).

Run by path (``python -I -S docker_watch.py SPECIFICATION``) with nothing but the standard library. It waits for the
end of its input, whose other end the planner holds, or for another parent; then it asks the engine over its Unix
socket to remove the container and the network, and removes temporary folders. What is gone already does not matter.
"""

import contextlib
import http.client
import json
import os
import select
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Final, TypedDict

POLL_S: Final = 0.5
_TIMEOUT_S: Final = 30.0


class Specification(TypedDict):
    """What to watch and what to remove, as JSON in the first argument."""

    socket_path: str
    parent: int
    container: str
    network: str
    folders: list[str]


class _EngineConnection(http.client.HTTPConnection):
    """HTTP over the engine's Unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=_TIMEOUT_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(_TIMEOUT_S)
        self.sock.connect(self._path)


def _delete(socket_path: str, route: str) -> None:
    connection = _EngineConnection(socket_path)
    try:
        connection.request("DELETE", route)
        connection.getresponse().read()
    except (OSError, http.client.HTTPException):
        pass  # no engine, no container
    finally:
        connection.close()


def watch(specification: Specification) -> None:
    """Wait for the planner's end, then remove."""
    while os.getppid() == specification["parent"]:
        readable, _, _ = select.select([sys.stdin], [], [], POLL_S)
        if readable:
            break
    _delete(specification["socket_path"], f"/containers/{specification['container']}?force=1&v=1")
    _delete(specification["socket_path"], f"/networks/{specification['network']}")
    for folder in specification["folders"]:
        shutil.rmtree(folder, ignore_errors=True)


class Watcher:
    """The planner's end of it."""

    def __init__(self, specification: Specification) -> None:
        program = [sys.executable, "-I", "-S", str(Path(__file__)), json.dumps(specification)]
        self._process = subprocess.Popen(  # noqa: S603 - our own program
            program,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C in a terminal reaches the planner only
        )

    def close(self) -> None:
        """Let it remove what is left, and wait for its end."""
        try:
            self._process.communicate(timeout=_TIMEOUT_S)
        except BaseException as error:
            self._process.kill()
            self._process.wait()
            if not isinstance(error, subprocess.TimeoutExpired):
                raise


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        watch(json.loads(sys.argv[1]))
