"""The exact optimum of the whole space: branch and bound over (type, count) rows.

    symbol     meaning                                                             shape
    row        one (type t, count n) with its K settings
    M_tnk      mid makespan                                                        (T, N, K)
    B_tn       bound: the row's objective if nothing but M's minimum over k counted  (T, N)

Why it is exact:

1. In a row, cost and finish time both grow with M and with nothing else that k changes, so min_k M gives a lower bound
   of both. M_tnk = F_nk / X_tk with F independent of the type; that one product over the whole space is cheap.
2. A concurrency above the requests on the busiest instance has the outcome of the concurrency equal to them, keeps no
   limit that the smaller one breaks (payload x concurrency and time-outs only tighten), and loses the tie. It is left
   out of the bound and can never be the answer.
3. The finish time and cost at a confidence (limits or, for a cautious wish, the objective itself) grow with M and with
   the log half-widths. The row's least M with its type's least half-widths and no tail bounds them from below: a row
   whose bound misses the deadline or the budget has no feasible setting and is dropped.
4. Rows are evaluated whole, in ascending order of B, by the same function as everything else; once the best feasible
   candidate is below the next row's B, no later row can hold a better one.

Ties: cost, finish time (the other way round when time is the objective), fewer instances, less concurrency, name,
smaller payload, MultiRecord, more workers. So the answer depends neither on the order of the input nor on the hardware.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from planner.interval import Z90
from planner.planning.evaluate import Problem, outcome, requests_on_busiest
from planner.planning.space import Floats, Ints

Objective: TypeAlias = Literal["cost", "time"]

_ROUNDING = 1.0 - 1e-12
"""Bounds are taken this much lower: the order of float operations differs between bound and outcome."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a candidate must meet, and what it is chosen by."""

    objective: Objective = "cost"
    deadline_s: float | None = None
    budget_usd: float | None = None
    score: float = Z90
    """Standard normal quantile of the confidence, at least 0: where on its distribution a candidate must meet them."""
    cautious: bool = False
    """Choose by cost and finish time at `score` instead of by their middles: what comes nearest to a limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One point of the space with the two numbers it is chosen by."""

    t: int
    n: int
    k: int
    cost_usd: float
    finish_s: float
    key: tuple[object, ...]
    """Sorts candidates from best to worst, ties included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounded:
    """The least makespan of every row and what follows from it; what several searches of one problem share."""

    problem: Problem
    makespan: Floats
    """(T, N) min over k of the mid makespan; inf where every setting breaks a limit of the type."""
    setting: Ints
    """(T, N) the setting that attains it, the first in tie-breaking order."""


def bounded(problem: Problem) -> Bounded:
    """Step 1 and 2 above: one pass over types x counts x settings."""
    settings, rates = problem.settings, problem.rates
    n = np.arange(1, problem.max_count + 1)[:, None]
    k = np.arange(len(settings))[None, :]
    requests = requests_on_busiest(problem, n, k)
    c = settings.concurrency[None, :]
    gap = -(-requests // c) * c / requests - 1.0
    work = problem.layout.records * problem.layout.share.mid[:, None]
    factor = np.where(c > requests, np.inf, work * (1.0 + gap / 2))
    slowness = np.where(rates.limit > 0, np.inf, 1.0 / rates.throughput.mid)
    shape = (len(problem.names), problem.max_count)
    makespan, setting = np.empty(shape), np.empty(shape, dtype=np.int64)
    row = np.empty_like(factor)
    for t in range(shape[0]):
        np.multiply(factor, slowness[t], out=row)
        row.argmin(axis=1, out=setting[t])
        makespan[t] = row[np.arange(shape[1]), setting[t]]
    return Bounded(problem=problem, makespan=makespan, setting=setting)


def best(space: Bounded, wish: Wish, *, types: Collection[int] | None = None, distinct: int = 1) -> list[Candidate]:
    """The optimum under the wish, then the optima of the next best types, `distinct` types in all; [] if none meets it.

    `types` restricts the search to these type indices.
    """
    bound = _bounds(space, wish)
    if types is not None:
        bound[[t for t in range(len(bound)) if t not in types]] = np.inf
    return _ranked(space.problem, wish, bound, np.arange(bound.size), distinct)


def best_of_each(space: Bounded, wish: Wish, types: Collection[int]) -> list[Candidate]:
    """The optimum of every type that meets the wish, best first; the same as `best` with as many `distinct`, sooner."""
    bound = _bounds(space, wish)
    rows: dict[str, list[int]] = {}
    for t in sorted(types):
        rows.setdefault(space.problem.names[t], []).append(t)
    places = np.arange(bound.size).reshape(bound.shape)
    found = (_ranked(space.problem, wish, bound, places[own].ravel(), 1) for own in rows.values())
    return sorted((each[0] for each in found if each), key=lambda candidate: candidate.key)


def _ranked(problem: Problem, wish: Wish, bound: Floats, places: Ints, distinct: int) -> list[Candidate]:
    """Step 4 on the rows at these flat places: the optima of the best `distinct` types."""
    flat = bound.ravel()
    order = places[np.argsort(flat[places], kind="stable")]
    order = order[np.isfinite(flat[order])]
    found: dict[str, Candidate] = {}
    start, size = 0, 4
    while start < len(order):
        chunk = order[start : start + size]
        for candidate in _row_optima(problem, chunk // problem.max_count, chunk % problem.max_count + 1, wish):
            held = found.get(problem.names[candidate.t])
            if held is None or candidate.key < held.key:
                found[problem.names[candidate.t]] = candidate
        start, size = start + size, min(2 * size, 64)
        ranked = sorted(found.values(), key=lambda candidate: candidate.key)[:distinct]
        if len(ranked) == distinct and start < len(order):
            worst = ranked[-1].cost_usd if wish.objective == "cost" else ranked[-1].finish_s
            if worst < flat[order[start]]:
                return ranked
    return sorted(found.values(), key=lambda candidate: candidate.key)[:distinct]


def _bounds(space: Bounded, wish: Wish) -> Floats:
    """(T, N) lower bound of the objective in every row; inf where no setting can meet the wish (step 3)."""
    problem, scale = space.problem, wish.score / Z90
    exists = np.isfinite(space.makespan)
    makespan = np.where(exists, space.makespan, 0.0)
    n = np.arange(1, problem.max_count + 1)[None, :]
    hourly = n * problem.usd_per_hour[:, None] / 3600.0
    least = np.where(problem.rates.limit > 0, np.inf, problem.rates.slower).min(axis=1)[:, None]
    uneven = np.log(problem.layout.share.high / problem.layout.share.mid)[None, :]
    late = makespan * np.expm1(scale * np.hypot(np.where(np.isfinite(least), least, 0.0), uneven))
    startup, billed = problem.startup, problem.billed_startup
    finish, cost = startup.mid[:, None] + makespan, hourly * (billed.mid[:, None] + makespan)
    late_finish = finish + np.hypot(((startup.high - startup.mid) * scale)[:, None], late)
    late_cost = cost + hourly * np.hypot(((billed.high - billed.mid) * scale)[:, None], late)
    if wish.cautious:
        finish, cost = late_finish, late_cost
    bound = np.where(exists, (cost if wish.objective == "cost" else finish) * _ROUNDING, np.inf)
    if wish.deadline_s is not None:
        bound[late_finish * _ROUNDING > wish.deadline_s] = np.inf
    if wish.budget_usd is not None:
        bound[late_cost * _ROUNDING > wish.budget_usd] = np.inf
    bound[:, problem.layout.objects :] = np.inf
    bound[n > problem.quota[:, None]] = np.inf
    return bound


def _row_optima(problem: Problem, t: Ints, n: Ints, wish: Wish) -> list[Candidate]:
    """The best candidate of each row that has one which keeps every limit."""
    rows, columns = (t[:, None], n[:, None]), np.arange(len(problem.settings))[None, :]
    mid = outcome(problem, *rows, columns)
    feasible = problem.rates.limit[t] == 0
    if wish.cautious or wish.deadline_s is not None or wish.budget_usd is not None:
        asked = outcome(problem, *rows, columns, wish.score)
        mid = asked if wish.cautious else mid
        feasible &= asked.finish_s <= (np.inf if wish.deadline_s is None else wish.deadline_s)
        feasible &= asked.cost_usd <= (np.inf if wish.budget_usd is None else wish.budget_usd)
    first, second = (mid.cost_usd, mid.finish_s) if wish.objective == "cost" else (mid.finish_s, mid.cost_usd)
    least = np.where(feasible, first, np.inf)
    tied = least == least.min(axis=1, keepdims=True)
    chosen = np.where(feasible & tied, second, np.inf).argmin(axis=1)
    return [
        _candidate(problem, wish.objective, (int(t[i]), int(n[i]), int(k)), (mid.cost_usd[i, k], mid.finish_s[i, k]))
        for i, k in enumerate(chosen)
        if feasible[i, k]
    ]


def _candidate(
    problem: Problem, objective: Objective, place: tuple[int, int, int], mid: tuple[float, float]
) -> Candidate:
    t, n, k = place
    cost, finish = mid
    packing = problem.settings.packings[int(problem.settings.packing[k])]
    by = (float(cost), float(finish)) if objective == "cost" else (float(finish), float(cost))
    concurrency = int(problem.settings.concurrency[k])
    key = (*by, n, concurrency, problem.names[t], packing.max_payload_mb, packing.strategy, -int(problem.workers[t]))
    return Candidate(t=t, n=n, k=k, cost_usd=float(cost), finish_s=float(finish), key=key)


def candidate(problem: Problem, objective: Objective, t: int, n: int, k: int) -> Candidate:
    """The candidate at one place, with its middle cost and finish time."""
    mid = outcome(problem, np.array([t]), np.array([n]), np.array([k]))
    return _candidate(problem, objective, (t, n, k), (float(mid.cost_usd[0]), float(mid.finish_s[0])))


def pareto(space: Bounded, types: Collection[int] | None = None) -> list[Candidate]:
    """The exact front of mid cost against mid finish time, cheapest first, over all that keeps the limits of its type.

    A row's least makespan is its best in both, so the front of the row optima is the front of the space. Deadline and
    budget do not apply: the front is where one sees what another deadline would cost.
    """
    problem = space.problem
    counts = np.arange(1, min(problem.max_count, problem.layout.objects) + 1)
    exists = np.isfinite(space.makespan[:, : len(counts)]) & (counts <= problem.quota[:, None])
    if types is not None:
        exists[[t for t in range(len(problem.names)) if t not in types]] = False
    t, column = np.nonzero(exists)
    n, k = column + 1, space.setting[t, column]
    mid = outcome(problem, t, n, k)
    order = np.lexsort((n, mid.finish_s, mid.cost_usd))
    cost, finish = mid.cost_usd[order], mid.finish_s[order]
    before = np.concatenate(([np.inf], np.minimum.accumulate(finish)[:-1]))
    front = []
    for place in np.flatnonzero(finish < before):
        # Points that tie in both lie next to each other; the tie is broken as everywhere.
        tied = order[place : np.searchsorted(cost, cost[place], side="right")]
        tied = tied[mid.finish_s[tied] == finish[place]]
        points = [
            _candidate(problem, "cost", (int(t[i]), int(n[i]), int(k[i])), (mid.cost_usd[i], mid.finish_s[i]))
            for i in tied
        ]
        front.append(min(points, key=lambda point: point.key))
    return front
