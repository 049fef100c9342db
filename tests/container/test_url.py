"""A server that already runs."""

import os
import socket
import subprocess
from collections.abc import Iterator
from typing import ClassVar

import pytest

from planner.container.contract import Address
from planner.container.ports import free_port
from planner.container.url import UrlContainer, parse_url
from planner.errors import ContainerStartError
from tests.container.contract import ContainerContract
from tests.container.traces import PLAIN, eventually, listens


class TestUrl(ContainerContract):
    backend = "url"
    parameters = None
    owns_server = False
    servers: ClassVar[list[subprocess.Popen[bytes]]] = []
    sockets: ClassVar[list[socket.socket]] = []

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def no_server_outlives_the_tests(cls) -> Iterator[None]:
        yield
        for listener in cls.sockets:
            listener.close()
        for server in cls.servers:
            server.kill()
            server.wait()

    @classmethod
    def make(cls, **environment: str) -> UrlContainer:
        port = free_port()
        cls.servers.append(
            subprocess.Popen(
                PLAIN.split(),
                env={**os.environ, **environment, "SAGEMAKER_BIND_TO_PORT": str(port)},
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                process_group=0,
            )
        )
        assert eventually(lambda: listens(Address(host="127.0.0.1", port=port)))
        return UrlContainer(f"http://127.0.0.1:{port}")

    @classmethod
    def make_silent(cls) -> UrlContainer:
        listener = socket.create_server(("127.0.0.1", 0))
        cls.sockets.append(listener)
        return UrlContainer(f"http://127.0.0.1:{listener.getsockname()[1]}", startup_timeout_s=0.3)


def test_nothing_listening_is_refused_at_once_and_says_what_to_do() -> None:
    with pytest.raises(ContainerStartError, match=r"Connection refused.*--command"):
        UrlContainer(f"http://127.0.0.1:{free_port()}", startup_timeout_s=600).start()


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("http://127.0.0.1:8080", Address(host="127.0.0.1", port=8080)),
        ("http://127.0.0.1", Address(host="127.0.0.1", port=80)),
        ("http://[::1]:81/", Address(host="::1", port=81)),
        ("http://host:8080/models/a/", Address(host="host", port=8080, base_path="/models/a")),
        ("http://host:8080/invocations", Address(host="host", port=8080)),
        ("http://host:8080/a/ping", Address(host="host", port=8080, base_path="/a")),
    ],
)
def test_a_url_gives_host_port_and_base_path(url: str, address: Address) -> None:
    assert parse_url(url) == address


@pytest.mark.parametrize(
    "url",
    [
        "",
        "127.0.0.1:8080",
        "https://127.0.0.1",
        "http://",
        "http://h:port",
        "http://h:99999",
        "http://u:p@h",
        "http://h/?q",
    ],
)
def test_what_is_not_a_plain_http_url_is_refused_with_an_example(url: str) -> None:
    with pytest.raises(ContainerStartError, match=r"http://127\.0\.0\.1:8080"):
        parse_url(url)
