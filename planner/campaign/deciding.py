"""What measurements so far say to recommend, and where they leave it open: fit, decide, name the next points.

    symbol   meaning                                                           unit
    m, s     mean and standard deviation of ln X at a point, by the model      1
    m*       the largest m of the measured points                              1
    EI       expected improvement over m*: s (z Phi(z) + phi(z)), z = (m - m*)/s   1

EI is that of Jones, Schonlau and Welch, "Efficient global optimization of expensive black-box functions" (1998),
eq. 15, on the log scale, where it is about the expected relative gain. Every second point is where s is largest:
the plan may be for another machine or another input, whose best point lies elsewhere in the plane.
"""

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np

from planner.campaign.adaptive import VERIFIED, Advice
from planner.campaign.bench import point_of
from planner.campaign.points import Point
from planner.campaign.settling import expected_improvement
from planner.documents import replace
from planner.errors import InfeasibleError, ProfileError
from planner.interval import Z90
from planner.performance.model import PerformanceModel
from planner.performance.prediction import Bounds, Floats
from planner.planning.plan import Estimate, Plan
from planner.planning.space import Configuration
from planner.profiling.one_speed import at_one_speed
from planner.profiling.profile import BestPoint, Measurement, Profile
from planner.profiling.replicates import repeat_interval

ALIKE: Final = 0.99
"""Of points that reach this share of the best throughput, the one with the least latency is recommended: it needs
less memory and lower time-outs for the same bill."""
_KNOWN: Final = 1.5
"""A point whose throughput may be half as much again is not known."""
_SURPRISING: Final = 2.5
"""Standard deviations of a measured rate from the model's."""

Question: TypeAlias = Callable[[Profile], Plan]
"""`planner.planning.recommend.recommend` with everything given but the profile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """The model's word on the candidates, on the profiled host."""

    model: PerformanceModel
    points: tuple[Point, ...]
    mid: Floats
    """(n,) ln X, records/s."""
    sd: Floats
    """(n,) its standard deviation."""


def outlook(profile: Profile, candidates: Sequence[Point]) -> Outlook | None:
    """The outlook on candidates and measured points; None when there are too few measurements for a model."""
    try:
        model = PerformanceModel.fit(profile)
    except ProfileError:
        return None
    points = tuple(sorted({*candidates, *map(point_of, profile.measurements)}))
    columns = model.predict_columns(
        np.array([point.records_per_request for point in points]),
        np.array([point.concurrency for point in points]),
        np.array(model.host_cpus),
        _exactly(1.0),
        _exactly(model.host_capacity_cores),
    )
    throughput = columns.throughput_records_per_s
    sd = np.log(throughput.high / throughput.low) / (2 * Z90)
    return Outlook(model=model, points=points, mid=np.log(throughput.mid), sd=np.maximum(sd, 1e-6))


def _exactly(value: float) -> Bounds:
    return Bounds(low=np.array(value), mid=np.array(value), high=np.array(value))


def by_throughput(opening: Profile) -> Callable[[Sequence[Measurement], Sequence[Point]], Advice | None]:
    """The rule for most records per second on the profiled host; `opening` is the profile without the points."""

    def decide(rows: Sequence[Measurement], candidates: Sequence[Point]) -> Advice | None:
        seen = outlook(replace(opening, measurements=tuple(rows)), candidates)
        return None if seen is None else throughput_advice(seen, at_one_speed(rows))

    return decide


def throughput_advice(seen: Outlook, rows: Sequence[Measurement]) -> Advice:
    """Recommend the highest throughput; tell more where it may be higher, and where the model is least sure."""
    measured = {point_of(row) for row in rows}
    order = np.argsort(-seen.mid, kind="stable").tolist()
    alike = [i for i in order if seen.mid[i] >= seen.mid[order[0]] + math.log(ALIKE)]
    first = min(alike, key=lambda i: math.log(seen.points[i].concurrency) + _log_time_of_one(seen, i))
    recommended = [first, *(i for i in order if i != first)]
    known = [i for i, point in enumerate(seen.points) if point in measured]
    best = max((float(seen.mid[i]) for i in known), default=-math.inf)
    new = [i for i, point in enumerate(seen.points) if point not in measured]
    gains = {i: expected_improvement(float(seen.mid[i]) - best, float(seen.sd[i])) for i in new}
    by_gain = sorted(new, key=lambda i: -gains[i])
    by_doubt = sorted(new, key=lambda i: -float(seen.sd[i]))
    telling = dict.fromkeys(itertools.chain.from_iterable(zip(by_gain, by_doubt, strict=True)))
    return Advice(
        recommended=tuple(seen.points[i] for i in recommended),
        telling=tuple(seen.points[i] for i in telling),
        gain=max(gains.values(), default=0.0),
        surprising=_surprising(seen, rows),
    )


