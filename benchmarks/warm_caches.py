"""What cold caches do to a short timing: ``python benchmarks/warm_caches.py [--rounds 2]``.

The profiler times a loop of some 30 us (`profiling/core_speed.py`) and a computation of some milliseconds
(`profiling/reference.py`), each after a pass that is not timed. Here both passes are timed on the last CPU beside
several kinds of work there. In turn, for each kind, windows of 2 s with the loop timed 100 times a second:

    cold, warm         mean time of the loop: with the caches as the work leaves them, and in the pass that counts
    spread             standard deviation, between all windows, of ln of a window's mean speed; part of it is the CPU's
    of kinds           the same between the means of the kinds of work
    of samples         of a window's mean, by the halves of its samples: every second one
    artefact           both together: what says nothing of the CPU's speed (`one_speed.ARTEFACT`)

Then the computation after a rest, without other work. Output goes to benchmarks/results/warm_caches.txt as well.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from planner.container.cpus import available_cpus
from planner.profiling import core_speed_sampler
from planner.profiling.host import read_host
from planner.profiling.reference import reference_s

RESULTS: Final = Path(__file__).parent / "results" / "warm_caches.txt"
WINDOW_S: Final = 2.0
SETTLE_S: Final = 0.5
REST_S: Final = 0.05
READINGS: Final = 20
_HASHES: Final = "hashlib.sha256(block).digest()"
WORK: Final = {
    "none": None,
    "hashes": f"import hashlib; block = bytes(10**6)\nwhile True: {_HASHES}",
    "hashes, 3 ms rests": f"import hashlib, time; block = bytes(10**6)\nwhile True: time.sleep(0.003); {_HASHES}",
    "walks objects": (
        "import random; found = [i + 10**6 for i in range(10**6)]; random.shuffle(found)\nwhile True: sum(found)"
    ),
    "matrices": "import numpy; a = numpy.ones((700, 700))\nwhile True: a @ a",
    "copies": "block = bytearray(10**8)\nwhile True: block[:] = bytes(block)",
}


Times: TypeAlias = NDArray[np.float64]


@contextmanager
def working(code: str | None, cpu: int) -> Iterator[None]:
    """A program that computes on the CPU meanwhile."""
    if code is None:
        yield
        return
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    worker = subprocess.Popen([sys.executable, "-c", code], env=environment)
    try:
        os.sched_setaffinity(worker.pid, {cpu})
        time.sleep(SETTLE_S)
        yield
    finally:
        worker.kill()
        worker.wait()


def passes_s(timed: Callable[[], float]) -> tuple[float, float]:
    """CPU seconds of the first pass, untimed by itself, and of the second."""
    began_s = time.thread_time()
    second_s = timed()
    return time.thread_time() - began_s - second_s, second_s


def window() -> Times:
    """Seconds of the cold and the warm passes of one window: shape (2, samples)."""
    found = []
    end_s = time.perf_counter() + WINDOW_S
    while time.perf_counter() < end_s:
        time.sleep(core_speed_sampler.EVERY_S)
        found.append(passes_s(core_speed_sampler.loop_s))
    return np.array(found).T


def mean_speed(times_s: Times) -> Times:
    """Its logarithm, along the samples: as the profiler takes it."""
    return np.asarray(np.log(np.mean(1 / times_s, axis=-1)))


def spreads(windows: Mapping[str, Sequence[Times]]) -> Iterator[tuple[str, Times]]:
    """The lines on standard deviations, cold and warm."""
    logs = np.array([[mean_speed(one) for one in found] for found in windows.values()])
    halves = [mean_speed(one[:, ::2]) - mean_speed(one[:, 1::2]) for found in windows.values() for one in found]
    of_kinds = logs.mean(axis=1).std(axis=0, ddof=1)
    of_samples = np.std(halves, axis=0) / 2
    yield "spread", logs.reshape(-1, 2).std(axis=0)
    yield "of kinds", of_kinds
    yield "of samples", of_samples
    yield "artefact", np.hypot(of_kinds, of_samples)


def report(rounds: int, cpu: int) -> Iterator[str]:
    host = read_host()
    yield f"{host.cpu_model}, {host.logical_cpus} CPUs; {rounds} windows of {WINDOW_S:g} s beside each kind of work\n"
    yield f"{'loop, us':<20}{'cold':>8}{'warm':>8}"
    os.sched_setaffinity(0, {cpu})
    windows: dict[str, list[Times]] = {name: [] for name in WORK}
    for _ in range(rounds):
        for name, code in WORK.items():
            with working(code, cpu):
                windows[name].append(window())
    for name, found in windows.items():
        cold, warm = 1e6 / np.exp(np.mean([mean_speed(one) for one in found], axis=0))
        yield f"{name:<20}{cold:>8.1f}{warm:>8.1f}"
    for name, (cold, warm) in spreads(windows):
        yield f"{name:<20}{cold:>8.3f}{warm:>8.3f}"
    reference_s()
    readings = []
    for _ in range(READINGS):
        time.sleep(REST_S)
        readings.append(passes_s(reference_s))
    first, second = (1e3 * statistics.median(times_s) for times_s in zip(*readings, strict=True))
    yield f"\ncomputation after {1e3 * REST_S:.0f} ms of rest, medians: {first:.2f} ms, then {second:.2f} ms"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=4, help="windows beside each kind of work")
    lines = list(report(parser.parse_args().rounds, available_cpus()[-1]))
    print("\n".join(lines))
    RESULTS.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
