"""CPU seconds and memory of a container that runs as processes of this machine.

Two ways to know them, tried in this order:

- a control group of its own (planner.container.cgroup): CPU seconds of everything that ever ran in it, to the
  nanosecond (what runs at the moment is up to one scheduler tick, 1 to 10 ms, behind). Memory is usage minus file
  cache: what decides an out-of-memory kill. The peak is the kernel's high-water mark, read and restarted every
  quarter second, minus the lesser of the file caches before and after: exact to what the cache grew in between.
- the process tree: CPU seconds in clock ticks (10 ms each), ended children included once their parent has collected
  them. Memory is resident and not shared, summed: pages that workers share since a fork count once per worker (too
  high for servers that preload), shared memory not at all. The peak sums the processes' own high-water marks of the
  same quarter second, so it is too high when they peak one after the other, and lacks processes that came and went.
"""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Literal, Protocol

from planner.container import tree
from planner.container.cgroup import Cgroup, make_cgroup
from planner.container.contract import Limits, Usage
from planner.container.cpus import quota_of
from planner.container.threads import thread_times, threads_of
from planner.errors import ContainerLimitError
from planner.units import show_bytes

Accounting = Literal["auto", "process-tree"]

_PERIOD_S = 0.25


class UsageMeter(Protocol):
    """Follows one container's use of the machine."""

    @property
    def folders(self) -> tuple[Path, ...]:
        """Control groups that the server joins when it starts."""
        ...

    def begin(self, supervisor: int) -> None:
        """Follow the descendants of that process."""
        ...

    def usage(self) -> Usage:
        """What it has used up to now."""
        ...

    def reset_memory_peak(self) -> None:
        """Start a new peak from what is in use now."""
        ...

    def oom_kills(self) -> int:
        """Processes that the kernel killed for memory, as far as can be seen."""
        ...

    def close(self) -> None:
        """Stop following and remove what was made for it."""
        ...


class Sampler:
    """Calls a function every period on a thread of its own, until closed."""

    def __init__(self, sample: Callable[[], object], period_s: float) -> None:
        self._sample = sample
        self._period_s = period_s
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="memory peak", daemon=True)

    def _run(self) -> None:
        while not self._closed.wait(self._period_s):
            self._sample()

    def begin(self) -> None:
        """Start the thread."""
        self._thread.start()

    def close(self) -> None:
        """End it, and wait for that."""
        self._closed.set()
        if self._thread.is_alive():
            self._thread.join()


class CgroupMeter:
    """Usage of a control group."""

    def __init__(self, cgroup: Cgroup, *, has_quota: bool = False) -> None:
        self._cgroup = cgroup
        self._has_quota = has_quota
        self._lock = threading.Lock()
        self._file_bytes = 0
        self._peak_bytes = 0
        self._sampler = Sampler(self.sample, _PERIOD_S)

    @property
    def folders(self) -> tuple[Path, ...]:
        """The group's folders, one per hierarchy."""
        return self._cgroup.folders

    def begin(self, supervisor: int) -> None:
        """Start sampling; the supervisor itself stays outside the group."""
        del supervisor
        self._sampler.begin()

    def sample(self) -> int:
        """Memory in use now, in bytes; the peak since the last sample is noted."""
        with self._lock:
            reading = self._cgroup.memory(restart=True)
            in_use = max(0, reading.usage_bytes - reading.file_bytes)
            highest = reading.high_water_bytes - min(self._file_bytes, reading.file_bytes)
            self._file_bytes = reading.file_bytes
            self._peak_bytes = max(self._peak_bytes, highest, in_use)
            return in_use

    def usage(self) -> Usage:
        """What the group has used up to now."""
        in_use = self.sample()
        periods, seconds = self._cgroup.throttled() if self._has_quota else (None, None)
        return Usage(
            cpu_s=self._cgroup.cpu_s(),
            memory_bytes=in_use,
            memory_peak_bytes=self._peak_bytes,
            throttled_periods=periods,
            throttled_s=seconds,
            threads=thread_times(self._cgroup.threads()),
            source=self._cgroup.source,
        )

    def reset_memory_peak(self) -> None:
        """Start a new peak from what is in use now."""
        in_use = self.sample()
        with self._lock:
            self._peak_bytes = in_use

    def oom_kills(self) -> int:
        """As the group counts them."""
        try:
            return self._cgroup.oom_kills()
        except OSError:
            return 0

    def close(self) -> None:
        """Stop sampling; kill what is left in the group and remove it."""
        self._sampler.close()
        self._cgroup.close()


