"""The search for spaces that no longer enumerate: the same problem, sampled by Optuna instead of decided exactly.

    symbol   meaning
    t, n     instance type, instance count
    q, f     packing, and the fraction of the concurrencies that its payload allows
    e        environment knobs (thread counts, batch sizes in the container, ...), each with its choices

The exact search evaluates every (type, setting) of one `Problem`. Environment knobs multiply the problems, since each
combination needs predictions of its own: ten knobs of three choices are 59,049. Here a trial picks one combination,
has its problem made (once, then kept), and picks one candidate in it. Where the problem is a single one, `best` of
`planner.planning.search` is exact and thousands of times faster; that it and this agree is tested there.

A candidate that misses a constraint gets a value above all that meet them, and the higher the further it misses, so
that the sampler is led back.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from planner.planning.evaluate import Problem, outcome
from planner.planning.search import Candidate, Wish, candidate
from planner.planning.space import MAX_PAYLOAD_MB

if TYPE_CHECKING:
    import optuna

PENALTY: Final = 1e6
"""US dollars or seconds; above every cost and time of a job that could be wished for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnobSpace:
    """Problems by their environment: the part of the space that the exact search does not enumerate."""

    knobs: Mapping[str, Sequence[str]]
    """Name of an environment variable -> values to choose from; empty: one problem."""
    problem_at: Callable[[Mapping[str, str]], Problem]
    """The problem under one choice of every knob."""
    types: Collection[int] | None = None
    """Indices of the types that may be chosen; None: all. The same types in every problem."""

    @classmethod
    def of(cls, problem: Problem, types: Collection[int] | None = None) -> "KnobSpace":
        """The space of a single problem."""
        return cls(knobs={}, problem_at=lambda _: problem, types=types)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampled:
    """The best candidate that was found, and what it took."""

    candidate: Candidate
    environment: Mapping[str, str]
    improvements: tuple[tuple[int, float], ...]
    """(number of the trial, from 1; objective) of every candidate that was the best when it was found; the last is the
    one that was kept."""
    trials: int
    of_types: tuple[Candidate, ...]
    """The best that was found of every type in the environment that was kept, best first."""


def sampled_best(
    space: KnobSpace, wish: Wish, *, trials: int, seed: int, sampler: Literal["tpe", "random"] = "tpe"
) -> Sampled | None:
    """The best candidate of so many trials that meets the wish; None if none did.

    `sampler`: "tpe" (tree-structured Parzen estimator) or "random". The same seed gives the same answer. How many
    trials it takes is shown by the search benchmark.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    made = optuna.samplers.RandomSampler(seed=seed) if sampler == "random" else optuna.samplers.TPESampler(seed=seed)
    search = _Search(space, wish)
    optuna.create_study(sampler=made).optimize(search.value, n_trials=trials)
    if search.best is None:
        return None
    return Sampled(
        candidate=search.best,
        environment=search.environment,
        improvements=tuple(search.improvements),
        trials=trials,
        of_types=search.of_types(),
    )


class _Search:
    """Trials -> values, keeping the best candidate by the exact search's own order."""

    def __init__(self, space: KnobSpace, wish: Wish) -> None:
        self._space, self._wish = space, wish
        self._problems: dict[tuple[str, ...], Problem] = {}
        self.best: Candidate | None = None
        self.environment: Mapping[str, str] = {}
        self.improvements: list[tuple[int, float]] = []
        self._of_types: dict[tuple[tuple[str, ...], str], Candidate] = {}

    def value(self, trial: "optuna.Trial") -> float:
        """The objective of the trial's candidate; above PENALTY where it breaks a constraint."""
        chosen = {name: str(trial.suggest_categorical(name, choices)) for name, choices in self._space.knobs.items()}
        problem = self._problem(chosen)
        t, n, k = self._place(trial, problem)
        excess = _excess(problem, self._wish, t, n, k)
        if excess is None:
            return 2 * PENALTY
        here = candidate(problem, self._wish.objective, t, n, k)
        if excess > 0:
            return PENALTY * (1 + min(excess, 1.0) / 2)
        of_type = (tuple(chosen.values()), problem.names[t])
        if of_type not in self._of_types or here.key < self._of_types[of_type].key:
            self._of_types[of_type] = here
        objective = here.cost_usd if self._wish.objective == "cost" else here.finish_s
        if self.best is None or here.key < self.best.key:
            self.best, self.environment = here, chosen
            self.improvements.append((trial.number + 1, objective))
        return objective

    def of_types(self) -> tuple[Candidate, ...]:
        """The best of every type in the environment of the best."""
        kept = tuple(self.environment.values())
        return tuple(
            sorted((c for (chosen, _), c in self._of_types.items() if chosen == kept), key=lambda found: found.key)
        )

    def _problem(self, chosen: Mapping[str, str]) -> Problem:
        key = tuple(chosen.values())
        if key not in self._problems:
            self._problems[key] = self._space.problem_at(chosen)
        return self._problems[key]

    def _place(self, trial: "optuna.Trial", problem: Problem) -> tuple[int, int, int]:
        types = sorted(range(len(problem.names)) if self._space.types is None else self._space.types)
        t = int(trial.suggest_categorical("type", types))
        n = trial.suggest_int("count", 1, min(problem.max_count, problem.layout.objects), log=True)
        number = trial.suggest_int("packing", 0, len(problem.settings.packings) - 1)
        most = MAX_PAYLOAD_MB // problem.settings.packings[number].max_payload_mb
        fraction = trial.suggest_float("concurrency", 0.0, 1.0)
        # On a logarithmic scale: where throughput still grows, it does so in small numbers.
        concurrency = min(most, max(1, round(most**fraction)))
        return t, n, int(problem.settings.at_concurrency[number, concurrency])


def _excess(problem: Problem, wish: Wish, t: int, n: int, k: int) -> float | None:
    """How far, as a fraction, deadline and budget are exceeded; None where the candidate would not run at all."""
    if problem.rates.limit[t, k] or n > problem.layout.objects or n > problem.quota[t]:
        return None
    asked = outcome(problem, np.array([t]), np.array([n]), np.array([k]), wish.score)
    late = 0.0 if wish.deadline_s is None else float(asked.finish_s[0]) / wish.deadline_s - 1
    dear = 0.0 if wish.budget_usd is None else float(asked.cost_usd[0]) / wish.budget_usd - 1
    return max(late, dear, 0.0)
