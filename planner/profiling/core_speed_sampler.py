"""Times a short loop again and again until stdin ends, then tells: a program of its own, started by `core_speed`.

Arguments: the CPUs to sample, in turn. Answers on stdout with pairs of doubles, time of `perf_counter` and CPU seconds
of the loop. Imports little, so that it is up within some 20 ms; ends with whoever started it, whose end of the pipe
closes then.
"""

import os
import select
import signal
import sys
import time
from array import array
from itertools import cycle

ITERATIONS = 1_000
"""10 to 60 us: short beside the time in which a neighbour comes or goes. Of loops two to eight times as long the times
follow the CPU's speed no more closely; of twice as many, a little (benchmarks.sampled_loop)."""
EVERY_S = 0.01
"""With the waking and the first pass, sampling takes 0.7 % of one CPU where the loop takes 13 us (one trial of ten
seconds), more where it takes 60."""


def loop_s() -> float:
    """CPU seconds of the loop, of which another program's turn on the CPU is no part.

    It goes through once untimed. Caches are cold after waking, and how cold depends on what the container does: the
    first pass took 15 to 27 us beside five kinds of work and none, the second 13 (Emerald Rapids,
    benchmarks.warm_caches).
    """
    for _ in range(ITERATIONS):
        pass
    began_s = time.thread_time()
    for _ in range(ITERATIONS):
        pass
    return time.thread_time() - began_s


def sample(cpus: list[int]) -> "array[float]":
    """Samples of the CPUs in turn until stdin ends."""
    found, turns = array("d"), cycle(cpus)
    while not select.select([sys.stdin], [], [], EVERY_S)[0]:
        os.sched_setaffinity(0, {next(turns)})
        found.extend((time.perf_counter(), loop_s()))
    return found


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one who started this; then stdin ends
    sys.stdout.buffer.write(sample([int(text) for text in sys.argv[1:]]).tobytes())
