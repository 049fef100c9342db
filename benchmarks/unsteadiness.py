"""How a machine's own speed changes, and what readings tell: ``python benchmarks/unsteadiness.py [--seconds 570]``.

Servers of benchmarks/servers take turns on one CPU: before each window of wrk (Debian package wrk, on the other CPUs)
the CPU is read READINGS times by three fixed computations, the planner's own (`profiling/reference.py`), matrix
products and a loop; during the window its speed is sampled (`profiling/core_speed.py`). Reported for each server: how
far windows lie apart, by the time between them and after averaging, whether the container's CPU seconds account for it,
and how a window follows the readings right before it and the speed during it. SHARED (`profiling/profile.py`) and the
constants of `profiling/one_speed.py` were set with such figures in view, so they are no test of them.

``--keep FILE`` leaves what was measured as JSON; ``--again FILE`` reports on that, without measuring.
"""

import argparse
import contextlib
import json
import math
import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from prediction import CONTENT_TYPE, container_of, write_sample
from wrk import load

from planner.profiling.core_speed import sampled
from planner.profiling.host import kept_off
from planner.profiling.payloads import read_sample
from planner.profiling.reference import reference_s

RESULTS = Path(__file__).parent / "results" / "unsteadiness.txt"
CHOSEN = (("forest", 20), ("kernel", 130), ("interpreter_lock", 20), ("cache", 130))
"""Servers that fill a CPU, and records per request."""
CONCURRENCY = 2
READINGS = 6
WINDOW_S = 2
MEANS = (1, 2, 4, 8, 16)
LAGS = (1, 6, 36)
FEWEST = 2 * max(MEANS)
"""Windows of each server, for two means of the longest."""
COMPUTATIONS = ("reference", "matrices", "loop")


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """One window of one server, and the readings right before it, in CPU seconds, of each computation."""

    server: str
    began_s: float
    requests_per_s: float
    cpu_s_per_request: float
    readings_s: list[list[float]]
    core_speed: float
    """Iterations per CPU second during it, on average."""


def _matrices_s(matrix: np.ndarray) -> float:
    began_s = time.thread_time()
    for _ in range(12):
        matrix @ matrix
    return time.thread_time() - began_s


def _loop_s() -> float:
    began_s, total = time.thread_time(), 0
    for value in range(150_000):
        total += value * value
    return time.thread_time() - began_s


def readings(cpus: Sequence[int]) -> list[list[float]]:
    """READINGS rows of COMPUTATIONS, on these CPUs."""
    matrix, before = np.random.default_rng(0).random((200, 200)), os.sched_getaffinity(0)
    os.sched_setaffinity(0, cpus)
    try:
        return [[reference_s(), _matrices_s(matrix), _loop_s()] for _ in range(READINGS)]
    finally:
        os.sched_setaffinity(0, before)


def measure(seconds: float) -> list[Window]:
    """The servers in turn for so long."""
    found: list[Window] = []
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        path = Path(folder) / "sample.jsonl"
        write_sample(path)
        sample = read_sample(path, content_type=CONTENT_TYPE, accept=None, split_type="Line")
        containers = {name: stack.enter_context(container_of(name)) for name, _ in CHOSEN}
        cpus = next(iter(containers.values())).description.cpu_set or ()
        stack.enter_context(kept_off(cpus))
        end_s = time.monotonic() + seconds
        while time.monotonic() < end_s:
            for name, records in CHOSEN:
                container, read, began_s = containers[name], readings(cpus), time.time()
                before = container.usage()
                url = f"http://{container.address.host}:{container.address.port}/invocations"
                with sampled(cpus) as samples:
                    seen = load(
                        url,
                        bodies=sample.bodies(records)[:60],
                        content_type=CONTENT_TYPE,
                        concurrency=CONCURRENCY,
                        seconds=WINDOW_S,
                    )
                core_speed = samples.mean_speed(-math.inf, math.inf)
                assert core_speed is not None
                after = container.usage()
                assert before is not None
                assert after is not None
                found.append(
                    Window(
                        server=name,
                        began_s=began_s,
                        requests_per_s=seen.requests_per_s,
                        cpu_s_per_request=(after.cpu_s - before.cpu_s) / seen.requests,
                        readings_s=read,
                        core_speed=core_speed,
                    )
                )
    return found


def report(windows: Sequence[Window]) -> str:
    """Standard deviations of logarithms, in percent, and correlations."""
    lines = [f"{len(windows)} windows of {WINDOW_S} s; standard deviations of logarithms in %", ""]
    for name, _ in CHOSEN:
        own = [window for window in windows if window.server == name]
        rate = np.log([window.requests_per_s for window in own])
        cpu = np.log([window.cpu_s_per_request for window in own])
        read = np.log([window.readings_s for window in own])
        apart = np.median(np.diff([window.began_s for window in own]))
        means = {k: np.std([rate[i : i + k].mean() for i in range(0, len(rate) - k + 1, k)]) for k in MEANS}
        lags = {k: np.std(rate[k:] - rate[:-k]) / np.sqrt(2) for k in LAGS if k < len(rate)}
        lines += [
            f"{name}: {len(own)} windows, {apart:.0f} s apart",
            "    means of k windows      " + "  ".join(f"k={k}: {100 * sd:.1f}" for k, sd in means.items()),
            "    pairs, over sqrt(2)     " + "  ".join(f"{k * apart:.0f} s: {100 * sd:.1f}" for k, sd in lags.items()),
            (
                f"    CPU seconds per request {100 * np.std(cpu):.1f}, "
                f"r = {np.corrcoef(rate, cpu)[0, 1]:+.2f} with the rate"
            ),
        ]
        for index, computation in enumerate(COMPUTATIONS):
            mean = read[:, :, index].mean(axis=1)
            lines.append(
                f"    {computation:<10} one reading {100 * np.std(read[:, 0, index]):5.1f}, mean of {READINGS} "
                f"{100 * np.std(mean):5.1f}, r = {np.corrcoef(rate, mean)[0, 1]:+.2f} with the rate"
            )
        speed = np.log([window.core_speed for window in own])
        slope, speed_r = np.polyfit(speed, cpu, 1)[0], np.corrcoef(cpu, speed)[0, 1]
        lines += [
            (
                f"    core speed meanwhile    {100 * np.std(speed):.1f}, r = {np.corrcoef(rate, speed)[0, 1]:+.2f} "
                f"with the rate, {speed_r:+.2f} with CPU seconds per request, which change by {slope:+.2f} of it"
            ),
            f"    left, that known        {100 * _left(rate, speed):.1f}, of CPU seconds {100 * _left(cpu, speed):.1f}",
        ]
    return "\n".join(lines)


def _left(values: np.ndarray, speed: np.ndarray) -> float:
    """Standard deviation of what a line through the speed leaves of the values."""
    return float(np.std(values - np.polyval(np.polyfit(speed, values, 1), speed), ddof=1))


def main() -> None:
    """Measure or read, and report; what was measured is stored."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=570.0)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--again", type=Path)
    asked = parser.parse_args()
    kept = [Window(**row) for row in json.loads(asked.again.read_text())] if asked.again else None
    windows = measure(asked.seconds) if kept is None else kept
    if asked.keep:
        asked.keep.write_text(json.dumps([asdict(window) for window in windows]))
    if len(windows) < FEWEST * len(CHOSEN):
        raise SystemExit(f"{len(windows)} windows say too little; give {FEWEST * 10} seconds or more")
    text = report(windows)
    RESULTS.write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
