"""The ways in which one job of many may run: (type, count) with its best settings, on the slots of a shared clock."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from planner.planning.case import Case
from planner.planning.evaluate import outcome
from planner.planning.job_table import JobQuestion
from planner.planning.schedule import TOTAL, Option
from planner.planning.search import Candidate, best_of_each, candidate
from planner.planning.space import Floats, Ints

SLOTS: Final = 48
"""At least so many slots over the time that the jobs span: rounding a length up costs at most 2 % of that time."""
MOST_SLOTS: Final = 144
"""Where starts and deadlines have no common grain that is coarse enough, they are rounded inwards to this many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Slots of equal length from time 0 of the shared clock on."""

    slot_s: float
    slots: int

    @classmethod
    def over(cls, jobs: Sequence[JobQuestion]) -> "Grid":
        """Slots whose edges the starts and deadlines are, where these are whole seconds with a common grain."""
        horizon = max(job.deadline_s for job in jobs)
        grain = math.gcd(*(round(time) for job in jobs for time in (job.start_s, job.deadline_s)))
        whole = all(time == round(time) for job in jobs for time in (job.start_s, job.deadline_s))
        if whole and horizon / grain <= MOST_SLOTS:
            slot_s = grain / math.ceil(SLOTS * grain / horizon)
        else:
            slot_s = horizon / MOST_SLOTS
        return cls(slot_s=slot_s, slots=round(horizon / slot_s))

    def after(self, time_s: float) -> int:
        """The first slot that begins at the time or later."""
        return math.ceil(time_s / self.slot_s - 1e-9)

    def before(self, time_s: float) -> int:
        """The slot by whose beginning whatever must end by the time has ended."""
        return math.floor(time_s / self.slot_s + 1e-9)


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One option of a job, and the candidate behind it."""

    option: Option
    candidate: Candidate


def ways(case: Case, grid: Grid, quotas: Mapping[str, int]) -> tuple[Way, ...]:
    """The job's options that no other beats in instances, slots and cost alike; quotas do not bound them yet.

    Of a type with a quota of its own, the other must be of that type; types without are told apart only by the quota
    over all of them, and where there is none, only by cost. Cheapest first.
    """
    found = [Way(option=_option(case, grid, each), candidate=each) for each in _candidates(case)]
    groups: dict[str, list[Way]] = {}
    for way in found:
        name = way.option.instance_type
        groups.setdefault(name if name in quotas else "", []).append(way)
    kept = [
        way
        for name, group in groups.items()
        for way in (_front(group) if name or TOTAL in quotas else [min(group, key=_order)])
    ]
    return tuple(sorted(kept, key=_order))


def _order(way: Way) -> tuple[object, ...]:
    held = way.option
    return (held.cost_usd, held.slots, held.instances, held.instance_type)


def _candidates(case: Case) -> list[Candidate]:
    """Every (type, count) that meets the deadline with its fastest settings, and every type's optimum besides."""
    problem, wish = case.problem, case.wish
    exists = np.isfinite(case.space.makespan[:, : problem.layout.objects])
    exists[[t for t in range(len(problem.names)) if t not in case.allowed]] = False
    t, column = np.nonzero(exists)
    n, k = column + 1, case.space.setting[t, column]
    asked = outcome(problem, t, n, k, wish.score)
    met = asked.finish_s <= (np.inf if wish.deadline_s is None else wish.deadline_s)
    rows = [
        candidate(problem, "cost", int(t[i]), int(n[i]), int(k[i]))
        for i in np.flatnonzero(met & _worth_having(t, n, asked.finish_s))
    ]
    return [*rows, *best_of_each(case.space, replace(wish, objective="cost"), case.allowed)]


def _worth_having(t: Ints, n: Ints, finish_s: Floats) -> NDArray[np.bool_]:
    """Where one instance more ends sooner than any smaller number of the same type does."""
    worth = np.ones(len(t), dtype=np.bool_)
    for each in np.unique(t):
        own = np.flatnonzero(t == each)
        own = own[np.argsort(n[own])]
        before = np.concatenate(([np.inf], np.minimum.accumulate(finish_s[own])[:-1]))
        worth[own] = finish_s[own] < before
    return worth


def _option(case: Case, grid: Grid, each: Candidate) -> Option:
    problem = case.problem
    asked = outcome(problem, np.array([each.t]), np.array([each.n]), np.array([each.k]), case.wish.score)
    return Option(
        instance_type=problem.names[each.t],
        instances=each.n,
        slots=max(1, grid.after(float(asked.finish_s[0]))),
        cost_usd=each.cost_usd,
    )


def _front(group: Sequence[Way]) -> list[Way]:
    """Those that no other is as good as in instances, slots and cost; of equals one."""
    ordered = sorted(group, key=_order)
    numbers = np.array([(way.option.instances, way.option.slots) for way in ordered])
    kept: list[int] = []
    for place, pair in enumerate(numbers):
        # All before it are as cheap or cheaper.
        if not kept or not np.any(np.all(numbers[kept] <= pair, axis=1)):
            kept.append(place)
    return [ordered[place] for place in kept]
