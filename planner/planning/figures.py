"""One candidate -> the values that a plan holds: its configuration and its estimate with intervals."""

import math

import numpy as np

from planner.interval import Interval
from planner.performance.prediction import BOTTLENECKS, Bounds
from planner.planning.case import (
    TIMEOUT_SAFETY,
    WORKER_TIMEOUT_S,
    WORKER_TIMEOUT_VARIABLE,
    Case,
    raises_worker_timeout,
)
from planner.planning.evaluate import evaluate, outcome, reached
from planner.planning.plan import Estimate
from planner.planning.rates import LIMITS, Limit
from planner.planning.space import Configuration, Packing


def configuration(case: Case, t: int, n: int, k: int, packing: Packing | None = None) -> Configuration:
    """The configuration of a candidate; `packing` names the payload where it is one that the search left out."""
    settings = case.problem.settings
    chosen = packing or settings.packings[int(settings.packing[k])]
    return Configuration(
        instance_type=case.problem.names[t],
        instance_count=n,
        batch_strategy=chosen.strategy,
        max_payload_mb=chosen.max_payload_mb,
        max_concurrent_transforms=int(settings.concurrency[k]),
        environment=environment(case, t, k),
    )


def environment(case: Case, t: int, k: int) -> dict[str, str]:
    """What was set while profiling, with the workers for this type and, where needed and known, a longer time-out."""
    container = case.profile.container
    variables = dict(container.environment)
    if container.worker_variable is not None:
        variables[container.worker_variable] = str(case.offers[t].workers)
    needed_s = TIMEOUT_SAFETY * float(case.problem.rates.latency_p99.high[t, k])
    if raises_worker_timeout(case.profile) and needed_s > WORKER_TIMEOUT_S:
        variables[WORKER_TIMEOUT_VARIABLE] = str(math.ceil(needed_s))
    return dict(sorted(variables.items()))


def estimate(case: Case, t: int, n: int, k: int) -> tuple[Estimate, Limit]:
    """The estimate of a candidate, and the limit that rejects it ("none": it is feasible)."""
    problem, wish = case.problem, case.wish
    at = (np.array([t]), np.array([n]), np.array([k]))
    found = evaluate(problem, *at, score=wish.score, deadline_s=wish.deadline_s, budget_usd=wish.budget_usd)
    asked = outcome(problem, *at, wish.score)
    rates, settings = problem.rates, problem.settings
    steady = int(reached(problem, at[1], at[2])[0])
    packing = settings.packings[int(settings.packing[k])]
    extrapolated = bool(rates.extrapolated[t, k])
    value = Estimate(
        cost_usd=found.cost_usd.at((0,)),
        makespan_s=found.makespan_s.at((0,)),
        billed_s=found.billed_s.at((0,)),
        finish_s=found.finish_s.at((0,)),
        startup_s=problem.startup.at((t,)),
        requests=packing.requests,
        records_per_request=packing.records_per_request,
        records_per_full_request=packing.records_per_full_request,
        throughput_records_per_s=rates.throughput.at((t, steady)),
        latency_s=rates.latency.at((t, steady)),
        latency_p99_s=rates.latency_p99.at((t, steady)),
        memory_bytes=_known(rates.memory, t, k),
        busiest_instance_share=float(problem.layout.share.mid[n - 1]),
        idle_instances=max(0, n - problem.layout.objects),
        bottleneck=BOTTLENECKS[int(found.bottleneck[0])],
        extrapolated=extrapolated,
        regime=_regime(case, packing, extrapolated=extrapolated),
        price=case.offers[t].price,
        finish_at_confidence_s=float(asked.finish_s[0]),
        cost_at_confidence_usd=float(asked.cost_usd[0]),
    )
    return value, LIMITS[int(found.limit[0])]


def _known(memory: Bounds, t: int, k: int) -> Interval | None:
    return None if math.isnan(float(memory.high[t, k])) else memory.at((t, k))


def _regime(case: Case, packing: Packing, *, extrapolated: bool) -> str:
    """In words: on which side of what was measured the candidate lies."""
    if not extrapolated:
        return "inside what was measured"
    records = [m.records_per_request for m in case.profile.measurements]
    asked = packing.records_per_request
    if asked > max(records):
        return f"{asked:,.0f} records per request; up to {max(records):,} were measured"
    if asked < min(records):
        return f"{asked:,.0f} records per request; from {min(records):,} were measured"
    return "more requests in flight per worker than were measured"
