"""CPU limits of a container that an engine runs."""

from dataclasses import dataclass
from typing import Any

from planner.container.contract import Limits
from planner.container.cpus import LEAST_CPUS, choose_cpus
from planner.container.docker_engine import Engine
from planner.errors import ContainerLimitError

_NANO: int = 10**9


@dataclass(frozen=True, slots=True, kw_only=True)
class CpuShare:
    """What the container may use of the engine's CPUs."""

    engine_set: tuple[int, ...] | None = None
    """Numbers of the CPUs it is pinned to, as the engine counts them; None: all."""
    host_set: tuple[int, ...] | None = None
    """The same as this machine counts them; None where the engine's CPUs are not this machine's."""
    quota_cpus: float | None = None
    """CPU seconds per second, where that is not a whole number."""

    @property
    def is_quota(self) -> bool:
        """True if the kernel halts the container when its share of 100 ms is used up."""
        return self.quota_cpus is not None

    @property
    def options(self) -> dict[str, Any]:
        """The same in the SDK's words."""
        options: dict[str, Any] = {}
        if self.engine_set is not None:
            options["cpuset_cpus"] = ",".join(map(str, self.engine_set))
        if self.quota_cpus is not None:
            options["nano_cpus"] = round(self.quota_cpus * _NANO)
        return options


def share_cpus(limits: Limits, engine: Engine) -> CpuShare:
    """Whole CPUs by pinning, a fraction by a quota. Raises ContainerLimitError.

    A quota lets the server run at full speed and halts it for the rest of each 100 ms, which makes latency bimodal,
    and thread pools still see every CPU; it is only for what pinning cannot give.
    """
    cpus = limits.cpus
    if cpus is not None and cpus != int(cpus) and limits.cpu_set is None:
        if not LEAST_CPUS <= cpus <= engine.cpus:
            raise ContainerLimitError(f"a limit of {cpus:g} CPUs is not between {LEAST_CPUS} and {engine.cpus}.")
        return CpuShare(quota_cpus=cpus)
    if engine.is_native:
        chosen = choose_cpus(limits)
        return CpuShare(engine_set=chosen, host_set=chosen)
    if limits.cpu_set is not None:
        return CpuShare(engine_set=limits.cpu_set)
    if cpus is None:
        return CpuShare()
    if not 1 <= cpus <= engine.cpus:
        raise ContainerLimitError(
            f"a limit of {cpus:g} CPUs is not among the 1 to {engine.cpus} of the engine at {engine.host}; "
            "larger instance types are predicted, not measured."
        )
    return CpuShare(engine_set=tuple(range(engine.cpus - int(cpus), engine.cpus)))
