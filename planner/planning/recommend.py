"""The verb: profile + dataset + goal -> Plan. Poses the case, searches it exactly, and puts the answer into words."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final, TypeAlias

import numpy as np

from planner.catalogue import InstanceType
from planner.documents import Json, to_json
from planner.errors import InfeasibleError
from planner.interval import Interval
from planner.performance.hardware import WorkloadClass, relative_speed
from planner.performance.model import PerformanceModel
from planner.planning.case import Case, pose
from planner.planning.compare import why_not
from planner.planning.evaluate import outcome
from planner.planning.figures import configuration, estimate
from planner.planning.guesses import broken, guesses
from planner.planning.offers import SpeedOf
from planner.planning.plan import Alternative, Estimate, Goal, Plan, Rejection, Reshard, TypeBest, Workload
from planner.planning.rates import Model
from planner.planning.reshard import advice, in_words
from planner.planning.search import Candidate, Objective, best, best_of_each, pareto
from planner.planning.sensitivity import sensitivities
from planner.planning.space import MAX_INSTANCE_COUNT, Configuration
from planner.planning.startup import startup
from planner.planning.words import assumptions, infeasible, nearly_as_fast, warnings
from planner.profiling.profile import Profile
from planner.records.dataset import Dataset
from planner.units import show_seconds, show_usd

Emit: TypeAlias = Callable[[Goal, Workload, Configuration, Estimate], Json]
"""What turns a configuration into a CreateTransformJob draft: `planner.jobs.request.draft_request`."""

RUNNERS_UP: Final = 3
PARETO_POINTS: Final = 12
"""So many points of the front are put into the plan; a longer front is thinned evenly, its ends kept."""


def recommend(
    profile: Profile,
    dataset: Dataset,
    *,
    region: str = "us-east-1",
    deadline_s: float | None = None,
    confidence: float = 0.95,
    budget_usd: float | None = None,
    instance_types: Sequence[str] = (),
    max_instance_count: int = MAX_INSTANCE_COUNT,
    objective: Objective = "cost",
    startup_s: Interval | None = None,
    workload_class: WorkloadClass = "unknown",
    repeat: int = 1,
    emit: Emit | None = None,
    model: Model | None = None,
    speed_of: SpeedOf | None = None,
) -> Plan:
    """The cheapest configuration that meets the deadline at the confidence, or the fastest within the budget.

    The dataset is taken as it is; `repeat` only records how many times over it was taken. `startup_s` is the time from
    creating the job to its first request, where you know it. `workload_class` says which benchmarks tell how fast
    another type runs this container. `emit` makes the plan's draft of the request. `model` and `speed_of` stand in for
    the model fitted to the profile and for the benchmarks.

    Raises InfeasibleError with the nearest miss when nothing meets the constraints, InputMissingError,
    RecordTooLargeError, CatalogueError and ProfileError where there is nothing to search; ValueError for a confidence
    outside [0.5, 1).
    """
    if not 0.5 <= confidence < 1:
        raise ValueError(f"the confidence is at least 0.5 and below 1, not {confidence}")
    goal = Goal(
        objective=objective,
        deadline_s=deadline_s,
        confidence=confidence,
        budget_usd=budget_usd,
        region=region,
        instance_types=tuple(instance_types),
        max_instance_count=min(max_instance_count, MAX_INSTANCE_COUNT),
    )
    fitted = model or PerformanceModel.fit(profile)
    case = pose(
        profile,
        dataset,
        goal,
        model=fitted,
        speed_of=speed_of or benchmarked(profile, workload_class),
        times=startup(profile.startup_s, startup_s),
    )
    ranked = best(case.space, case.wish, types=case.allowed, distinct=1 + RUNNERS_UP)
    if not ranked:
        raise InfeasibleError(infeasible(case))
    better = advice(case, fitted, ranked[0])
    return _plan(case, ranked, better, work=workload(profile, dataset, repeat), emit=emit)


def workload(profile: Profile, dataset: Dataset, repeat: int = 1) -> Workload:
    """What the plan says of the input."""
    return Workload(
        input=dataset.input,
        split_type=dataset.split_type,
        compression_type=dataset.compression_type,
        content_type=dataset.content_type or profile.payload.content_type,
        accept=profile.payload.accept,
        objects=dataset.object_count,
        records=dataset.records,
        payload_bytes=dataset.payload_bytes,
        largest_record_bytes=max(o.largest_record_bytes for o in dataset.objects),
        largest_object_records=max(o.records for o in dataset.objects),
        repeat=repeat,
    )


def benchmarked(profile: Profile, workload_class: WorkloadClass) -> SpeedOf:
    """Speed and capacity of a type beside the profiled host, from public benchmarks of the class."""

    def speed_of(kind: InstanceType) -> tuple[Interval, Interval]:
        speed = relative_speed(profile.host, kind, workload_class)
        return speed.latency, speed.capacity_cores

    return speed_of


def _plan(
    case: Case, ranked: Sequence[Candidate], better: Reshard | None, *, work: Workload, emit: Emit | None
) -> Plan:
    choice = ranked[0]
    settings = configuration(case, choice.t, choice.n, choice.k)
    value, _ = estimate(case, choice.t, choice.n, choice.k)
    types, missed = _types(case, choice, value)
    front = pareto(case.space, types=case.allowed)
    advised = [*([in_words(case, better)] if better else []), *nearly_as_fast(case, front, choice)]
    return Plan(
        goal=case.goal,
        workload=work,
        configuration=settings,
        estimate=value,
        alternatives=(
            *_runners_up(case, ranked, value),
            *_neighbours(case, choice, value),
            *guesses(case, choice, value),
        ),
        rejections=(*case.rejections, *missed),
        types=tuple(types),
        sensitivity=sensitivities(case, choice),
        pareto=_front(case, front, choice, value),
        candidates=case.candidates,
        assumptions=tuple(assumptions(case, settings, value)),
        reshard=better,
        warnings=(*warnings(case, settings, value), *advised),
        profile_digest=hashlib.sha256(to_json(case.profile).encode()).hexdigest(),
        transform_job=emit(case.goal, work, settings, value) if emit is not None else {},
    )


def _alternative(case: Case, title: str, choice: Candidate, chosen: Estimate, other: Candidate) -> Alternative:
    value, limit = estimate(case, other.t, other.n, other.k)
    words, close = why_not(case, choice, chosen, value, other.t)
    return Alternative(
        title=title,
        configuration=configuration(case, other.t, other.n, other.k),
        estimate=value,
        reason=words if limit == "none" else f"{broken(case, limit, value)}; {words}",
        within_noise=close and limit == "none",
    )


def _runners_up(case: Case, ranked: Sequence[Candidate], chosen: Estimate) -> list[Alternative]:
    """The best configuration of each of the next best types."""
    return [
        _alternative(case, f"runner-up {place}", ranked[0], chosen, other) for place, other in enumerate(ranked[1:], 1)
    ]


def _neighbours(case: Case, choice: Candidate, chosen: Estimate) -> list[Alternative]:
    """One instance less and one more of the chosen type, each with its best settings."""
    found = []
    for n, title in ((choice.n - 1, "one instance less"), (choice.n + 1, "one instance more")):
        if 1 <= n <= min(case.problem.max_count, case.problem.layout.objects):
            k = int(case.space.setting[choice.t, n - 1])
            mid = outcome(case.problem, np.array([choice.t]), np.array([n]), np.array([k]))
            cost, finish = float(mid.cost_usd[0]), float(mid.finish_s[0])
            other = Candidate(t=choice.t, n=n, k=k, cost_usd=cost, finish_s=finish, key=())
            found.append(_alternative(case, title, choice, chosen, other))
    return found


def _front(case: Case, front: Sequence[Candidate], choice: Candidate, chosen: Estimate) -> tuple[Alternative, ...]:
    """The Pareto front thinned to PARETO_POINTS, its ends kept."""
    places = sorted({round(i) for i in np.linspace(0, len(front) - 1, min(len(front), PARETO_POINTS))})
    return tuple(_alternative(case, f"front {p + 1} of {len(front)}", choice, chosen, front[p]) for p in places)


def _types(case: Case, choice: Candidate, chosen: Estimate) -> tuple[list[TypeBest], list[Rejection]]:
    """The best of every type, and a rejection for each that meets neither deadline nor budget in any way."""
    wish = case.wish
    met = best_of_each(case.space, wish, case.allowed)
    names = case.problem.names
    missed = {names[t] for t in case.allowed} - {names[candidate.t] for candidate in met}
    nearest = replace(wish, deadline_s=None, budget_usd=None, cautious=True)
    if wish.deadline_s is not None:
        nearest = replace(nearest, objective="time")
    found, refused = list(met), []
    for near in best_of_each(case.space, nearest, [t for t in case.allowed if names[t] in missed]):
        found.append(near)
        if wish.deadline_s is not None or wish.budget_usd is not None:
            refused.append(_missed(case, near))
    return [_type_best(case, choice, chosen, candidate) for candidate in found], refused


def _type_best(case: Case, choice: Candidate, chosen: Estimate, best_of_type: Candidate) -> TypeBest:
    here = _alternative(case, "", choice, chosen, best_of_type)
    value, is_choice = here.estimate, best_of_type == choice
    return TypeBest(
        configuration=here.configuration,
        cost_usd=value.cost_usd,
        finish_s=value.finish_s,
        makespan_s=value.makespan_s.mid,
        billed_s=value.billed_s.mid,
        usd_per_hour=value.price.usd_per_hour,
        throughput_records_per_s=value.throughput_records_per_s,
        bottleneck=value.bottleneck,
        meets_constraints=estimate(case, best_of_type.t, best_of_type.n, best_of_type.k)[1] == "none",
        reason="the choice" if is_choice else here.reason,
        within_noise=here.within_noise,
    )


def _missed(case: Case, near: Candidate) -> Rejection:
    """Why the type that comes nearest with this candidate was refused."""
    if case.wish.deadline_s is not None:
        limit, value = "deadline", f"its fastest, {near.n} instances, needs {show_seconds(near.finish_s)}"
    else:
        limit, value = "budget", f"its cheapest costs {show_usd(near.cost_usd)}"
    return Rejection(
        subject=case.problem.names[near.t],
        limit=limit,
        reason=f"{value} at {case.goal.confidence:.0%} confidence",
        candidates=case.points_per_type,
    )
