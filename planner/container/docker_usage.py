"""CPU seconds, memory and throttling of a container that an engine runs.

Where its control groups can be seen from here they are read as those of a process container are; else (Docker
Desktop, another machine) the engine's statistics are asked for, once a second, whose peak misses what came and went
in between. Throttling is the kernel's count of 100 ms periods in which a CPU quota halted the container.
"""

import contextlib
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

from planner.container.cgroup import (
    Cgroup,
    CgroupV1,
    CgroupV2,
    Hierarchy,
    MemoryReading,
    hierarchies,
)
from planner.container.contract import Usage
from planner.container.usage import CgroupMeter, Sampler
from planner.documents import replace

if TYPE_CHECKING:
    from docker.models.containers import Container as EngineContainer

_PROC: Final = Path("/proc")
_PERIOD_S: Final = 1.0


class EngineMeter(Protocol):
    """Follows one container of an engine."""

    def usage(self) -> Usage:
        """What it has used up to now; its last reading once it has ended."""
        ...

    def reset_memory_peak(self) -> None:
        """Start a new peak from what is in use now."""
        ...

    def oom_kills(self) -> int:
        """Processes that the kernel killed for memory, as far as can be seen."""
        ...

    def close(self) -> None:
        """Stop following."""
        ...


class ForeignCgroup(Cgroup):
    """A group that the engine made and removes: only read, and after its end the last readings stand."""

    def __init__(self, group: CgroupV1 | CgroupV2, *, cpu: Path, memory: Path, quota: Path) -> None:
        """Quota: folder with the ``cpu.stat`` that counts throttling."""
        super().__init__(cpu=cpu, memory=memory, quota=quota)
        self.source = group.source
        self.thread_list = group.thread_list
        self._group = group
        self._cpu_s = 0.0
        self._reading = MemoryReading(usage_bytes=0, file_bytes=0, high_water_bytes=0)
        self._kills = 0
        self._throttled = (0, 0.0)

    def limit_memory(self, count: int) -> None:
        """Not ours to limit: the engine does."""
        raise PermissionError(f"a limit of {count} bytes is for the engine to set")

    def limit_cpus(self, cpus: float) -> None:
        """Not ours to limit: the engine does."""
        raise PermissionError(f"a limit of {cpus:g} CPUs is for the engine to set")

    def cpu_s(self) -> float:
        """As the group counts."""
        with contextlib.suppress(OSError):
            self._cpu_s = self._group.cpu_s()
        return self._cpu_s

    def memory(self, *, restart: bool) -> MemoryReading:
        """As the group counts; the high-water mark restarts where this user may do that."""
        with contextlib.suppress(OSError):
            self._reading = self._group.memory(restart=restart)
        return self._reading

    def oom_kills(self) -> int:
        """As the group counts."""
        with contextlib.suppress(OSError):
            self._kills = self._group.oom_kills()
        return self._kills

    def throttled(self) -> tuple[int, float]:
        """As the group counts."""
        with contextlib.suppress(OSError):
            self._throttled = super().throttled()
        return self._throttled

    def release(self) -> None:
        """Close the files that are held open."""
        self._group.release()

    def close(self) -> None:
        """As `release`: the group is the engine's to remove."""
        self.release()


def find_cgroup(process: int, container: str) -> ForeignCgroup | None:
    """The groups of the container with that id, whose first process is known; None where they cannot be seen."""
    try:
        own = (_PROC / str(process) / "cgroup").read_text()
        mounted = hierarchies((_PROC / "self" / "mountinfo").read_text(), own)
    except OSError:
        return None
    return locate_cgroup(mounted, own, container)


