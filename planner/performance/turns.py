"""Whether a server's threads take turns at a lock, which a profile on few CPUs shows in the threads that stood ready.

    symbol   meaning                                                                          unit
    p        CPUs of the container, all busy                                                  1
    a        threads that took part in the work, at most the requests in flight; more than p  1
    r        threads that ran or stood ready for a CPU, on average                            1
    e        (r - p) / (a - p): part of the others that a further CPU would have let run      1

Workers that share CPUs have e = 1. Behind a lock e would be 0, were a waiting thread always asleep. Under Python's
interpreter lock it wakes every 5 ms (sys.getswitchinterval) to ask for the lock, and stands ready until the holder's
time slice of some 3 ms ends: e is about 3 / (5 + 3). e is read softly between 0.6 and 0.85. It is taken from long
requests only: a thread that a new request has just woken stands ready before it comes to the lock.
"""

from statistics import median
from typing import Final

import numpy as np

from planner.performance.limits import soft_step
from planner.profiling.profile import Measurement

LONG_S: Final = 0.01
"""CPU seconds of a request, at least: several of the scheduler's time slices."""
_BUSY: Final = 0.85
"""Share of the CPUs in use from which they are the limit."""
_DISTURBED: Final = 0.1
"""Share of the machine that others may have had: what they took, threads of the server waited for."""
_ALL: Final = 0.99


def cpus_usable(rows: list[Measurement], cpus: float) -> float | None:
    """CPUs that the server can keep busy, where its threads take turns; None: nothing says that it cannot use more.

    At least `cpus`, those that it was measured to keep busy: the lock's holder, and whatever runs beside it.
    """
    telling = [row for row in rows if row.cpus == cpus and _tells(row)]
    parts = [((row.ready_threads or 0.0) - cpus) / (_at_once(row) - cpus) for row in telling]
    if not parts:
        return None
    free = float(soft_step(np.array(median(parts))))
    return None if free > _ALL else cpus + free * (max(map(_at_once, telling)) - cpus)


def _at_once(row: Measurement) -> int:
    """Threads that could have worked at once: with fewer requests in flight they relieve one another."""
    return min(row.active_threads or 0, row.concurrency)


def _tells(row: Measurement) -> bool:
    """Whether more threads shared full CPUs than there are, over long requests, undisturbed and without a quota."""
    if row.ready_threads is None or row.active_threads is None or row.cpu_s is None or not row.requests:
        return False
    return (
        _at_once(row) > row.cpus
        and row.throttled_s is None
        and row.cpu_s / row.requests >= LONG_S
        and row.cpu_s >= _BUSY * row.cpus * row.duration_s
        and (row.disturbed_share or 0.0) <= _DISTURBED
    )
