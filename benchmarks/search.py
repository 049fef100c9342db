"""How fast the whole space is decided: ``python -m benchmarks.search [--trials 2000] [--rounds 5] [--seeds 10]``.

One synthetic profile, all 116 instance types, 100 counts, every (batch strategy, MaxPayloadInMB, concurrency), single
thread. Reported:

    exact        predictions for every (type, setting), bound, branch and bound, under deadlines of different tightness
    full pass    the same outcome function over every candidate, dominated ones too, chunk by chunk; it must agree
    objects      the same search for inputs of 10 to 10**8 objects, and for 10**5 objects of different sizes
    Optuna       trials until random sampling and TPE are within 1 % of the optimum, and where they stand at the end
"""

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Literal, TypeVar

import numpy as np

from planner.performance.model import PerformanceModel
from planner.planning.case import Case, pose
from planner.planning.evaluate import Problem, outcome
from planner.planning.makespan import layout
from planner.planning.optuna_search import KnobSpace, sampled_best
from planner.planning.plan import Goal
from planner.planning.rates import rates
from planner.planning.recommend import benchmarked
from planner.planning.search import Candidate, Wish, best, bounded, pareto
from planner.planning.space import settings
from planner.planning.startup import startup
from planner.records.dataset import Dataset
from planner.records.layout import describe
from tests.performance.synthetic import synthetic_profile
from tests.planning.cases import dataset, run

PROFILE = synthetic_profile()
MODEL = PerformanceModel.fit(PROFILE)
R = TypeVar("R")


def timed(work: Callable[[], R], rounds: int) -> tuple[float, R]:
    """Median seconds of several rounds, and the last result."""
    seconds = []
    for _ in range(rounds):
        started = time.perf_counter()
        result = work()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds), result


def posed(data: Dataset, deadline_s: float | None = None) -> Case:
    goal = Goal(objective="cost", deadline_s=deadline_s, region="us-east-1", max_instance_count=100)
    speed_of = benchmarked(PROFILE, "unknown")
    return pose(PROFILE, data, goal, model=MODEL, speed_of=speed_of, times=startup(PROFILE.startup_s))


def decide(case: Case, wish: Wish) -> Candidate | None:
    """Predictions, bound and search: everything that is done once the types and their speeds are known."""
    columns = settings(case.problem.settings.packings)
    problem = replace(case.problem, settings=columns, rates=rates(MODEL, case.offers, columns, case.caps))
    found = best(bounded(problem), wish, types=case.allowed)
    return found[0] if found else None


def decide_anew(data: Dataset) -> Candidate | None:
    return decide(posed(data), Wish())


def whole(case: Case) -> Problem:
    """The problem with every setting, dominated ones too."""
    columns = settings(case.packings)
    return replace(case.problem, settings=columns, rates=rates(MODEL, case.offers, columns, case.caps))


def full_pass(problem: Problem, wish: Wish) -> tuple[float, int]:
    """The least cost over every candidate by plain numpy, one type at a time, and how many there were."""
    n = np.arange(1, problem.max_count + 1)[:, None]
    k = np.arange(len(problem.settings))[None, :]
    least, seen = np.inf, 0
    for t in range(len(problem.names)):
        at = np.array([[t]])
        middle = outcome(problem, at, n, k)
        allowed = np.broadcast_to(problem.rates.limit[at, k] == 0, middle.cost_usd.shape) & (
            n <= problem.layout.objects
        )
        if wish.deadline_s is not None:
            allowed &= outcome(problem, at, n, k, wish.score).finish_s <= wish.deadline_s
        seen += allowed.size
        if allowed.any():
            least = min(least, float(middle.cost_usd[allowed].min()))
    return least, seen


def sampled(
    problem: Problem, wish: Wish, optimum_usd: float, *, seed: int, trials: int, kind: Literal["tpe", "random"]
) -> tuple[int, float]:
    """Trials until within 1 % of the optimum (trials + 1: never), and cost over optimum at the end."""
    found = sampled_best(KnobSpace.of(problem), wish, trials=trials, seed=seed, sampler=kind)
    if found is None:
        return trials + 1, np.inf
    near = [number for number, usd in found.improvements if usd <= 1.01 * optimum_usd]
    return min(near, default=trials + 1), found.candidate.cost_usd / optimum_usd


def report_exact(case: Case, rounds: int) -> None:
    problem = whole(case)
    print(f"space: {case.candidates:,} candidates with refused types, {len(case.allowed)} types searched")
    print(f"settings: {len(problem.settings)}, {len(case.problem.settings)} undominated")
    for deadline_s in (None, 20_000.0, 5400.0, 3000.0, 1500.0, 900.0, 500.0):
        wish = Wish(deadline_s=deadline_s)
        seconds, found = timed(partial(decide, case, wish), rounds)
        naive, (least, seen) = timed(partial(full_pass, problem, wish), 1)
        agrees = (found is None and least == np.inf) or (found is not None and abs(found.cost_usd / least - 1) < 1e-9)
        chosen = "nothing" if found is None else f"{found.n} x {case.problem.names[found.t]}, ${found.cost_usd:.3f}"
        print(
            f"deadline {deadline_s or 'none'!s:>8}: exact {seconds * 1e3:6.1f} ms ({seen / seconds:.2e} candidates/s); "
            f"full pass {naive:5.2f} s ({seen / naive:.2e}/s); {'agree' if agrees else 'DISAGREE'}: {chosen}"
        )
    print(f"Pareto front: {timed(lambda: pareto(case.space, case.allowed), rounds)[0] * 1e3:.1f} ms")


def report_growth(rounds: int) -> None:
    for exponent in range(1, 9):
        data = describe(max(10**9, 10**exponent), 100, 10**exponent)
        seconds = timed(partial(decide_anew, data), rounds)[0]
        print(f"10^{exponent} equal objects: {seconds * 1e3:6.1f} ms, posing included")
    sizes = np.random.default_rng(0).lognormal(8, 1, 100_000).astype(int) + 1
    objects = dataset([run(int(size), 100, key=f"{i:06d}") for i, size in enumerate(sizes)]).objects
    print(
        f"10^5 objects of different sizes, shares alone: {timed(lambda: layout(objects, 100), rounds)[0] * 1e3:.0f} ms"
    )


def report_optuna(case: Case, trials: int, seeds: int) -> None:
    wish = Wish(deadline_s=5400.0)
    found = best(case.space, wish, types=case.allowed)[0]
    kinds: tuple[Literal["random"], Literal["tpe"]] = ("random", "tpe")
    for kind in kinds:
        started = time.perf_counter()
        runs = [
            sampled(case.problem, wish, found.cost_usd, seed=seed, trials=trials, kind=kind) for seed in range(seeds)
        ]
        seconds = (time.perf_counter() - started) / seeds
        within = sorted(at for at, _ in runs)
        hits = sum(at <= trials for at in within)
        print(
            f"Optuna {kind:>6}: {hits} of {seeds} seeds within 1 % of the optimum in {trials} trials "
            f"(median {within[seeds // 2] if within[seeds // 2] <= trials else 'never'}); at the end "
            f"{statistics.median(ratio for _, ratio in runs):.3f} x the optimum; {seconds:.1f} s per run"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seeds", type=int, default=5)
    chosen = parser.parse_args()
    # Records of 3 kB: every payload makes another number of requests, so that no packing is dominated.
    case = posed(describe(100_000_000, 3000, 500))
    report_exact(case, chosen.rounds)
    report_growth(chosen.rounds)
    report_optuna(case, chosen.trials, chosen.seeds)


if __name__ == "__main__":
    main()
