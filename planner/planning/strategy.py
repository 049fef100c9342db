"""The two ways to search a posed case: exactly, or by sampling with Optuna.

Exact is the default, and on every space that is posed here also the faster one. Sampling is for those who want a second
opinion that shares nothing with the proof but the evaluation, or the way that spaces with many knobs have to take.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from planner.errors import InfeasibleError
from planner.planning.case import Case
from planner.planning.parsimony import Settled, settled
from planner.planning.plan import SampledSearch
from planner.planning.search import Candidate, best
from planner.planning.words import infeasible

Strategy: TypeAlias = Literal["exact", "optuna"]
RUNNERS_UP: Final = 3
TRIALS: Final = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a search found: the choice, and the best of other types."""

    chosen: Settled
    others: tuple[Candidate, ...]
    """The best of other types, best first: exact, the next RUNNERS_UP; sampled, of every type that a trial met."""
    sampled: SampledSearch | None
    """None: decided exactly."""


Search: TypeAlias = Callable[[Case], Found]
"""Raises InfeasibleError where nothing was found."""


def searching(strategy: Strategy, *, trials: int, seed: int) -> Search:
    """The search of a strategy; `trials` and `seed` are Optuna's. Raises ValueError for an unknown one or no trials."""
    if strategy == "exact":
        return exactly
    if strategy != "optuna":
        raise ValueError(f"a strategy is exact or optuna, not {strategy!r}")
    if trials < 1:
        raise ValueError(f"Optuna needs at least one trial, not {trials}")
    return lambda case: by_optuna(case, trials=trials, seed=seed)


def exactly(case: Case) -> Found:
    """The optimum of the whole space, settled among its equals, and the optima of the next best types."""
    ranked = best(case.space, case.wish, types=case.allowed, distinct=1 + RUNNERS_UP)
    if not ranked:
        raise InfeasibleError(infeasible(case))
    return Found(
        chosen=settled(case.problem, case.wish, ranked[0]),
        others=tuple(ranked[1:]),
        sampled=None,
    )


def by_optuna(case: Case, *, trials: int, seed: int) -> Found:
    """The best of so many trials, as it was tried, and the best of each other type among them.

    Where no trial meets the constraints, the exact search says whether nothing does or only the trials were too few.
    """
    from planner.planning.optuna_search import KnobSpace, sampled_best

    sampled = sampled_best(KnobSpace.of(case.problem, case.allowed), case.wish, trials=trials, seed=seed)
    if sampled is None:
        if not best(case.space, case.wish, types=case.allowed):
            raise InfeasibleError(infeasible(case))
        raise InfeasibleError(
            f"none of Optuna's {trials:,} trials among {case.candidates:,} configurations meets the constraints, "
            "though the exact search finds one that does: raise --trials, change --seed, or take --strategy exact."
        )
    choice = sampled.candidate
    return Found(
        chosen=Settled(choice=choice, exact=choice, measured_instead=False),
        others=tuple(c for c in sampled.of_types if case.problem.names[c.t] != case.problem.names[choice.t]),
        sampled=SampledSearch(trials=trials, seed=seed, found_at=sampled.improvements[-1][0]),
    )
