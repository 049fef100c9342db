"""Where both can search, sampling finds what the exact search proves; where only sampling can, it finds the knob."""

from collections.abc import Mapping

import pytest

from planner.planning.evaluate import Problem
from planner.planning.optuna_search import KnobSpace, sampled_best
from planner.planning.parsimony import NEGLIGIBLE
from planner.planning.search import Wish, best, bounded
from planner.planning.space import every_packing, undominated
from tests.planning.cases import AnalyticModel, dataset, offer, problem, run

DATA = dataset([run(300_000, 1000, copies=6)])
MARKET = [offer("ml.a.xlarge", 1.0), offer("ml.b.xlarge", 1.9, speed=1.8), offer("ml.c.4xlarge", 3.5, vcpus=16)]


def small(model: AnalyticModel | None = None) -> Problem:
    packings = undominated(p for p in every_packing(DATA) if p.max_payload_mb in {1, 6, 50})
    return problem(DATA, MARKET, model=model, packings=packings, max_count=4)


@pytest.mark.parametrize(
    "wish", [Wish(), Wish(objective="time", budget_usd=0.9), Wish(deadline_s=540.0)], ids=["cost", "time", "deadline"]
)
def test_with_enough_trials_of_a_small_space_the_optimum_is_found(wish: Wish) -> None:
    case = small()
    exact = best(bounded(case), wish)
    found = sampled_best(KnobSpace.of(case), wish, trials=150, seed=1)
    assert bool(exact) == (found is not None)
    assert found is not None
    value, least = (
        each.cost_usd if wish.objective == "cost" else each.finish_s for each in (found.candidate, exact[0])
    )
    assert found.improvements[-1][1] == value
    assert least * (1 - 1e-12) <= value <= least * (1 + NEGLIGIBLE)


def test_a_wish_that_nothing_meets_finds_nothing() -> None:
    assert sampled_best(KnobSpace.of(small()), Wish(deadline_s=1.0), trials=30, seed=0, sampler="random") is None


def test_only_the_types_that_are_allowed_are_tried() -> None:
    found = sampled_best(KnobSpace.of(small(), types=[2]), Wish(), trials=40, seed=0)
    assert found is not None
    assert found.candidate.t == 2


def test_the_best_knobs_are_found_and_each_problem_is_made_once() -> None:
    made: list[Mapping[str, str]] = []

    def problem_at(chosen: Mapping[str, str]) -> Problem:
        made.append(dict(chosen))
        factor = {"1": 1.0, "2": 0.7, "4": 0.9}[chosen["OMP_NUM_THREADS"]] * (0.8 if chosen["ARENA"] == "on" else 1.0)
        return small(AnalyticModel(s0=2e-3 * factor, s1=1e-4 * factor))

    space = KnobSpace(knobs={"OMP_NUM_THREADS": ("1", "2", "4"), "ARENA": ("on", "off")}, problem_at=problem_at)
    found = sampled_best(space, Wish(), trials=120, seed=3)
    assert found is not None
    assert found.environment == {"OMP_NUM_THREADS": "2", "ARENA": "on"}
    assert len(made) == len({tuple(chosen.items()) for chosen in made}) <= 6


def test_the_same_seed_finds_the_same() -> None:
    first, again = (sampled_best(KnobSpace.of(small()), Wish(), trials=30, seed=5) for _ in range(2))
    assert first == again
