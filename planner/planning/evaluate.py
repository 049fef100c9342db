"""Candidates -> what each would do: one pure function of arrays, used by the search, the tables and the what-ifs.

    symbol   meaning                                                          shape
    t, n, k  instance type, instance count, setting: any broadcastable index arrays
    W        records of the job
    s_n      share of the busiest instance (`planning.makespan`)              (N,)
    X_tk     throughput of one instance, records/s (`planning.rates`)         (T, K)
    Q        requests on the busiest instance, s_n x requests of the job      (N, K)
    c        requests in flight: min(max_concurrent_transforms, Q)

    makespan   m = s_n W / X_tk(c) * tail        steady state, then the last requests that do not fill the concurrency
    tail       1 + g/2, between 1 and 1 + g + (p99/mean latency - 1) c/Q, with g = ceil(Q/c) c/Q - 1
               g is the empty part of the last wave: real in full while requests run in step (public logs show waves),
               none of it when the others speed up as the concurrency runs out; half of it is the middle.
    billed     billed start-up + m               per second, no minimum (third parties say so; AWS's page: unconfirmed)
    finish     start-up + m                      from creating the job
    cost       n * usd_per_hour / 3600 * billed

Factors of m err independently: log half-widths add in quadrature, ln m(z) = ln m + z/1.645 sqrt(sum u^2), u towards the
side of z. Start-up and m are summed, and their distances from the middle add in quadrature. At z = 0 everything is the
middle, at z = 1.645 the upper bound of the 90 % interval; every outcome grows with z, with m and with each u.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from planner.interval import Z90
from planner.performance.prediction import BOTTLENECKS, Bounds
from planner.planning.makespan import Layout
from planner.planning.rates import LIMITS, Rates
from planner.planning.space import Floats, Ints, Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Everything that decides what a candidate would do, as arrays; T types, N counts, K settings."""

    names: tuple[str, ...]
    """(T,) instance types; one stands there again for each other number of workers."""
    workers: Ints
    """(T,) worker processes of one instance."""
    usd_per_hour: Floats
    """(T,)"""
    startup: Bounds
    """(T,) seconds from creating the job to the first request."""
    billed_startup: Bounds
    """(T,) seconds of it that are billed."""
    settings: Settings
    rates: Rates
    layout: Layout
    quota: Ints
    """(T,) most instances of the type that the account may have."""

    @property
    def max_count(self) -> int:
        """N."""
        return self.layout.max_count


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What candidates would do at one place of their distributions; arrays of the broadcast shape."""

    makespan_s: Floats
    billed_s: Floats
    finish_s: Floats
    cost_usd: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimates:
    """What candidates would do, with 90 % intervals, and the limit that rejects each; arrays of the broadcast shape."""

    makespan_s: Bounds
    billed_s: Bounds
    finish_s: Bounds
    cost_usd: Bounds
    bottleneck: NDArray[np.int8]
    """Index into BOTTLENECKS."""
    limit: NDArray[np.int8]
    """Index into LIMITS; 0: feasible."""


def requests_on_busiest(problem: Problem, n: Ints, k: Ints) -> Ints:
    """Requests that the busiest of n instances serves: its share of all, at least one."""
    share = problem.layout.share.mid[n - 1]
    whole: Ints = np.maximum(1, np.rint(share * problem.settings.requests[k])).astype(np.int64)
    return whole


def reached(problem: Problem, n: Ints, k: Ints) -> Ints:
    """The setting whose steady state the busiest of n instances gets to: no more in flight than it has requests."""
    settings = problem.settings
    in_flight = np.minimum(settings.concurrency[k], requests_on_busiest(problem, n, k))
    found: Ints = settings.at_concurrency[settings.packing[k], in_flight]
    return found


def outcome(problem: Problem, t: Ints, n: Ints, k: Ints, z: float = 0.0) -> Outcome:
    """Makespan, billed time, finish and cost of candidates at standard normal score z of each distribution."""
    settings, rates = problem.settings, problem.rates
    requests = requests_on_busiest(problem, n, k)
    in_flight = np.minimum(settings.concurrency[k], requests)
    steady = settings.at_concurrency[settings.packing[k], in_flight]
    gap = -(-requests // in_flight) * in_flight / requests - 1.0
    share = problem.layout.share
    makespan = problem.layout.records * share.mid[n - 1] / rates.throughput.mid[t, steady] * (1.0 + gap / 2)
    startup, billed_startup = problem.startup, problem.billed_startup
    if z == 0:
        return _priced(
            problem, t, n, makespan, billed=billed_startup.mid[t] + makespan, finish=startup.mid[t] + makespan
        )
    if z > 0:
        slowest = rates.latency_p99.mid[t, steady] / rates.latency.mid[t, steady] - 1.0
        tail = np.log((1.0 + gap + np.maximum(slowest, 0.0) * in_flight / requests) / (1.0 + gap / 2))
        uneven = np.log(share.high[n - 1] / share.mid[n - 1])
        rate = rates.slower[t, steady]
    else:
        tail = np.log(1.0 + gap / 2)
        uneven = np.log(share.mid[n - 1] / share.low[n - 1])
        rate = rates.faster[t, steady]
    moved = makespan * np.exp(z / Z90 * np.sqrt(rate**2 + uneven**2 + tail**2))
    return _priced(
        problem,
        t,
        n,
        moved,
        billed=_sum_at(_side(billed_startup, t, z), makespan, moved, z),
        finish=_sum_at(_side(startup, t, z), makespan, moved, z),
    )


def _side(startup: Bounds, t: Ints, z: float) -> tuple[Floats, Floats]:
    """The middle of the types' start-up, and its distance from there at score z."""
    bound = startup.high if z > 0 else startup.low
    return startup.mid[t], np.abs(bound[t] - startup.mid[t]) * (abs(z) / Z90)


