"""How many CPUs a server could have used: its threads that ran or stood ready for a CPU, on average over a window.

A server that shares one CPU among three busy workers has three threads ready; one whose threads take turns at a lock
has one, however many requests are in flight. So it shows on one CPU what a second one would bring.

symbol   meaning                                                            unit
r, w     seconds a thread ran, seconds it stood ready and waited, in T      s
T        window                                                             s
ready    sum (r + w) / T over the threads                                   1
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from planner.container.contract import ThreadTimes, Usage

SEEN: Final = 0.85
"""Share of the container's CPU time that the threads seen must account for: those that came and went between two
readings are missing, and what they waited."""
ACTIVE: Final = 0.1
"""A thread that did this share of the work took part in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """What the threads did in a window."""

    ready: float
    active_threads: int
    """Threads that took part."""
    active_processes: int | None
    """Processes that those belong to; None where that was not seen."""


def readiness(usages: Sequence[Usage], seconds: float) -> Readiness | None:
    """From the first to the last of the usages, `seconds` apart.

    None where threads could not be seen, or too little of what they did.
    """
    if len(usages) < 2 or seconds <= 0:
        return None
    before, after = usages[0].threads, usages[-1].threads
    if before is None or not after:
        return None
    rises = [_rise(before, thread, times) for thread, times in after.items()]
    ran_s, waited_s = sum(rise.ran_s for rise in rises), sum(rise.waited_s for rise in rises)
    burnt_s = usages[-1].cpu_s - usages[0].cpu_s
    if burnt_s <= 0 or ran_s < SEEN * burnt_s:
        return None
    active = [rise.process for rise in rises if rise.ran_s >= ACTIVE * ran_s]
    return Readiness(
        ready=(ran_s + waited_s) / seconds,
        active_threads=len(active),
        active_processes=None if None in active else len(set(active)),
    )


def _rise(before: Mapping[int, ThreadTimes], thread: int, now: ThreadTimes) -> ThreadTimes:
    """What a thread did since; all that it did, where it is new."""
    then = before.get(thread)
    if then is None or then.ran_s > now.ran_s:
        return now
    return ThreadTimes(ran_s=now.ran_s - then.ran_s, waited_s=now.waited_s - then.waited_s, process=now.process)
