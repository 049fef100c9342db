"""How fast the simulation plays a station: ``python benchmarks/simulation_speed.py``.

Requests per second of one core at several concurrencies, in 1,000 worlds side by side, beside simpy (if installed) and
a heap.
"""

import heapq
import time
from collections.abc import Iterator
from importlib import import_module

import numpy as np

from planner.jobs.simulation.station import WorkList, play


def main() -> None:
    """A line for each concurrency; 1,000 worlds of 400 requests."""
    draws = np.random.default_rng(0)
    shape = draws.gamma(25, 1 / 25, 1000)
    for c in (1, 4, 16, 64):
        lists = [WorkList(head_requests=0, head_s=0.0, head_square_s2=0.0, tail_s=np.ones(400))] * 1000
        start = time.perf_counter()
        play(lists, np.ones(c), shape, draws)
        rates = {"worlds side by side": 400_000 / (time.perf_counter() - start)}
        times = draws.gamma(25, 1 / 25, 200_000).tolist()
        start, free = time.perf_counter(), [0.0] * c
        for seconds in times:
            heapq.heapreplace(free, free[0] + seconds)
        rates["heapq"] = len(times) / (time.perf_counter() - start)
        rates |= with_simpy(times[:50_000], c)
        print(f"c={c:3} " + "  ".join(f"{name} {rate / 1e6:.2f} M requests/s" for name, rate in rates.items()))


def with_simpy(times: list[float], c: int) -> dict[str, float]:
    """The same station in simpy; empty where it is not installed, for nothing else needs it."""
    try:
        simpy = import_module("simpy")
    except ImportError:
        return {}
    environment, left = simpy.Environment(), iter(times)

    def slot() -> Iterator[object]:
        for seconds in left:
            yield environment.timeout(seconds)

    start = time.perf_counter()
    for _ in range(c):
        environment.process(slot())
    environment.run()
    return {"simpy": len(times) / (time.perf_counter() - start)}


if __name__ == "__main__":
    main()
