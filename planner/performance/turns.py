"""How many CPUs a server can keep busy, read from its threads: which of them worked, and which stood ready to.

    symbol   meaning                                                                          unit
    p        CPUs of the container                                                            1
    a        threads that took part in the work                                               1
    c        requests in flight                                                               1
    r        threads that ran or stood ready for a CPU, on average                            1
    e        (r - p) / (min(a, c) - p): part of the others that a further CPU had let run     1

*A pool* shows in few threads: where a threads did the work of 2a requests in flight or more, no more than a CPUs can
be kept busy, unless the number of threads was chosen by the CPUs that the server found. What is found:

    a < p     it had CPUs to choose more by: a
    a = p     p > 1: chosen by the CPUs, as workers mostly are. p = 1: an event loop has one thread and so has a server
              with a thread a CPU; the cautious reading is one, and full growth cannot be excluded
    a > p     a; full growth cannot be excluded

*Turns* at a lock show in threads that are not ready while the CPUs are full. Workers that share CPUs have e = 1.
Behind a lock e would be 0, were a waiting thread always asleep. Under Python's interpreter lock it wakes every 5 ms
(sys.getswitchinterval) to ask for the lock, and stands ready until the holder's time slice of some 3 ms ends: e is
about 3 / (5 + 3). e is read softly between 0.6 and 0.85. It is taken from long requests only: a thread that a new
request has just woken stands ready before it comes to the lock. Nor is a thread that is ready free of locks: where a
lock is held and released many times a millisecond (Python between short calls into C), those that it woke stand ready
too. So one CPU shows that CPUs can be used at once only where the threads belong to different processes.

*Nothing* of the kind shows in short requests, where threads come and go with connections, or through a URL. Then a
server on more than one full CPU is taken to fill more, and of one that had one CPU growth is likely and not known.
"""

import math
from dataclasses import dataclass
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
_OF_ONE: Final = "of one process, as far as was seen,"
HANDOVER: Final = 1.5
"""A bound, not a mean. Loops in pure Python lost nothing on two CPUs; of two servers found that let go of the
interpreter lock for moments, one lost up to 1.6 of what one CPU did (benchmarks/README.md, CPU limits)."""
_EQUAL_PARTS: Final = 8
"""Requests in flight up to which a thread for each of them is counted: those that did a tenth of the work are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parallelism:
    """CPUs that a server can keep busy; infinite: as many as there are."""

    least: float
    likely: float
    most: float
    words: str
    """What says so."""
    handover: float = 1.0
    """By what factor completions may come apart more on more CPUs, where threads hand a lock from one to another."""

    @property
    def is_known(self) -> bool:
        """Whether nothing else than the likely number is possible."""
        return self.least == self.likely == self.most


def parallelism(rows: list[Measurement], cpus: float, *, workers: float | None) -> Parallelism:
    """The module's table, from the rows measured with so many CPUs, the most that were.

    With known worker processes, each a place of its own, only turns are read: how many there are is known.
    """
    seen = [row for row in rows if row.cpus == cpus and row.active_threads and row.throttled_s is None]
    telling = [row for row in seen if _tells(row)]
    parts = [((row.ready_threads or 0.0) - cpus) / (_at_once(row) - cpus) for row in telling]
    free = float(soft_step(np.array(median(parts)))) if parts else 1.0
    if free <= _ALL:
        most = max(map(_at_once, telling))
        usable = cpus + free * (most - cpus)
        words = "its threads take turns at a lock"
        handover = HANDOVER if cpus <= 1 else 1.0
        return Parallelism(least=usable, likely=usable, most=usable, words=words, handover=handover)
    if workers is not None:
        return _unlimited("its worker processes are known")
    pool = _pool(seen)
    if pool is not None:
        return _of_pool(pool, cpus, share_a_process=_share_a_process(seen))
    return _as_many_as_requests(telling, cpus)


def _as_many_as_requests(telling: list[Measurement], cpus: float) -> Parallelism:
    """Of a server that neither takes turns nor has a small pool, as far as it shows."""
    if telling and (cpus > 1 or not _share_a_process(telling)):
        return _unlimited("each request in flight had a thread that stood ready for a CPU")
    if cpus > 1:
        return _unlimited("nothing shows that it could not use more than it had")
    if not telling:
        words = "with one CPU it could not show whether it uses more"
        return Parallelism(least=cpus, likely=math.inf, most=math.inf, words=words)
    words = f"threads {_OF_ONE} stood ready for its CPU, as they also do behind a lock that is held briefly"
    return Parallelism(least=cpus, likely=math.inf, most=math.inf, words=words, handover=HANDOVER)


def _unlimited(words: str) -> Parallelism:
    return Parallelism(least=math.inf, likely=math.inf, most=math.inf, words=words)


def _share_a_process(rows: list[Measurement]) -> bool:
    """Whether threads that worked at once may have been of one process, which may have a lock for them all."""
    return any((row.active_processes or 1) < (row.active_threads or 0) for row in rows)


def _of_pool(pool: int, cpus: float, *, share_a_process: bool) -> Parallelism:
    """What a pool of so many threads can use."""
    worked = f"{pool} thread{'s' if pool > 1 else ''} did all the work, whatever was in flight"
    if pool < cpus:
        return Parallelism(least=pool, likely=pool, most=pool, words=worked)
    if pool == cpus and cpus > 1:
        words = f"{worked}: as many as it had CPUs"
        return Parallelism(least=cpus, likely=math.inf, most=math.inf, words=words)
    likely = max(pool, cpus)
    if share_a_process and cpus <= 1:
        words = f"{worked}; {_OF_ONE} they may share a lock that is held briefly"
        return Parallelism(least=cpus, likely=likely, most=math.inf, words=words, handover=HANDOVER)
    return Parallelism(least=likely, likely=likely, most=math.inf, words=worked)


def _pool(seen: list[Measurement]) -> int | None:
    """Most threads that worked at any point, where as many requests again were in flight at some; None: not so few."""
    seen = [row for row in seen if row.concurrency <= _EQUAL_PARTS]
    most = max((row.active_threads or 0 for row in seen), default=0)
    in_flight = max((row.concurrency for row in seen), default=0)
    return most if most and in_flight >= 2 * most else None


def _at_once(row: Measurement) -> int:
    """Threads that could have worked at once: with fewer requests in flight they relieve one another."""
    return min(row.active_threads or 0, row.concurrency)


def _tells(row: Measurement) -> bool:
    """Whether more threads shared full CPUs than there are, over long requests, undisturbed."""
    if row.ready_threads is None or row.cpu_s is None or not row.requests:
        return False
    return (
        _at_once(row) > row.cpus
        and row.cpu_s / row.requests >= LONG_S
        and row.cpu_s >= _BUSY * row.cpus * row.duration_s
        and (row.disturbed_share or 0.0) <= _DISTURBED
    )
