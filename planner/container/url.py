"""A model server that already runs, known by its URL."""

import http.client
import socket
import time
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from planner.container.contract import Address, ContainerDescription, Limits, Startup, Usage
from planner.container.hosting import PING_TIMEOUT_S, HttpContainer, ping
from planner.errors import ContainerDiedError, ContainerStartError

_PING_PERIOD_S: Final = 0.25
_NOTICE_S: Final = 0.5
STARTUP_TIMEOUT_S: Final = 10.0


def parse_url(url: str) -> Address:
    """Host, port (80 when none is given) and base path of ``http://host[:port][/path]``.

    A URL that ends in ``/invocations`` or ``/ping`` means what stands before it. Raises ContainerStartError.
    """
    example = "give one such as http://127.0.0.1:8080"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ContainerStartError(f"{url!r} is not a URL ({error}); {example}") from error
    if parts.scheme != "http" or not parts.hostname:
        raise ContainerStartError(f"{url!r} is not an http:// URL (the hosting contract is plain HTTP); {example}")
    if parts.query or parts.fragment or parts.username or parts.password:
        raise ContainerStartError(f"{url!r} has a user, query or fragment, which cannot be kept; {example}")
    path = parts.path.rstrip("/")
    for route in ("/invocations", "/ping"):
        path = path.removesuffix(route)
    return Address(host=parts.hostname, port=80 if port is None else port, base_path=path.rstrip("/"))


class UrlContainer(HttpContainer):
    """A server that somebody else started: it is pinged, never stopped, and what it uses cannot be seen."""

    def __init__(
        self, url: str, *, environment: Mapping[str, str] | None = None, startup_timeout_s: float = STARTUP_TIMEOUT_S
    ) -> None:
        """Environment is what the user says the server runs with: it is recorded, not set."""
        self._url = url
        self._environment = dict(environment or {})
        self._startup_timeout_s = startup_timeout_s
        self._address = parse_url(url)

    @property
    def description(self) -> ContainerDescription:
        """What this is."""
        return ContainerDescription(
            backend="url", target=self._url, environment=self._environment, limits=Limits(), workers=None
        )

    @property
    def address(self) -> Address:
        """Where it listens."""
        return self._address

    def start(self) -> Startup:
        """Seconds until /ping answered 200, which for a server that is ready is one round trip.

        Raises ContainerStartError: at once if nothing listens, else when /ping has not answered 200 in time.
        """
        began = time.monotonic()
        while True:
            try:
                status = ping(self._address, min(self._startup_timeout_s, PING_TIMEOUT_S))
            except (ConnectionRefusedError, socket.gaierror) as error:
                raise ContainerStartError(
                    f"{self._url}: {error.strerror}. Start the server first, or let the planner start it "
                    "(--command, --model-dir)."
                ) from error
            except (OSError, http.client.HTTPException) as error:
                seen = f"got no answer ({type(error).__name__}: {error})"
            else:
                if status == 200:
                    return Startup(ping_s=time.monotonic() - began)
                seen = f"answered {status}"
            if time.monotonic() - began > self._startup_timeout_s:
                raise ContainerStartError(
                    f"{self._url}: GET {self._address.base_path}/ping {seen} for {self._startup_timeout_s:g} s, "
                    "where a ready server answers 200. Is this a model server, and is its model loaded?"
                )
            time.sleep(_PING_PERIOD_S)

    def check_alive(self) -> None:
        """Raise ContainerDiedError if nothing listens there any more."""
        try:
            socket.create_connection((self._address.host, self._address.port), timeout=PING_TIMEOUT_S).close()
        except TimeoutError:
            return  # busy: a full backlog drops the connection request
        except OSError as error:
            raise ContainerDiedError(
                f"{self._url}: {error.strerror}: the server is gone. Its own log says more."
            ) from error

    def _check_after_no_answer(self) -> None:
        """As `check_alive`; the kernel closes a dying server's connections a moment before the port they came by."""
        deadline = time.monotonic() + _NOTICE_S
        while time.monotonic() < deadline:
            self.check_alive()
            time.sleep(_NOTICE_S / 10)

    def usage(self) -> Usage | None:
        """None: what it uses cannot be seen from here."""
        return None

    def reset_memory_peak(self) -> None:
        """Nothing: its memory cannot be seen."""

    def log_tail(self, lines: int = 20) -> str:
        """Empty: its log cannot be seen."""
        del lines
        return ""

    def stop(self) -> None:
        """Nothing: it goes on for whoever started it."""
