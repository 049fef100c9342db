"""Loopback ports, and what is reached without a gateway."""

import ipaddress
import socket

import psutil

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


def is_next_door(interface: ipaddress.IPv4Interface) -> bool:
    """Whether this machine has an address in the interface's network: what is sent there passes no gateway."""
    own = [
        found.address for every in psutil.net_if_addrs().values() for found in every if found.family == socket.AF_INET
    ]
    return any(ipaddress.IPv4Address(address) in interface.network for address in own)
