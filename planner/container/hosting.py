"""The client's side of the hosting contract: one HTTP request at a time over a connection of its own.

For start-up, checks and small jobs. Load is another room's business (planner.profiling), which needs a client
that costs next to nothing; here the standard library is enough.
"""

import http.client
import json
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from types import TracebackType
from typing import Any, Literal, Self

from planner.container.contract import (
    Address,
    ContainerDescription,
    ExecutionParameters,
    Response,
    Startup,
    Usage,
)
from planner.errors import InvocationError
from planner.units import show_bytes

PING_TIMEOUT_S = 2.0
"""The service's own limit on one ping (job logs: about one ping a second, 2 s each)."""
CHUNK_BYTES = 2**18


def exchange(
    address: Address,
    method: Literal["GET", "POST"],
    path: str,
    *,
    timeout_s: float,
    body: bytes | None = None,
    headers: dict[str, str] | None = None,
) -> Response:
    """The answer to one request, read whole within timeout_s.

    Raises OSError (refused, reset, timed out) or http.client.HTTPException (not HTTP, cut short).
    """
    deadline = time.monotonic() + timeout_s
    connection = http.client.HTTPConnection(address.host, address.port, timeout=timeout_s)
    try:
        connection.request(method, address.base_path + path, body=body, headers=headers or {})
        answer = connection.getresponse()
        chunks = []
        while chunk := answer.read1(CHUNK_BYTES):
            chunks.append(chunk)
            if time.monotonic() > deadline:  # a socket's own timeout starts anew with every chunk
                raise TimeoutError("timed out")
        received = b"".join(chunks)
        if answer.length:
            raise http.client.IncompleteRead(received, answer.length)
        return Response(status=answer.status, content_type=answer.headers.get("Content-Type"), body=received)
    finally:
        connection.close()


def ping(address: Address, timeout_s: float = PING_TIMEOUT_S) -> int:
    """The status that ``GET /ping`` answers. Raises OSError or http.client.HTTPException on no answer."""
    return exchange(address, "GET", "/ping", timeout_s=timeout_s).status


def out_of_memory(target: str, kills: int, limit_bytes: int | None) -> str:
    """What to say of a server that lost processes to its memory limit, dead or not: the next request may meet another.

    kills: 0 where their number is not known.
    """
    return (
        f"{target}: the kernel killed {kills or 'one'} of its processes for going beyond the memory limit of "
        f"{show_bytes(limit_bytes or 0)}. Raise the limit, or lower the number of workers or the records per request."
    )


def why_not_ready(address: Address, deadline: float, *, period_s: float, still_runs: Callable[[], None]) -> str | None:
    """None as soon as ``GET /ping`` answers 200; at the deadline (of time.monotonic) what was seen instead, in words.

    `still_runs` is called before each ping and raises if there is no point in waiting.
    """
    seen = "nothing listened on its port"
    while (left_s := deadline - time.monotonic()) > 0:
        still_runs()
        try:
            status = ping(address, min(left_s, PING_TIMEOUT_S))
        except TimeoutError:
            seen = f"/ping was not answered within {PING_TIMEOUT_S:g} s"
        except ConnectionRefusedError:
            pass
        except (OSError, http.client.HTTPException) as error:
            seen = f"/ping got no HTTP answer ({type(error).__name__}: {error})"
        else:
            if status == 200:
                return None
            seen = f"/ping answered {status}"
        time.sleep(period_s)
    return seen


def _positive_int(value: Any) -> int | None:
    """The value if it is a count; 0 means "not set" to the service."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def read_execution_parameters(body: bytes) -> ExecutionParameters | None:
    """What the body of ``GET /execution-parameters`` says; None when it is not a JSON object.

    The documented spelling of the strategy is MULTI_RECORD; containers also say MultiRecord. Both are read.
    """
    try:
        answer = json.loads(body)
    except ValueError:
        return None
    if not isinstance(answer, dict):
        return None
    strategies: dict[str, Literal["MultiRecord", "SingleRecord"]] = {
        "multirecord": "MultiRecord",
        "singlerecord": "SingleRecord",
    }
    return ExecutionParameters(
        max_concurrent_transforms=_positive_int(answer.get("MaxConcurrentTransforms")),
        batch_strategy=strategies.get(str(answer.get("BatchStrategy")).replace("_", "").lower()),
        max_payload_mb=_positive_int(answer.get("MaxPayloadInMB")),
    )


class HttpContainer(ABC):
    """What every container does over HTTP; a subclass adds how it starts, is watched and stops."""

    @property
    @abstractmethod
    def description(self) -> ContainerDescription:
        """What this is."""

    @property
    @abstractmethod
    def address(self) -> Address:
        """Where it listens."""

    @abstractmethod
    def start(self) -> Startup:
        """Start and wait until /ping answers 200."""

    @abstractmethod
    def check_alive(self) -> None:
        """Raise ContainerDiedError if the server has ended."""

    def _check_after_no_answer(self) -> None:
        """As `check_alive`, after a connection was dropped: a server may need a moment to be seen ended."""
        self.check_alive()

    @abstractmethod
    def usage(self) -> Usage | None:
        """What it has used."""

    @abstractmethod
    def reset_memory_peak(self) -> None:
        """Start a new memory peak."""

    @abstractmethod
    def log_tail(self, lines: int = 20) -> str:
        """The last lines of its log."""

    @abstractmethod
    def stop(self) -> None:
        """End it."""

    def execution_parameters(self) -> ExecutionParameters | None:
        """The container's own wishes; None when it has no such route or the answer is not usable.

        Raises ContainerDiedError if the server has ended.
        """
        try:
            answer = exchange(self.address, "GET", "/execution-parameters", timeout_s=10)
        except TimeoutError:
            return None
        except (OSError, http.client.HTTPException):
            self._check_after_no_answer()
            return None
        return read_execution_parameters(answer.body) if answer.status == 200 else None

    def invoke(self, body: bytes, *, content_type: str, accept: str | None = None, timeout_s: float = 60) -> Response:
        """The answer to one POST, whatever its status.

        Raises ContainerDiedError if the server has ended, InvocationError on no answer for another reason.
        """
        headers = {"Content-Type": content_type} | ({"Accept": accept} if accept else {})
        try:
            return exchange(self.address, "POST", "/invocations", timeout_s=timeout_s, body=body, headers=headers)
        except TimeoutError as error:
            self.check_alive()
            raise InvocationError(
                f"POST {self._where} ({len(body)} bytes) was not answered within {timeout_s:g} s. "
                "Send fewer records per request or allow more time."
            ) from error
        except (OSError, http.client.HTTPException) as error:
            self._check_after_no_answer()
            raise InvocationError(
                f"POST {self._where} ({len(body)} bytes) got no answer: {type(error).__name__}: {error}. "
                "The server dropped the connection; its log says more."
            ) from error

    @property
    def _where(self) -> str:
        return f"http://{self.address.host}:{self.address.port}{self.address.base_path}/invocations"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None, /
    ) -> None:
        self.stop()
