"""What other programs on the machine cost a prediction, told and not told of: ``python -m benchmarks.contention``.

The simulated servers of tests/performance/simulation.py are profiled at one checkerboard, undisturbed and with other
programs on their CPUs during none, half or most of the points or throughout, and judged against undisturbed runs at
points between. SEEDS are not those that the constants of planner/performance/contention.py were set on. The same
profiles are judged with the disturbance as the profile tells it and with that left out. Seeds are fixed; the table is
stored beside it.
"""

import random
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np

from planner.documents import replace
from planner.performance import PerformanceModel
from planner.profiling.profile import Profile
from tests.performance.simulation import SIMULATED, Contention, rate, simulated_profile
from tests.performance.synthetic import on_the_host
from tests.performance.test_held_out import CHECKERBOARD, HELD_OUT

RESULTS: Final = Path(__file__).parent / "results" / "contention.txt"
SEEDS: Final = (1100, 1200, 1300)

Errors: TypeAlias = tuple[np.ndarray, np.ndarray, np.ndarray]


def sometimes(share: float) -> Callable[[random.Random], Contention]:
    """Other programs during so many of the points: steady, or in bursts of 0.2 s."""

    def draw(source: random.Random) -> Contention:
        if source.random() >= share:
            return Contention()
        if source.random() < 0.5:
            return Contention(threads=source.choice([1, 2, 3]), on_s=0.2, off_s=0.2)
        return Contention(threads=source.choice([1, 2]))

    return draw


DISTURBED: Final[dict[str, Callable[[random.Random], Contention]]] = {
    "no point": sometimes(0),
    "half of the points": sometimes(0.5),
    "85 % of the points": sometimes(0.85),
    "all, one busy thread": lambda _source: Contention(threads=1),
    "all, two busy threads": lambda _source: Contention(threads=2),
}


def log_errors(profile: Profile, truth: np.ndarray) -> Errors:
    """Ln predicted - ln true, whether the interval holds the truth, and its half width, at the points held out."""
    model = PerformanceModel.fit(profile)
    rates = on_the_host(model, HELD_OUT).throughput_records_per_s
    covered = (rates.low <= truth) & (truth <= rates.high)
    return np.log(rates.mid / truth), covered, np.log(rates.high / rates.low) / 2


def untold(profile: Profile) -> Profile:
    """The profile without what it says of other programs."""
    return replace(profile, measurements=tuple(replace(row, disturbed_share=None) for row in profile.measurements))


def joined(seeds: Sequence[Errors]) -> Errors:
    """The errors of several profiles of one server."""
    first, second, third = (np.concatenate(column) for column in zip(*seeds, strict=True))
    return first, second, third


def line(name: str, told: str, judged: Iterable[Errors]) -> str:
    """A row of the table; the worst server is that with the lowest coverage."""
    by_server = list(judged)
    errors, covered, widths = (np.concatenate(column) for column in zip(*by_server, strict=True))
    size = 100 * np.abs(errors)
    return (
        f"{name:22} {told:6} {np.median(size):8.1f} {np.quantile(size, 0.9):8.1f} {100 * np.median(errors):+8.1f} "
        f"{100 * np.mean(covered):9.0f} {100 * min(np.mean(row[1]) for row in by_server):7.0f} "
        f"{100 * np.median(widths):8.1f}"
    )


def main() -> None:
    truths = {
        name: np.array([b * rate(server, b, c, 900 + i)[0] for i, (b, c) in enumerate(HELD_OUT)])
        for name, server in SIMULATED.items()
    }
    head = f"{'disturbed':22} {'told':6} {'error':>8} {'p90':>8} {'signed':>8} {'covered':>9} {'worst':>7} {'± %':>8}"
    lines = [head]
    for kind, contention in DISTURBED.items():
        profiles = {
            name: [simulated_profile(server, CHECKERBOARD, seed=seed + number, contention=contention) for seed in SEEDS]
            for number, (name, server) in enumerate(SIMULATED.items())
        }
        for told in ("no", "yes") if kind != "no point" else ("yes",):
            judged = [
                joined([log_errors(one if told == "yes" else untold(one), truths[name]) for one in found])
                for name, found in profiles.items()
            ]
            lines.append(line(kind, told, judged))
            print(lines[-1], flush=True)
    RESULTS.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
