"""How long threads ran and how long they stood ready and waited for a CPU, as Linux counts it for each of them.

Source: kernel documentation, scheduler/sched-stats.rst, "/proc/<pid>/schedstat": nanoseconds spent on the CPU,
nanoseconds spent waiting on a run queue, time slices. A thread asleep, on a lock or on the network, waits for neither.
"""

import contextlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from planner.container.contract import ThreadTimes

_PROC = Path("/proc")


def threads_of(processes: Iterable[int]) -> Iterator[int]:
    """Numbers of the threads of these processes."""
    for process in processes:
        with contextlib.suppress(OSError):  # it has ended
            yield from (int(thread.name) for thread in (_PROC / str(process) / "task").iterdir())


def thread_times(threads: Iterable[int]) -> dict[int, ThreadTimes]:
    """What each of these threads has run and waited since it began; those that have ended are left out."""
    found = {}
    for thread in threads:
        with contextlib.suppress(OSError, ValueError):
            ran, waited, _ = (_PROC / str(thread) / "schedstat").read_text().split()
            status = (_PROC / str(thread) / "status").read_text()
            process = int(status.partition("\nTgid:")[2].partition("\n")[0])
            found[thread] = ThreadTimes(ran_s=int(ran) / 1e9, waited_s=int(waited) / 1e9, process=process)
    return found
