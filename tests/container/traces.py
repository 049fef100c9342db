"""What a container could leave on this machine, and a check that it did not."""

import os
import shlex
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from planner.container.contract import Address

HERE = Path(__file__).parent
MODEL = HERE / "model"
PLAIN = shlex.join([sys.executable, str(HERE / "servers" / "plain.py"), str(MODEL)])


def listens(address: Address) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)  # a container's own address is no longer this machine's once it is gone
        return probe.connect_ex((address.host, address.port)) == 0


def processes(root: int | None = None) -> list[psutil.Process]:
    return psutil.Process(root or os.getpid()).children(recursive=True)


def cgroups(owner: int) -> list[Path]:
    return list(Path("/sys/fs/cgroup").glob(f"**/batch-transform-planner-{owner}-*"))


def eventually(claim: Callable[[], bool], limit_s: float = 15) -> bool:
    """Whether the claim comes true; the limit only ends a test that has failed."""
    deadline = time.monotonic() + limit_s
    while not claim():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
