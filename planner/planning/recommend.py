"""The verb: profile + dataset + goal -> Plan. Poses the case, has it searched, has the answer put into words."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from planner.catalogue import InstanceType, instance_type
from planner.errors import InfeasibleError
from planner.interval import Interval
from planner.performance.hardware import Probe, WorkloadClass
from planner.performance.model import PerformanceModel
from planner.performance.second_profile import probes
from planner.performance.workload_class import Classified, classified
from planner.planning.answer import Emit, answer
from planner.planning.case import Case, pose
from planner.planning.layouts import Laid, best_layout, every_layout, with_layout
from planner.planning.offers import SpeedOf
from planner.planning.plan import Goal, Plan, Reshard, Workload
from planner.planning.rates import Model
from planner.planning.reshard import advice
from planner.planning.search import Objective
from planner.planning.space import MAX_INSTANCE_COUNT
from planner.planning.startup import startup
from planner.planning.strategy import TRIALS, Found, Strategy, searching
from planner.planning.volume import model_bytes_on_disk, too_large
from planner.planning.workers import workers_per_cpu
from planner.profiling.profile import Profile
from planner.records.dataset import Dataset


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
    quotas: Mapping[str, int] | None = None,
    objective: Objective = "cost",
    prices: Mapping[str, float] | None = None,
    savings_plan: float = 0.0,
    runs_per_month: float | None = None,
    startup_s: Interval | None = None,
    workload_class: WorkloadClass | None = None,
    also: Sequence[Profile] = (),
    repeat: int = 1,
    model_bytes: int | None = None,
    layouts: bool = False,
    strategy: Strategy = "exact",
    trials: int = TRIALS,
    seed: int = 0,
    emit: Emit | None = None,
    model: Model | None = None,
    speed_of: SpeedOf | None = None,
) -> Plan:
    """The cheapest configuration that meets the deadline at the confidence, or the fastest within the budget.

    The dataset is taken as it is; `repeat` only records how many times over it was taken. `quotas`: most instances of
    a type; `prices`: US dollars per instance-hour in place of the catalogue's; `savings_plan`: fraction off the others.
    `startup_s` is the time from creating the job to its first request, where you know it. `workload_class` says which
    benchmarks tell how fast another type runs this container; None: inferred from the model's files where that can be.
    `also` are profiles of the same container and sample from other machines, which sharpen that. `model_bytes` is the
    size of the model archive, where it is not the profiled one and that still on this machine. With `layouts`, the
    search ranges also over cutting the input into other objects, and the plan's `layout` is what has to be done first.
    `strategy` "optuna" samples the same space by so many `trials` from the `seed` instead of deciding it exactly.
    `emit` makes the plan's draft of the request. `model` and `speed_of` stand in for the model fitted to the profile
    and for the benchmarks.

    Raises InfeasibleError with the nearest miss when nothing meets the constraints, InputMissingError,
    RecordTooLargeError, CatalogueError and ProfileError where there is nothing to search; ValueError for a confidence
    outside [0.5, 1), a savings plan outside [0, 1), an unknown strategy or no trials.
    """
    goal = checked_goal(
        objective=objective,
        deadline_s=deadline_s,
        confidence=confidence,
        budget_usd=budget_usd,
        region=region,
        instance_types=tuple(instance_types),
        max_instance_count=min(max_instance_count, MAX_INSTANCE_COUNT),
        quotas=named(quotas or {}),
        prices=named(prices or {}),
        savings_plan=savings_plan,
        runs_per_month=runs_per_month,
    )
    model_bytes = model_bytes_on_disk(profile) if model_bytes is None else model_bytes
    unfit = too_large(model_bytes)
    if unfit is not None:
        raise InfeasibleError(f"no instance type can be planned: {unfit}.")
    fitted = model or PerformanceModel.fit(profile)
    of_class = classified(profile, workload_class)
    others = probes(profile, fitted, also) if isinstance(fitted, PerformanceModel) else ()
    posed = partial(
        pose,
        profile,
        goal=goal,
        model=fitted,
        speed_of=speed_of or benchmarked(profile, of_class, others),
        of_class=of_class,
        also=tuple(also),
        times=startup(profile.startup_s, startup_s),
        workers_per_cpu=workers_per_cpu(profile, fitted) if isinstance(fitted, PerformanceModel) else (),
        model_bytes=model_bytes,
    )
    search = searching(strategy, trials=trials, seed=seed)
    if layouts:
        return over_layouts(every_layout(dataset, posed, search), dataset, repeat=repeat, emit=emit)
    case = posed(dataset)
    found = search(case)
    return answer(case, found, advised(case, fitted, found), work=workload(profile, dataset, repeat), emit=emit)


def advised(case: Case, model: Model, found: Found) -> Reshard | None:
    """The layout that would gain; None of a sampled choice: an exact one of another layout is no comparison."""
    return advice(case, model, found.chosen.exact) if found.sampled is None else None


def over_layouts(laid: Sequence[Laid], dataset: Dataset, *, repeat: int, emit: Emit | None) -> Plan:
    """The plan of the best of these layouts of the dataset."""
    taken = best_layout(laid, laid[0].case.wish.objective)
    # An input that was cut has no twins next to each other any more, however often it was taken.
    work = workload(taken.case.profile, taken.case.dataset, repeat if taken.as_it_is else 1)
    plan = answer(taken.case, taken.found, None, work=work, emit=emit)
    return with_layout(plan, dataset, laid, taken, repeat)


def checked_goal(**wishes: Any) -> Goal:
    """The goal of these fields. Raises ValueError for a confidence or savings plan that is none."""
    goal = Goal(**wishes)
    if not 0.5 <= goal.confidence < 1:
        raise ValueError(f"the confidence is at least 0.5 and below 1, not {goal.confidence}")
    if not 0 <= goal.savings_plan < 1:
        raise ValueError(f"a savings plan takes off at least 0 and less than 1 of the price, not {goal.savings_plan}")
    return goal


N = TypeVar("N", int, float)


def named(by_type: Mapping[str, N]) -> dict[str, N]:
    """The mapping with instance types as the catalogue spells them. Raises CatalogueError for an unknown one."""
    return {instance_type(name).name: number for name, number in sorted(by_type.items())}


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


def benchmarked(profile: Profile, workload_class: Classified | WorkloadClass, others: Sequence[Probe] = ()) -> SpeedOf:
    """Speed and capacity of a type beside the profiled host, from public benchmarks of the class and other profiles."""
    of_class = workload_class if isinstance(workload_class, Classified) else classified(profile, workload_class)

    def speed_of(kind: InstanceType) -> tuple[Interval, Interval]:
        speed = of_class.relative_speed(profile.host, kind, others)
        return speed.latency, speed.capacity_cores

    return speed_of
