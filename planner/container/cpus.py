"""Which CPUs a container is pinned to."""

import math
import os
from pathlib import Path
from typing import Final

from planner.container.contract import Limits
from planner.errors import ContainerLimitError

LEAST_CPUS: Final = 0.01
"""The kernel takes no quota below 1 ms of each 100 ms."""
_TOPOLOGY = Path("/sys/devices/system/cpu")


def available_cpus() -> tuple[int, ...]:
    """Numbers of the CPUs that this process may run on, in order."""
    if hasattr(os, "sched_getaffinity"):
        return tuple(sorted(os.sched_getaffinity(0)))
    return tuple(range(os.cpu_count() or 1))


def _place(cpu: int) -> tuple[int, int, int]:
    """Package, core and number of a CPU: sorting by it puts the hyperthreads of one core side by side."""
    folder = _TOPOLOGY / f"cpu{cpu}" / "topology"
    try:
        package = int((folder / "physical_package_id").read_text())
        return package, int((folder / "core_id").read_text()), cpu
    except (OSError, ValueError):
        return 0, cpu, cpu


def quota_of(limits: Limits) -> float | None:
    """CPU seconds per second that the container may use, where they are a fraction; None: no quota is needed."""
    return None if limits.cpus is None or limits.cpus == int(limits.cpus) else limits.cpus


def choose_cpus(limits: Limits) -> tuple[int, ...] | None:
    """The CPUs for a container with these limits; None: not pinned.

    Whole CPUs by affinity rather than a quota: a quota of the kernel's scheduler lets the server run full speed and
    then halts it for the rest of each 100 ms, which makes its latency bimodal. A fraction is pinned to the next whole
    number, so that thread pools see no more, and is a quota on those. The last CPUs are taken, hyperthreads of one
    core together (as an instance type's vCPUs are), which leaves the first, where interrupts usually land, to the
    load generator. Raises ContainerLimitError.
    """
    available = available_cpus()
    if limits.cpu_set is not None and hasattr(os, "sched_setaffinity"):
        if not set(limits.cpu_set) <= set(available):
            raise ContainerLimitError(f"CPUs {limits.cpu_set} are not all among those of this process, {available}.")
        return limits.cpu_set
    if limits.cpus is None:
        return None
    if limits.cpus < LEAST_CPUS:
        raise ContainerLimitError(
            f"a limit of {limits.cpus:g} CPUs cannot be imposed: the kernel takes no less than {LEAST_CPUS:g}. "
            f"Ask for a number from there to {len(available)}."
        )
    count = math.ceil(limits.cpus)
    if count > len(available):
        raise ContainerLimitError(
            f"a limit of {limits.cpus:g} CPUs is more than the {len(available)} that this process may use. "
            f"Ask for at most {len(available)}; larger instance types are predicted, not measured."
        )
    if not hasattr(os, "sched_setaffinity"):
        raise ContainerLimitError("this system cannot pin a process to CPUs; leave the CPU limit out, or use Linux.")
    return tuple(sorted(sorted(available, key=_place)[-count:]))
