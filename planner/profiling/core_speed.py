"""How fast the container's CPUs are while a point is measured, sampled all along by a process of its own.

A virtual machine's CPU is often one of two threads of a core. Whenever a stranger computes on the other, code here runs
at half the speed; that changes within milliseconds, and neither the hypervisor nor CPU accounting tells. A loop of some
30 us, timed 100 times a second on the container's CPUs, does. Changes of the clock show in it as well.
"""

import contextlib
import os
import subprocess
import sys
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import fmean
from typing import Final

from planner.profiling import core_speed_sampler

FEWEST_SAMPLES: Final = 10
"""Of fewer the mean says nothing."""
_PATIENCE_S: Final = 5.0


class Samples:
    """What was sampled; empty until the sampling has ended, and where nothing could be."""

    def __init__(self) -> None:
        self.taken: array[float] = array("d")
        """Pairs: time of `perf_counter`, CPU seconds of the loop."""

    def mean_speed(self, begin_s: float, end_s: float) -> float | None:
        """Mean speed in the time between, in iterations per CPU second; None of fewer than FEWEST_SAMPLES."""
        pairs = zip(self.taken[::2], self.taken[1::2], strict=True)
        speeds = [core_speed_sampler.ITERATIONS / took_s for at_s, took_s in pairs if begin_s <= at_s <= end_s]
        return fmean(speeds) if len(speeds) >= FEWEST_SAMPLES else None


@contextlib.contextmanager
def sampled(cpus: Sequence[int] | None) -> Iterator[Samples]:
    """Sample these CPUs while the block runs, all that we may use where the sequence is empty; None samples nothing.

    Where sampling fails, or the system cannot pin a process, the samples stay empty.
    """
    samples = Samples()
    if cpus is None or not hasattr(os, "sched_setaffinity"):
        yield samples
        return
    chosen = [str(cpu) for cpu in cpus or sorted(os.sched_getaffinity(0))]
    command = [sys.executable, "-I", "-S", str(Path(core_speed_sampler.__file__)), *chosen]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:  # noqa: S603 - our own file
        try:
            yield samples
            with contextlib.suppress(subprocess.TimeoutExpired, ValueError):
                samples.taken = array("d", process.communicate(timeout=_PATIENCE_S)[0])
        finally:
            process.kill()