def _surprising(seen: Outlook, rows: Sequence[Measurement]) -> tuple[Point, ...]:
    """Points whose measured rate is far from the model's, which saw them too, the farthest first."""
    mid = dict(zip(seen.points, seen.mid.tolist(), strict=True))
    far = {
        point_of(row): abs(math.log(row.throughput_records_per_s) - mid[point_of(row)]) / row.repeat_log_sd
        for row in rows
    }
    return tuple(point for point in sorted(far, key=lambda point: -far[point]) if far[point] > _SURPRISING)


def _log_time_of_one(seen: Outlook, index: int) -> float:
    """ln(b / X): with ln c the logarithm of latency, by Little's law."""
    return math.log(seen.points[index].records_per_request) - float(seen.mid[index])


def by_plan(opening: Profile, question: Question) -> Callable[[Sequence[Measurement], Sequence[Point]], Advice | None]:
    """The rule for the cheapest plan: its choice and its runners-up, brought back to the profiled host.

    Where no plan is feasible yet, the rule for throughput.
    """

    def decide(rows: Sequence[Measurement], candidates: Sequence[Point]) -> Advice | None:
        profile = replace(opening, measurements=tuple(rows))
        seen = outlook(profile, candidates)
        if seen is None:
            return None
        measured = {point_of(row) for row in rows}
        advice = throughput_advice(seen, at_one_speed(rows))
        try:
            plan = question(profile)
        except InfeasibleError:
            return advice
        wanted = plan_points(plan, seen.model)
        new = [point for point in wanted if point not in measured]
        # The last of `telling` in turn: where the plan lies, then where the model is least sure.
        telling = dict.fromkeys((*new[:1], *advice.telling[1::2][:1], *new[1:], *advice.telling))
        return Advice(
            recommended=tuple(dict.fromkeys((*wanted, *advice.recommended))),
            telling=tuple(telling),
            contenders=wanted[:VERIFIED],
            surprising=advice.surprising,
            gain=math.inf if new else advice.gain,
        )

    return decide


def plan_points(plan: Plan, model: PerformanceModel) -> tuple[Point, ...]:
    """Where on the profiled host the plan's choice and runners-up lie, the choice first."""
    runners_up = [(other.configuration, other.estimate) for other in plan.alternatives if "runner-up" in other.title]
    found = [
        _like(settings, estimate, model) for settings, estimate in ((plan.configuration, plan.estimate), *runners_up)
    ]
    return tuple(dict.fromkeys(found))


def planned_points(profile: Profile, question: Question) -> tuple[Point, ...]:
    """`plan_points` of the plan that the profile makes; none when it makes none."""
    try:
        return plan_points(question(profile), PerformanceModel.fit(profile))
    except (InfeasibleError, ProfileError):
        return ()


def _like(settings: Configuration, estimate: Estimate, model: PerformanceModel) -> Point:
    """The point that loads the profiled host as the configuration loads its type: as many requests per worker."""
    from planner.catalogue.instances import instance_type

    vcpus = instance_type(settings.instance_type).vcpus
    here = model.workers or max(1, round(model.host_cpus))
    there = model.workers_on(vcpus)
    return Point(
        records_per_request=max(1, round(estimate.records_per_request)),
        concurrency=max(1, round(settings.max_concurrent_transforms * here / there)),
    )


def best_point(rows: Sequence[Measurement], wanted: Sequence[Point] = ()) -> BestPoint | None:
    """The better measured point: of the first two `wanted` where one was measured, else of all; None without rows.

    Throughput counts by its low end: of many points with few completions, or one window, one is always lucky. Of
    points within 1 % of the highest the one with the least latency.
    """
    rows = at_one_speed(rows)
    known = [row for row in rows if _is_known(row)] or rows
    asked = [row for row in known if point_of(row) in set(wanted[:VERIFIED])]
    chosen_from = asked or known
    if not chosen_from:
        return None
    most = max(map(_at_least, chosen_from))
    alike = [row for row in chosen_from if _at_least(row) >= ALIKE * most]
    row = min(alike, key=lambda row: row.mean_latency_s)
    return BestPoint(
        records_per_request=row.records_per_request,
        concurrency=row.concurrency,
        throughput_records_per_s=repeat_interval(row),
        latency_s=row.mean_latency_s,
        objective="plan" if asked else "throughput",
    )


def _at_least(row: Measurement) -> float:
    """Records/s that the point reaches five times in six: less one standard deviation."""
    return row.throughput_records_per_s * math.exp(-row.repeat_log_sd)


def _is_known(row: Measurement) -> bool:
    """Whether the interval of throughput says more than the order of magnitude."""
    interval = row.throughput_interval_records_per_s
    return interval.high <= _KNOWN * interval.mid
