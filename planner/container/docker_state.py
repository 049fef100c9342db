"""What an engine says of a container: running or how it ended, and where it is reached."""

import contextlib
import ipaddress
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from planner.container.contract import Address
from planner.container.ports import is_next_door
from planner.errors import ContainerStartError


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """One answer of ``GET /containers/ID/json``."""

    container_id: str
    is_running: bool
    process: int
    """Number of its first process, as the engine's machine counts; 0 once it has ended."""
    exit_code: int
    was_out_of_memory: bool
    """True if the kernel killed a process of it for its memory limit."""
    engine_error: str
    addresses: tuple[str, ...]
    """Its own, one per network; with the length of the network's prefix where that is known (``10.89.0.2/24``)."""
    published: Mapping[str, int]
    """Ports of 127.0.0.1 by the container's own, such as ``8080/tcp``."""

    def address(self, port: str, *, is_native: bool) -> Address:
        """Where its port is reached from here. Raises ContainerStartError if it is not."""
        if is_native and self.addresses:
            interface = ipaddress.IPv4Interface(self.addresses[0])
            if interface.network.prefixlen < interface.max_prefixlen and not is_next_door(interface):
                raise ContainerStartError(
                    f"container {self.container_id[:12]} has the address {interface}, and this machine none in that "
                    "network: podman with CNI makes internal networks so. Let podman use netavark (network_backend in "
                    "containers.conf), or allow the container its usual network with --network."
                )
            return Address(host=str(interface.ip), port=int(port))
        if f"{port}/tcp" in self.published:
            return Address(host="127.0.0.1", port=self.published[f"{port}/tcp"])
        raise ContainerStartError(f"container {self.container_id[:12]}: the engine gave it no address.")

    def end(self, memory_limit: str | None) -> str:
        """How it ended, in words, given its memory limit in words."""
        killed = self.exit_code == 128 + signal.SIGKILL
        if self.was_out_of_memory:
            limit = f"its memory limit of {memory_limit}" if memory_limit else "the memory of the engine's machine"
            return f"was killed by the kernel for going beyond {limit} (out of memory); raise it or send less at once"
        if killed and memory_limit:
            return f"was killed (SIGKILL), perhaps for its memory limit of {memory_limit}"
        if self.engine_error:
            return f"ended: {self.engine_error}"
        if self.exit_code > 128:
            with contextlib.suppress(ValueError):
                number = self.exit_code - 128
                return f"ended by signal {number} ({signal.Signals(number).name})"
        if self.exit_code in (126, 127):  # cannot be run, not found: a shell's codes, which docker and its init use
            return f"ended with exit code {self.exit_code} (no program named serve? That is what the service runs)"
        return f"ended with exit code {self.exit_code}"


def state_of(attributes: Mapping[str, Any]) -> State:
    """The state in the engine's own description of a container."""
    state, network = attributes["State"], attributes.get("NetworkSettings") or {}
    networks = (network.get("Networks") or {}).values()
    bindings = {port: found for port, found in (network.get("Ports") or {}).items() if found}
    return State(
        container_id=attributes["Id"],
        is_running=bool(state.get("Running")),
        process=int(state.get("Pid") or 0),
        exit_code=int(state.get("ExitCode") or 0),
        was_out_of_memory=bool(state.get("OOMKilled")),
        engine_error=str(state.get("Error") or ""),
        addresses=tuple(
            f"{entry['IPAddress']}/{entry.get('IPPrefixLen') or 32}" for entry in networks if entry.get("IPAddress")
        ),
        published={port: int(found[0]["HostPort"]) for port, found in bindings.items()},
    )
