"""Which short loop tells the speed of a CPU best: ``python benchmarks/sampled_loop.py [--seconds 90]``.

The profiler samples a loop of so many turns so many times a second beside the container (`profiling/core_speed.py`).
Here loops of several lengths are timed 100 times a second, one after the other, on a CPU on which a program repeats one
piece of work and notes the CPU time of each. In windows of 2 s, of each loop:

    speed       standard deviation of ln of its mean speed in a window
    r           correlation with ln of the work's mean CPU time in the same window
    slope       change of the latter for each unit of the former
    left        standard deviation of ln of the work's CPU time, the speed known

The more the machine's own speed changes meanwhile ("work"), the more the rows say. Output goes to
benchmarks/results/sampled_loop.txt as well.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from planner.container.cpus import available_cpus
from planner.profiling import core_speed_sampler
from planner.profiling.host import read_host

RESULTS: Final = Path(__file__).parent / "results" / "sampled_loop.txt"
TURNS: Final = (1_000, 2_000, 4_000, 8_000)
EVERY_S: Final = 0.01
WINDOW_S: Final = 2.0
SETTLE_S: Final = 4.0
FEWEST_REPEATS: Final = 3
"""Of the work in a window; windows with fewer are left out."""
WORK: Final = {
    "hashes": (
        "import hashlib; block = bytes(10**6)\ndef work():\n for _ in range(20): hashlib.sha256(block).digest()"
    ),
    "walks objects": (
        "rows = [{'a': i, 'b': str(i)} for i in range(200_000)]\n"
        "def work(): sum(row['a'] + len(row['b']) for row in rows)"
    ),
    "forest": (
        "from sklearn.datasets import load_digits; from sklearn.ensemble import RandomForestClassifier\n"
        "x, y = load_digits(return_X_y=True); model = RandomForestClassifier(100, n_jobs=1, random_state=0).fit(x, y)\n"
        "def work(): model.predict(x)"
    ),
}
NOTING: Final = """
import json, time
noted, end_s = [], time.perf_counter() + {seconds}
while time.perf_counter() < end_s:
    began_s = time.process_time()
    work()
    noted.append((time.perf_counter(), time.process_time() - began_s))
print(json.dumps(noted))
"""

Floats: TypeAlias = NDArray[np.float64]


def loop_s(turns: int) -> float:
    """CPU seconds of the loop."""
    began_s = time.thread_time()
    for _ in range(turns):
        pass
    return time.thread_time() - began_s


def sampled(seconds: float) -> Floats:
    """Rows of the time of day and the CPU seconds of each loop; the first, untimed, warms the caches."""
    rows = []
    end_s = time.perf_counter() + seconds
    while time.perf_counter() < end_s:
        time.sleep(EVERY_S)
        at_s = time.perf_counter()
        loop_s(core_speed_sampler.ITERATIONS)
        rows.append((at_s, *(loop_s(turns) for turns in TURNS)))
    return np.array(rows)


def beside(work: str, seconds: float, cpu: int) -> tuple[Floats, Floats]:
    """The samples, and rows of the time of day and the CPU seconds of each piece of work."""
    code = work + NOTING.format(seconds=seconds + SETTLE_S)
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as worker:
        os.sched_setaffinity(worker.pid, {cpu})
        time.sleep(SETTLE_S)
        samples = sampled(seconds)
        noted = json.loads(worker.communicate()[0])
    return samples, np.array(noted)


def lines(name: str, samples: Floats, noted: Floats) -> Iterator[str]:
    """One for each loop and number of samples a second."""
    edges = np.arange(samples[0, 0], samples[-1, 0], WINDOW_S)
    sample_in, noted_in = np.digitize(samples[:, 0], edges), np.digitize(noted[:, 0], edges)
    chosen = [window for window in range(1, len(edges)) if np.sum(noted_in == window) >= FEWEST_REPEATS]
    cost = np.log([noted[noted_in == window, 1].mean() for window in chosen])
    for column, turns in enumerate(TURNS, start=1):
        for skip in (1, 2):
            speeds = [1 / samples[sample_in == window, column][::skip] for window in chosen]
            yield f"{name:<16}{cost.std():>8.2%}{turns:>8,}{1 / EVERY_S / skip:>6.0f}{_told(speeds, cost)}"


def _told(speeds: Sequence[Floats], cost: Floats) -> str:
    speed = np.log([each.mean() for each in speeds])
    slope, level = np.polyfit(speed, cost, 1)
    left = np.std(cost - slope * speed - level)
    return f"{speed.std():>8.2%}{np.corrcoef(speed, cost)[0, 1]:>7.2f}{slope:>7.2f}{left:>8.2%}"


def report(seconds: float, cpu: int) -> Iterator[str]:
    host = read_host()
    yield f"{host.cpu_model}, {host.logical_cpus} CPUs; {seconds:g} s beside each kind, windows of {WINDOW_S:g} s\n"
    yield f"{'beside':<16}{'work':>8}{'turns':>8}{'1/s':>6}{'speed':>8}{'r':>7}{'slope':>7}{'left':>8}"
    os.sched_setaffinity(0, {cpu})
    for name, work in WORK.items():
        yield from lines(name, *beside(work, seconds, cpu))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=90.0, help="beside each kind of work")
    found = list(report(parser.parse_args().seconds, available_cpus()[-1]))
    print("\n".join(found))
    RESULTS.write_text("\n".join(found) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
