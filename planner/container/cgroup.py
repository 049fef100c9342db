"""Control groups of one container: made, limited, read and removed. Linux only; v1, v2 or the hybrid of both.

Memory that decides an out-of-memory kill is what the kernel cannot take back: usage minus the file cache
(``inactive_file + active_file`` of memory.stat; shared memory is not in these). Figures are exact to about
64 pages per CPU (256 KiB), which the kernel charges ahead of use.

Source: kernel documentation, admin-guide/cgroup-v1/{cpuacct,memory}.rst and admin-guide/cgroup-v2.rst.
"""

import contextlib
import itertools
import os
import signal
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

_serial = itertools.count()
_REMOVAL_S = 2.0
_PERIOD_US = 100_000
"""Of a quota: the kernel's default and Docker's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hierarchy:
    """One mounted cgroup hierarchy."""

    folder: Path
    """Where this process's own group of that hierarchy is mounted (v1), or the hierarchy's root (v2)."""
    controllers: frozenset[str]
    version: Literal[1, 2]


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryReading:
    """Bytes charged to a group."""

    usage_bytes: int
    file_bytes: int
    """Page cache of files, which the kernel takes back before it kills."""
    high_water_bytes: int
    """Highest usage since the last reading with `restart`; the present usage where the kernel does not tell."""


def read_fields(path: Path) -> dict[str, int]:
    """The ``name number`` lines of a cgroup file."""
    pairs = (line.split() for line in path.read_text().splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2}


def hierarchies(mountinfo: str, own_groups: str) -> list[Hierarchy]:
    """The mounted hierarchies, from the texts of /proc/self/mountinfo and /proc/self/cgroup.

    A v1 group is made inside this process's own, since limits nest. On v2 a group that holds processes may not
    have children with controllers (except the root), so there it is made at the root of the mount.
    """
    own: dict[str, str] = {}
    for line in own_groups.splitlines():
        _, names, path = line.split(":", 2)
        own.update(dict.fromkeys(names.split(","), path))
    found = []
    for line in mountinfo.splitlines():
        before, _, after = line.partition(" - ")
        root, mount_point = before.split()[3:5]
        kind, _, options = after.split(maxsplit=2)
        if kind == "cgroup":
            controllers = frozenset(options.split()[-1].split(",")) & own.keys()
            for path in {own[name] for name in controllers}:
                inside = os.path.relpath(path, root)
                folder = Path(mount_point) / ("." if inside.startswith("..") else inside)
                found.append(Hierarchy(folder=folder, controllers=controllers, version=1))
        elif kind == "cgroup2":
            with contextlib.suppress(OSError):
                enabled = (Path(mount_point) / "cgroup.subtree_control").read_text().split()
                found.append(Hierarchy(folder=Path(mount_point), controllers=frozenset(enabled), version=2))
    return found


class Cgroup(ABC):
    """The groups of one container in the hierarchies that count CPU time and memory, and halt it for a quota."""

    source: Literal["cgroup-v1", "cgroup-v2"]
    thread_list: str
    """File with the numbers of its threads."""

    def __init__(self, *, cpu: Path, memory: Path, quota: Path | None = None) -> None:
        """`quota`: the group whose ``cpu.stat`` counts halts; None: it cannot have a quota."""
        self._cpu = cpu
        self._memory = memory
        self._quota = quota

    @property
    def folders(self) -> tuple[Path, ...]:
        """A process joins by writing its number into ``cgroup.procs`` of each."""
        return tuple(dict.fromkeys(path for path in (self._cpu, self._memory, self._quota) if path is not None))

    @abstractmethod
    def limit_memory(self, count: int) -> None:
        """Kill what goes beyond `count` bytes; no swap on top. Raises OSError."""

    @abstractmethod
    def limit_cpus(self, cpus: float) -> None:
        """Halt it once it has used `cpus` x 100 ms of CPU time within 100 ms, to the end of these. Raises OSError."""

    def threads(self) -> list[int]:
        """Numbers of its threads."""
        return [int(line) for line in _members(self._cpu, self.thread_list)]

    def throttled(self) -> tuple[int, float]:
        """Periods of 100 ms in which the quota halted it, and the seconds that its threads stood still, summed."""
        if self._quota is None:
            return 0, 0.0
        fields = read_fields(self._quota / "cpu.stat")
        seconds = fields["throttled_time"] / 1e9 if "throttled_time" in fields else fields["throttled_usec"] / 1e6
        return fields["nr_throttled"], seconds

    @abstractmethod
    def cpu_s(self) -> float:
        """CPU seconds, user and system, of every process that ever was in the group."""

    @abstractmethod
    def memory(self, *, restart: bool) -> MemoryReading:
        """What it holds now; restart begins a new high-water mark."""

    @abstractmethod
    def oom_kills(self) -> int:
        """How many processes the kernel killed because of the memory limit."""

    @abstractmethod
    def release(self) -> None:
        """Close the files that are held open; the groups stay."""

    def close(self) -> None:
        """Kill what is still inside and remove the groups."""
        self.release()
        deadline = time.monotonic() + _REMOVAL_S
        for folder in self.folders:
            while folder.exists() and time.monotonic() < deadline:
                with contextlib.suppress(OSError):
                    folder.rmdir()
                    break
                for line in _members(folder, "cgroup.procs"):
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(int(line), signal.SIGKILL)
                time.sleep(0.005)


def _members(folder: Path, listing: str) -> list[str]:
    try:
        return (folder / listing).read_text().split()
    except OSError:
        return []


class CgroupV1(Cgroup):
    """Groups in the cpuacct and memory hierarchies."""

    source = "cgroup-v1"
    thread_list = "tasks"

    def limit_memory(self, count: int) -> None:
        """Kill what goes beyond `count` bytes; where the kernel counts swap, none on top. Raises OSError."""
        (self._memory / "memory.limit_in_bytes").write_text(str(count))
        with contextlib.suppress(OSError):  # absent without swap accounting
            (self._memory / "memory.memsw.limit_in_bytes").write_text(str(count))

    def limit_cpus(self, cpus: float) -> None:
        """``cpu.cfs_quota_us`` of each ``cpu.cfs_period_us``. Raises OSError."""
        if self._quota is None:
            raise FileNotFoundError("the group is not in a hierarchy with the cpu controller")
        (self._quota / "cpu.cfs_period_us").write_text(str(_PERIOD_US))
        (self._quota / "cpu.cfs_quota_us").write_text(str(round(cpus * _PERIOD_US)))

    def cpu_s(self) -> float:
        """``cpuacct.usage``, which is in nanoseconds."""
        return int((self._cpu / "cpuacct.usage").read_text()) / 1e9

    def memory(self, *, restart: bool) -> MemoryReading:
        """Usage and cache; the high-water mark restarts when it is overwritten."""
        usage = int((self._memory / "memory.usage_in_bytes").read_text())
        high_water = self._memory / "memory.max_usage_in_bytes"
        highest = int(high_water.read_text())
        if restart:
            try:
                high_water.write_text("0")
            except PermissionError:  # another user's group: its mark stands for the group's whole life
                highest = usage
        fields = read_fields(self._memory / "memory.stat")
        return MemoryReading(
            usage_bytes=usage,
            file_bytes=fields["total_inactive_file"] + fields["total_active_file"],
            high_water_bytes=highest,
        )

    def oom_kills(self) -> int:
        """``oom_kill`` of memory.oom_control (Linux 4.13 and later)."""
        return read_fields(self._memory / "memory.oom_control").get("oom_kill", 0)

    def release(self) -> None:
        """Nothing: none is."""


class CgroupV2(Cgroup):
    """A group in the unified hierarchy."""

    source = "cgroup-v2"
    thread_list = "cgroup.threads"

    def __init__(self, *, cpu: Path, memory: Path) -> None:
        super().__init__(cpu=cpu, memory=memory, quota=cpu)
        self._peak: IO[bytes] | None = None
        with contextlib.suppress(OSError):  # memory.peak: Linux 5.19; resettable per open file: 6.12
            self._peak = (memory / "memory.peak").open("r+b", buffering=0)
        self._restart_peak()

    def _restart_peak(self) -> None:
        if self._peak is not None:
            try:
                self._peak.seek(0)
                self._peak.write(b"reset")
            except OSError:
                self._peak.close()
                self._peak = None

    def limit_memory(self, count: int) -> None:
        """Kill what goes beyond `count` bytes, without swap. Raises OSError."""
        (self._memory / "memory.max").write_text(str(count))
        with contextlib.suppress(OSError):  # absent without swap accounting
            (self._memory / "memory.swap.max").write_text("0")

    def limit_cpus(self, cpus: float) -> None:
        """``cpu.max``: quota and period in microseconds. Raises OSError."""
        (self._cpu / "cpu.max").write_text(f"{round(cpus * _PERIOD_US)} {_PERIOD_US}")

    def cpu_s(self) -> float:
        """``usage_usec`` of cpu.stat, in microseconds."""
        return read_fields(self._cpu / "cpu.stat")["usage_usec"] / 1e6

    def memory(self, *, restart: bool) -> MemoryReading:
        """Usage and cache; the high-water mark of this open file restarts where the kernel can."""
        usage = int((self._memory / "memory.current").read_text())
        highest = usage
        if self._peak is not None:
            self._peak.seek(0)
            highest = int(self._peak.read())
            if restart:
                self._restart_peak()
        fields = read_fields(self._memory / "memory.stat")
        return MemoryReading(
            usage_bytes=usage,
            file_bytes=fields["inactive_file"] + fields["active_file"],
            high_water_bytes=highest,
        )

    def oom_kills(self) -> int:
        """``oom_kill`` of memory.events."""
        return read_fields(self._memory / "memory.events").get("oom_kill", 0)

    def release(self) -> None:
        """Close the high-water file; the group stays."""
        if self._peak is not None:
            self._peak.close()
            self._peak = None


def make_cgroup(mounted: Sequence[Hierarchy] | None = None, *, with_quota: bool = False) -> Cgroup:
    """A new, empty group that counts CPU time and memory, and can have a CPU quota where that is asked for.

    Without that it stays out of v1's cpu hierarchy, where its processes would share the CPUs as one group.
    Raises OSError where there is no such hierarchy or this user may not make groups in it.
    """
    if mounted is None:
        mounted = hierarchies(Path("/proc/self/mountinfo").read_text(), Path("/proc/self/cgroup").read_text())
    name = f"batch-transform-planner-{os.getpid()}-{next(_serial)}"
    one = {name: h.folder for h in mounted if h.version == 1 for name in h.controllers}
    two = next((h.folder for h in mounted if h.version == 2 and {"cpu", "memory"} <= h.controllers), None)
    parts = {"cpu": "cpuacct", "memory": "memory"} | ({"quota": "cpu"} if with_quota else {})
    if set(parts.values()) <= one.keys():
        return _made(CgroupV1, **{part: one[controller] / name for part, controller in parts.items()})
    if two is not None:
        return _made(CgroupV2, cpu=two / name, memory=two / name)
    raise FileNotFoundError("no cgroup hierarchy with the cpu and memory controllers is mounted")


def _made(kind: type[CgroupV1] | type[CgroupV2], **folders: Path) -> Cgroup:
    """The group with these folders, which are made; none is left when that fails."""
    made: list[Path] = []
    try:
        for folder in dict.fromkeys(folders.values()):
            folder.mkdir()
            made.append(folder)
        return kind(**folders)
    except BaseException:
        for folder in made:
            folder.rmdir()
        raise