def locate_cgroup(mounted: list[Hierarchy], own: str, container: str) -> ForeignCgroup | None:
    """The groups named for the container among the hierarchies, by the text of its /proc/PID/cgroup."""
    one = {
        name: h.folder
        for h in mounted
        if h.version == 1 and container in h.folder.name and h.folder.is_dir()
        for name in h.controllers
    }
    if {"cpu", "cpuacct", "memory"} <= one.keys():
        cpu, memory = one["cpuacct"], one["memory"]
        return ForeignCgroup(CgroupV1(cpu=cpu, memory=memory), cpu=cpu, memory=memory, quota=one["cpu"])
    path = next((line.removeprefix("0::").lstrip("/") for line in own.splitlines() if line.startswith("0::")), "")
    for hierarchy in mounted:
        folder = hierarchy.folder / path
        if hierarchy.version == 2 and container in path and (folder / "memory.current").exists():
            return ForeignCgroup(CgroupV2(cpu=folder, memory=folder), cpu=folder, memory=folder, quota=folder)
    return None


class VisibleUsage:
    """Usage read from the container's own control groups."""

    def __init__(self, cgroup: ForeignCgroup, *, has_quota: bool) -> None:
        self._meter = CgroupMeter(cgroup, has_quota=has_quota)
        self._meter.begin(0)

    def usage(self) -> Usage:
        """What the groups have counted up to now."""
        return self._meter.usage()

    def reset_memory_peak(self) -> None:
        """Start a new peak from what is in use now."""
        self._meter.reset_memory_peak()

    def oom_kills(self) -> int:
        """As the groups count them."""
        return self._meter.oom_kills()

    def close(self) -> None:
        """Stop sampling."""
        self._meter.close()


class ReportedUsage:
    """Usage as the engine reports it."""

    def __init__(self, statistics: Callable[[], Mapping[str, Any]], *, has_quota: bool) -> None:
        """`statistics` answers one reading of ``GET /containers/ID/stats``, or one without figures after its end."""
        self._statistics = statistics
        self._has_quota = has_quota
        self._lock = threading.Lock()
        self._last = Usage(cpu_s=0, memory_bytes=0, memory_peak_bytes=0, source="engine")
        self._sampler = Sampler(self.usage, _PERIOD_S)
        self._sampler.begin()

    def usage(self) -> Usage:
        """What the engine says now."""
        reading = self._statistics()
        cpu, memory = reading.get("cpu_stats", {}), reading.get("memory_stats", {})
        with self._lock:
            if not memory.get("usage"):
                return self._last
            fields = memory.get("stats", {})
            prefix = "total_" if "total_inactive_file" in fields else ""
            cached = sum(fields.get(f"{prefix}{kind}_file", 0) for kind in ("active", "inactive"))
            in_use = max(0, memory["usage"] - cached)
            quota = cpu.get("throttling_data", {}) if self._has_quota else {}
            self._last = Usage(
                cpu_s=max(self._last.cpu_s, cpu["cpu_usage"]["total_usage"] / 1e9),
                memory_bytes=in_use,
                memory_peak_bytes=max(self._last.memory_peak_bytes, in_use),
                throttled_periods=quota.get("throttled_periods"),
                throttled_s=quota["throttled_time"] / 1e9 if "throttled_time" in quota else None,
                source="engine",
            )
            return self._last

    def reset_memory_peak(self) -> None:
        """Start a new peak from what is in use now."""
        self.usage()
        with self._lock:
            self._last = replace(self._last, memory_peak_bytes=self._last.memory_bytes)

    def oom_kills(self) -> int:
        """Not among the statistics: 0."""
        return 0

    def close(self) -> None:
        """Stop asking."""
        self._sampler.close()


def follow(container: "EngineContainer", process: int | None, *, has_quota: bool) -> EngineMeter:
    """A meter for a running container, given its first process where that is one of this machine."""
    cgroup = None if process is None else find_cgroup(process, str(container.id))
    if cgroup is not None:
        return VisibleUsage(cgroup, has_quota=has_quota)

    def statistics() -> Mapping[str, Any]:
        from docker.errors import DockerException
        from requests.exceptions import RequestException

        try:
            return cast("Mapping[str, Any]", container.stats(stream=False, one_shot=True))
        except (DockerException, RequestException):
            return {}

    return ReportedUsage(statistics, has_quota=has_quota)
