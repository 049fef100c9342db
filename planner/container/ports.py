"""Loopback ports."""

import socket

from planner.errors import ContainerStartError


def free_port() -> int:
    """A loopback port that nothing listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def refuse_taken_port(port: int, variable: str) -> None:
    """Raise ContainerStartError if something listens on the loopback port that the variable names."""
    with socket.socket() as probe:
        probe.settimeout(1)
        if probe.connect_ex(("127.0.0.1", port)) == 0:
            raise ContainerStartError(
                f"port {port} of 127.0.0.1, which {variable} names, is in use by another program. "
                "End that program, or leave the variable out and a free port is chosen."
            )
