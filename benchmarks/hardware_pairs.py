"""What does a second measured type bring, and how should the two be weighed? ``python benchmarks/hardware_pairs.py``.

From two types of different generations the rest is predicted in several ways; benchmarks play the server, each with
its suite held out. "either alone" is the same pairs and the same targets, from the one and from the other. Last, how
far the planner's predictions are off on Redis by generation: ln(predicted / measured), mean over the types of up to 32
vCPUs, from one type of each generation and from two.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import hardware
import hardware_fit
import numpy as np
from hardware_choice import Server, benchmark_servers
from hardware_scores import GENERATION, GENERATIONS, INDEX, TYPES, VCPUS, ClassRows, Floats, classes, scores

from planner.performance.benchmark_scores import type_speeds

REPEAT_SD: Final = 0.05
"""Of one measurement, as `planner.performance.hardware.throughput_given` takes it."""
YEAR: Final[Floats] = np.array(
    [
        {"Haswell": 14, "Broadwell": 16, "Skylake/Cascade Lake": 18, "Zen 2": 20, "Zen 3": 21, "Ice Lake": 21}.get(
            GENERATIONS[generation], 23
        )
        for generation in GENERATION
    ],
    dtype=np.float64,
)
"""When EC2 or its processors came out, roughly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two measured types of one server, and what is known of the others."""

    one: int
    other: int
    off: Floats
    """ln true - ln mean [116]; a way may look at the two measured ones only."""
    covariance: Floats
    """Of `off` [116, 116], without the noise of single machines."""
    noise: float

    def kriged(self, noise_times: float = 1.0, drift: float = 0.0) -> Floats:
        """`off` as foretold [116], best linear unbiased: the planner's way.

        `drift`: variance per squared year of one more liking, for newer processors.
        """
        spread = self.covariance + drift * np.outer(YEAR - 20, YEAR - 20)
        at, system = [self.one, self.other], np.ones((3, 3))
        system[:2, :2] = spread[np.ix_(at, at)] + np.eye(2) * (self.noise * noise_times + REPEAT_SD**2)
        system[2, 2] = 0.0
        weights = np.linalg.solve(system, np.vstack([spread[at], np.ones(len(TYPES))]))[:2]
        return np.asarray(self.off[at] @ weights, dtype=np.float64)

    def nearer(self) -> Floats:
        """... from the one that is nearer in years."""
        one_is_nearer = abs(YEAR - YEAR[self.one]) <= abs(YEAR - YEAR[self.other])
        return np.asarray(np.where(one_is_nearer, self.off[self.one], self.off[self.other]), dtype=np.float64)

    def alone(self, measured: int) -> Floats:
        """... from one of the two."""
        return np.full(len(TYPES), self.off[measured])


WAYS: Final[Mapping[str, Callable[[Pair], Sequence[Floats]]]] = {
    "either alone": lambda pair: [pair.alone(pair.one), pair.alone(pair.other)],
    "the planner's (kriging)": lambda pair: [pair.kriged()],
    "... with 4 times the noise": lambda pair: [pair.kriged(noise_times=4.0)],
    "... with a quarter of it": lambda pair: [pair.kriged(noise_times=0.25)],
    "... and a drift with years": lambda pair: [pair.kriged(drift=0.001)],
    "... and five times as much": lambda pair: [pair.kriged(drift=0.005)],
    "the nearer in years": lambda pair: [pair.nearer()],
    "half and half": lambda pair: [(pair.alone(pair.one) + pair.alone(pair.other)) / 2],
}


def pairs() -> Iterator[tuple[int, int]]:
    """Two of the five measured types, of different generations."""
    at = [INDEX[name] for name in hardware.SOURCES]
    yield from ((a, b) for k, a in enumerate(at) for b in at[k + 1 :] if GENERATION[a] != GENERATION[b])


def judged(way: Callable[[Pair], Sequence[Floats]], servers: Sequence[Server], rows: ClassRows) -> str:
    """Median / 90th percentile of the error in percent: all types; up to 32 vCPUs of a generation of neither."""
    everywhere, elsewhere = [], []
    for server in servers:
        mean = hardware_fit.mean_rate(rows, server.suite)
        found = hardware_fit.components(mean, rows.rate_spread, rows.weights, server.suite)
        covariance, off = found.covariance() - found.noise * np.eye(len(TYPES)), server.row - mean
        for one, other in pairs():
            measured = np.isin(GENERATION, GENERATION[[one, other]])
            target = np.isfinite(server.row)
            target[[one, other]] = False
            pair = Pair(one=one, other=other, off=off, covariance=covariance, noise=found.noise)
            for foretold in way(pair):
                error = np.abs(np.expm1(foretold - off))
                everywhere.append(error[target])
                elsewhere.append(error[target & ~measured & (VCPUS <= 32)])
    cells = (100 * np.concatenate(each) for each in (everywhere, elsewhere))
    return "".join(f"{np.median(each):>8.1f} /{np.quantile(each, 0.9):>6.1f}" for each in cells)


def print_coverage(found: Sequence[hardware.Point]) -> None:
    """Of the 90 % intervals by pipeline depth and the target's generation, all sizes and sources."""
    print("\nRedis, share inside the 90 % interval from one type, in %; all sizes")
    print(f"{'depth':>44}" + "".join(f"{name[:12]:>14}" for name in GENERATIONS))
    for depth in sorted({point.depth for point in found}):
        own: dict[str, list[bool]] = {name: [] for name in GENERATIONS}
        for point in found:
            if point.depth == depth:
                own[type_speeds()[point.target.name].generation].append(point.covered)
        print(f"{depth:>44}" + "".join(f"{100 * np.mean(own[name]):>14.0f}" for name in GENERATIONS))


def print_residuals(title: str, found: Sequence[hardware.Point]) -> None:
    """Rows: what was measured, and the pipeline depth; columns: the target's generation."""
    result: dict[tuple[str, int], dict[str, list[float]]] = {}
    for point in found:
        if point.target.vcpus <= 32 and point.depth in {1, 16, 512}:
            measured = " + ".join(sorted({type_speeds()[name].generation for name in point.sources}))
            off = float(np.log(point.predicted.mid / point.measured))
            own = result.setdefault((measured, point.depth), {})
            own.setdefault(type_speeds()[point.target.name].generation, []).append(off)
    print(f"\n{title}\n{'measured':<38}{'depth':>6}" + "".join(f"{name[:12]:>14}" for name in GENERATIONS))
    for (measured, depth), own in sorted(result.items()):
        print(f"{measured:<38}{depth:>6}" + "".join(f"{np.mean(own[name]):>+14.2f}" for name in GENERATIONS))


def main() -> None:
    """Print the ways on benchmarks, then the residuals on Redis."""
    log = scores()
    rows = classes(log)["unknown"]
    singles = [Server(name=suite, suite=suite, row=r) for suite, each in rows.rate_spread.items() for r in each]
    factorial = [each for each in singles if each.suite == "geekbench"]
    servers = [*benchmark_servers(log), *factorial]
    print(f"Two measured types, {len(servers)} benchmarks as servers, suite held out: error in %, median / 90th")
    print("percentile: all types; up to 32 vCPUs of a generation of neither")
    for name, way in WAYS.items():
        print(f"{name:<30}{judged(way, servers, rows)}")
    measured = hardware.requests_per_s(hardware.MEASURED)
    one = hardware.points(measured, hardware.by_class("unknown"))
    print_residuals("Redis, ln(predicted / measured), from one type", one)
    print_residuals("From two", hardware.points_from_pairs(measured, use_both=True))
    print_coverage(one)


if __name__ == "__main__":
    main()
