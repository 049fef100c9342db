"""What holds for every test: the network ends at this machine's loopback, and Ctrl-C interrupts what is started."""

import ipaddress
import signal
import socket
from typing import Any

import pytest

_REAL_CONNECT = socket.socket.connect


def pytest_configure() -> None:
    """Let started programs feel SIGINT, which a shell without job control makes its background jobs ignore."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _connect_to_loopback_only(self: socket.socket, address: Any, /) -> None:
    if self.family in (socket.AF_INET, socket.AF_INET6):
        host = address[0]
        if host != "localhost" and not ipaddress.ip_address(host).is_loopback:
            raise AssertionError(f"a test tried to reach {host}: tests stay on the loopback")
    _REAL_CONNECT(self, address)


@pytest.fixture(autouse=True)
def _loopback_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket.socket, "connect", _connect_to_loopback_only)


@pytest.fixture(autouse=True)
def _no_aws_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "no-aws-config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "no-aws-credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture(autouse=True)
def _own_state(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """Sessions that a test remembers are its own."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
