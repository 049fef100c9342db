"""The process between the planner and a model server: it bounds the log and lets nothing outlive either of them.

Run by path (``python -I -S supervisor.py SPECIFICATION``) with nothing but the standard library, so that it starts
in about 30 ms. The planner starts it; it starts the server in a session of its own and waits for the first of

- the server's end: whatever it left running is killed, the exit status is passed on (128 + n for signal n);
- SIGTERM from the planner: SIGTERM to the server's process group, SIGKILL after the grace period;
- the planner's own end, however that came (``kill -9`` too): the same, and temporary folders and cgroups go as well.

It is a child subreaper (prctl(2), PR_SET_CHILD_SUBREAPER), so processes that detach themselves from the server
become its children and are found. The server asks the kernel for SIGKILL when the supervisor dies
(PR_SET_PDEATHSIG); that is safe here because the supervisor has one thread, where the planner has many.
"""

import contextlib
import ctypes
import json
import os
import selectors
import signal
import sys
import time
from typing import IO, Final, NoReturn, TypedDict

PR_SET_PDEATHSIG: Final = 1
PR_SET_CHILD_SUBREAPER: Final = 36
POLL_S: Final = 0.25
"""How often the planner is looked for; its end is noticed within this time."""
CHUNK_BYTES: Final = 65536


class Specification(TypedDict):
    """What the planner asks for, as JSON in the first argument."""

    arguments: list[str]
    parent: int
    cpus: list[int] | None
    cgroup_folders: list[str]
    traces: list[str]
    log: str
    log_bytes: int
    grace_s: float


class RotatingLog:
    """A log of at most two files of `limit` bytes each: ``path`` and, before it, ``path.1``."""

    def __init__(self, path: str, limit: int) -> None:
        self._path = path
        self._limit = limit
        self._stream: IO[bytes] = open(path, "ab", buffering=0)  # noqa: SIM115, PTH123 - closed by `close`
        self._written = 0

    def write(self, chunk: bytes) -> None:
        """Append; start a new file first when this one is full."""
        if self._written + len(chunk) > self._limit:
            self._stream.close()
            os.replace(self._path, self._path + ".1")  # noqa: PTH105 - pathlib doubles the start-up time
            self._stream = open(self._path, "ab", buffering=0)  # noqa: SIM115, PTH123
            self._written = 0
        self._stream.write(chunk)
        self._written += len(chunk)

    def close(self) -> None:
        """Close the file."""
        self._stream.close()


def _prctl(option: int, argument: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(option, argument, 0, 0, 0)


def _become_server(specification: Specification, supervisor: int, output: int) -> NoReturn:
    """Turn this forked child into the server; it ends with 127, as in a shell, if that cannot be."""
    os.dup2(output, 1)
    os.dup2(output, 2)
    try:
        os.setsid()
        _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != supervisor:  # it died before the kernel was asked
            raise SystemExit(127)
        for folder in specification["cgroup_folders"]:
            with open(folder + "/cgroup.procs", "w") as processes:  # noqa: PTH123
                processes.write(str(os.getpid()))
        if specification["cpus"] is not None and sys.platform == "linux":
            os.sched_setaffinity(0, specification["cpus"])
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD, signal.SIGPIPE):
            signal.signal(number, signal.SIG_DFL)
        os.execvp(specification["arguments"][0], specification["arguments"])  # noqa: S606 - no shell, as asked
    except OSError as error:
        os.write(2, f"cannot run {specification['arguments'][0]}: {error.strerror}\n".encode())
        raise SystemExit(127) from error


def _children() -> list[int]:
    """Direct children, adopted ones included; none where the kernel does not list them."""
    try:
        with open(f"/proc/self/task/{os.getpid()}/children") as listing:  # noqa: PTH123
            return [int(word) for word in listing.read().split()]
    except OSError:
        return []


class Supervisor:
    """One server under watch."""

    def __init__(self, specification: Specification) -> None:
        self._specification = specification
        self._log = RotatingLog(specification["log"], specification["log_bytes"])
        self._server = 0
        self._status: int | None = None
        self._stop_asked = False
        self._orphaned = False

    def run(self) -> int:
        """Start the server, watch it to its end, leave nothing; the exit status to end with."""
        _prctl(PR_SET_CHILD_SUBREAPER, 1)
        wake_read, wake_write = os.pipe()
        os.set_blocking(wake_write, False)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._ask_to_stop)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        output_read, output_write = os.pipe()
        supervisor = os.getpid()
        self._server = os.fork()
        if self._server == 0:
            _become_server(self._specification, supervisor, output_write)
        os.close(output_write)
        os.set_blocking(output_read, False)
        with selectors.DefaultSelector() as selector:
            selector.register(output_read, selectors.EVENT_READ)
            selector.register(wake_read, selectors.EVENT_READ)
            self._watch(selector, output_read, wake_read)
        self._kill_remaining()
        self._copy(output_read)
        self._log.close()
        if self._orphaned:
            self._remove_traces()
        return self._exit_code()

    def _ask_to_stop(self, *_: object) -> None:
        self._stop_asked = True

    def _watch(self, selector: selectors.BaseSelector, output: int, wake: int) -> None:
        """Copy the log until the server has ended or has used up its grace period."""
        deadline: float | None = None
        while True:
            for key, _ in selector.select(POLL_S):
                if key.fd == output and not self._copy(output):
                    selector.unregister(output)
                elif key.fd == wake:
                    os.read(wake, 512)
            self._reap()
            if self._status is not None:
                return
            if os.getppid() != self._specification["parent"]:
                self._orphaned = self._stop_asked = True
            if self._stop_asked and deadline is None:
                deadline = time.monotonic() + self._specification["grace_s"]
                self._signal_group(signal.SIGTERM)
            if deadline is not None and time.monotonic() > deadline:
                return

    def _copy(self, output: int) -> bool:
        """Move what the server wrote into the log; False at the end of the stream."""
        for _ in range(64):  # at most 4 MiB at a time: a server that floods its log must not keep us from stopping it
            try:
                chunk = os.read(output, CHUNK_BYTES)
            except BlockingIOError:
                return True
            if not chunk:
                return False
            self._log.write(chunk)
        return True

    def _reap(self) -> bool:
        """Collect ended children; False when there are none left, ended or not."""
        while True:
            try:
                process, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if process == 0:
                return True
            if process == self._server:
                self._status = status

    def _signal_group(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            try:
                os.killpg(self._server, number)
            except ProcessLookupError:
                if self._status is None:  # it has not come to make its group yet
                    os.kill(self._server, number)

    def _kill_remaining(self) -> None:
        """SIGKILL to the group and to every child, until none is left (those that hang in the kernel: 5 s)."""
        deadline = time.monotonic() + 5
        self._signal_group(signal.SIGKILL)
        while self._reap() and time.monotonic() < deadline:
            for child in _children():
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(child, signal.SIGKILL)
            time.sleep(0.005)

    def _remove_traces(self) -> None:
        import shutil

        for folder in self._specification["cgroup_folders"]:
            with contextlib.suppress(OSError):
                os.rmdir(folder)  # noqa: PTH106
        for trace in self._specification["traces"]:
            shutil.rmtree(trace, ignore_errors=True)

    def _exit_code(self) -> int:
        code = os.waitstatus_to_exitcode(self._status) if self._status is not None else -signal.SIGKILL
        return code if code >= 0 else 128 - code


if __name__ == "__main__":
    raise SystemExit(Supervisor(json.loads(sys.argv[1])).run())