def _sum_at(startup: tuple[Floats, Floats], makespan: Floats, moved: Floats, z: float) -> Floats:
    """Start-up plus makespan at score z: the distances of both from their middles in quadrature, never below zero."""
    mid, apart = startup
    total: Floats = mid + makespan + np.copysign(np.hypot(apart, moved - makespan), z)
    return np.maximum(total, 0.0)


def _priced(problem: Problem, t: Ints, n: Ints, makespan: Floats, *, billed: Floats, finish: Floats) -> Outcome:
    cost = n * (problem.usd_per_hour[t] / 3600.0) * billed
    return Outcome(makespan_s=makespan, billed_s=billed, finish_s=finish, cost_usd=cost)


def evaluate(
    problem: Problem,
    t: Ints,
    n: Ints,
    k: Ints,
    *,
    score: float,
    deadline_s: float | None = None,
    budget_usd: float | None = None,
) -> Estimates:
    """The estimates of candidates, and which limit rejects each: those of the type, then deadline, then budget.

    `score` is the standard normal quantile of the confidence with which deadline and budget are to be met.
    """
    low, mid, high = (outcome(problem, t, n, k, z) for z in (-Z90, 0.0, Z90))
    asked = outcome(problem, t, n, k, score)
    limit = np.broadcast_to(problem.rates.limit[t, k], mid.cost_usd.shape).copy()
    over = np.broadcast_to(n > problem.layout.objects, limit.shape)
    limit[(limit == 0) & over] = LIMITS.index("objects")
    limit[(limit == 0) & np.broadcast_to(n > problem.quota[t], limit.shape)] = LIMITS.index("quota")
    if deadline_s is not None:
        limit[(limit == 0) & (asked.finish_s > deadline_s)] = LIMITS.index("deadline")
    if budget_usd is not None:
        limit[(limit == 0) & (asked.cost_usd > budget_usd)] = LIMITS.index("budget")
    return Estimates(
        makespan_s=Bounds(low=low.makespan_s, mid=mid.makespan_s, high=high.makespan_s),
        billed_s=Bounds(low=low.billed_s, mid=mid.billed_s, high=high.billed_s),
        finish_s=Bounds(low=low.finish_s, mid=mid.finish_s, high=high.finish_s),
        cost_usd=Bounds(low=low.cost_usd, mid=mid.cost_usd, high=high.cost_usd),
        bottleneck=_bottleneck(problem, t, n, k, mid),
        limit=limit,
    )


def _bottleneck(problem: Problem, t: Ints, n: Ints, k: Ints, mid: Outcome) -> NDArray[np.int8]:
    """What limits the job: start-up longer than the work, one object far above an even share, or the instance."""
    named = np.broadcast_to(problem.rates.bottleneck[t, k], mid.cost_usd.shape).copy()
    one_object = (problem.layout.largest_share > 1.5 / n) & (n > 1)
    named[np.broadcast_to(one_object, named.shape)] = BOTTLENECKS.index("largest object")
    named[problem.startup.mid[t] > mid.makespan_s] = BOTTLENECKS.index("start-up")
    return named