class ProcessTreeMeter:
    """Usage of the supervisor's descendants."""

    folders: tuple[Path, ...] = ()

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._supervisor = 0
        self._cpu_s = 0.0
        self._peak_bytes = 0
        self._sampler = Sampler(self.sample, _PERIOD_S)

    def begin(self, supervisor: int) -> None:
        """Follow the descendants of the supervisor."""
        self._supervisor = supervisor
        self._sampler.begin()

    def sample(self) -> int:
        """Memory in use now, in bytes; the peak since the last sample is noted."""
        with self._lock:
            readings = [tree.memory_bytes(process) for process in tree.descendants(self._supervisor)]
            self._peak_bytes = max(self._peak_bytes, sum(highest for _, highest in readings))
            return sum(now for now, _ in readings)

    def usage(self) -> Usage:
        """What the tree has used up to now; CPU seconds never fall, though a process may end between two readings."""
        in_use = self.sample()
        with self._lock:
            live_s = sum(tree.cpu_s(process) for process in tree.descendants(self._supervisor))
            self._cpu_s = max(self._cpu_s, live_s + tree.collected_cpu_s(self._supervisor))
            return Usage(
                cpu_s=self._cpu_s,
                memory_bytes=in_use,
                memory_peak_bytes=self._peak_bytes,
                threads=thread_times(threads_of(tree.descendants(self._supervisor))),
                source="process-tree",
            )

    def reset_memory_peak(self) -> None:
        """Start a new peak from what is in use now."""
        in_use = self.sample()
        with self._lock:
            self._peak_bytes = in_use

    def oom_kills(self) -> int:
        """Not visible in a process tree: 0."""
        return 0

    def close(self) -> None:
        """Stop sampling."""
        self._sampler.close()


def open_meter(limits: Limits, accounting: Accounting = "auto") -> UsageMeter:
    """A meter for a container about to start: a control group where one can be made, else the process tree.

    Raises ContainerLimitError when a memory limit or a fraction of a CPU is asked for and no control group can impose
    it (a limit on address space is another thing: it also counts what is mapped and never touched).
    """
    quota = quota_of(limits)
    try:
        if accounting == "process-tree":
            raise PermissionError("accounting by the process tree was asked for")
        cgroup = make_cgroup(with_quota=quota is not None)
    except OSError as error:
        if limits.memory_bytes is not None:
            raise ContainerLimitError(
                f"a memory limit of {show_bytes(limits.memory_bytes)} needs a control group, and none can be made "
                f"here: {error}. Run as root, or leave the memory limit out: use is measured either way."
            ) from error
        if quota is not None:
            raise ContainerLimitError(
                f"a limit of {quota:g} CPUs is a quota, which needs a control group, and none can be made here: "
                f"{error}. Run as root on Linux, ask for a whole number of CPUs, or profile an IMAGE."
            ) from error
        return ProcessTreeMeter()
    try:
        if limits.memory_bytes is not None:
            cgroup.limit_memory(limits.memory_bytes)
        if quota is not None:
            cgroup.limit_cpus(quota)
    except OSError as error:
        cgroup.close()
        asked = [show_bytes(limits.memory_bytes)] if limits.memory_bytes is not None else []
        asked += [f"{quota:g} CPUs"] if quota is not None else []
        raise ContainerLimitError(
            f"a limit of {' and '.join(asked)} was refused by the kernel: {error}. Ask for another amount."
        ) from error
    return CgroupMeter(cgroup, has_quota=quota is not None)
