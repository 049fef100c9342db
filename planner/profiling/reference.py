"""How fast this machine is at the moment: a fixed computation, timed before each point.

A virtual machine's CPUs are seldom its own, and no counter of the guest shows what neighbours take of clock, caches and
cores. On one machine the rates of five profiles lay 20 % apart, and the container's own CPU seconds per record followed
them (r = -0.985), while other programs took 3 % of the CPUs. The computation is interpreted code that reads objects all
over its memory, as much of a model server does. A server's rate follows a reading too loosely to be corrected by it
(r = -0.4 to -0.6 for windows of two seconds right after it), but readings scatter as rates do: `unsteadiness`. What can
be corrected by is the speed sampled during the window (`core_speed`).
"""

import contextlib
import math
import os
import random
import time
from collections.abc import Iterator, Sequence
from functools import cache
from statistics import quantiles
from typing import Final

from planner.profiling.profile import REPEATABILITY, REPEATABILITY_DEGREES
from planner.units import show_seconds

_OBJECTS: Final = 100_000
"""4 MB of integers and references to them: 2 to 20 ms."""
_NOTICED: Final = 0.1
"""Share by which the upper quartile of the readings exceeds the lower one from which it is said."""
_FEWEST: Final = 4
_QUARTILES: Final = 1.349
"""Standard deviations of a normal distribution between its quartiles."""


@cache
def _objects() -> list[int]:
    """Integers of their own, in an order that no prefetching foresees; always the same."""
    found = [value + 10**6 for value in range(_OBJECTS)]
    random.Random(0).shuffle(found)  # noqa: S311 - no secret
    return found


@contextlib.contextmanager
def _on(cpus: Sequence[int]) -> Iterator[None]:
    """Keep the calling thread on these CPUs, where any are given; the old mask is restored."""
    if not cpus or not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cpus)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def reference_s(cpus: Sequence[int] = ()) -> float:
    """CPU seconds that the fixed computation takes now, on these CPUs, with caches as warm as they get.

    It is done twice and the second time counts: after 50 ms of rest the first takes 1.7 times as long (Emerald Rapids,
    benchmarks.warm_caches), which tells how long the CPU rested and not how fast it is.
    """
    objects, total = _objects(), 0
    with _on(cpus):
        for value in objects:
            total ^= value
        began_s = time.thread_time()
        for value in objects:
            total ^= value
        return time.thread_time() - began_s


def unsteadiness(references_s: Sequence[float]) -> float:
    """Standard deviation of ln X that the machine alone makes between windows of a busy server, by these readings.

    Half the readings lie within what their quartiles say; that is pooled with REPEATABILITY, which counts as
    REPEATABILITY_DEGREES readings more and is the least.
    """
    if len(references_s) < _FEWEST:
        return REPEATABILITY
    low, _, high = quantiles(map(math.log, references_s), n=4, method="inclusive")
    degrees = len(references_s) - 1
    squares = REPEATABILITY_DEGREES * REPEATABILITY**2 + degrees * ((high - low) / _QUARTILES) ** 2
    return max(REPEATABILITY, math.sqrt(squares / (REPEATABILITY_DEGREES + degrees)))


def drift_notice(references_s: Sequence[float], *, left: float = 1.0) -> str | None:
    """The warning that the machine was now faster, now slower; None where it was not, or readings are too few.

    left: part of what windows differ by that is not known from the CPUs' speed, sampled meanwhile.
    """
    if len(references_s) < _FEWEST:
        return None
    low, _, high = quantiles(references_s, n=4, method="inclusive")
    if high <= (1 + _NOTICED) * low:
        return None
    return (
        f"this machine's own speed changed between the points: a fixed computation took {show_seconds(low)} of CPU or "
        f"less at a quarter of them, {show_seconds(high)} or more at another. Neighbours on the same hardware do that; "
        f"intervals count on windows that differ by ±{left * unsteadiness(references_s):.0%} for it"
        + (", beyond what the CPUs' speed meanwhile tells" if left < 1 else "")
        + ", and a larger --time-budget would narrow them"
    )
