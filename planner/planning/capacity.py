"""Many jobs under shared quotas: each job's options, the cheapest schedule of them, and what to ask for if none fits.

A job's options are the (type, count) that meet its deadline if it starts in time, each with its best settings
(`planner.planning.ways`); which one each takes, and when, is decided for all at once (`planner.planning.schedule`).
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from planner.documents import to_json
from planner.errors import InfeasibleError
from planner.interval import Interval
from planner.performance.hardware import WorkloadClass
from planner.performance.model import PerformanceModel
from planner.performance.workload_class import classified
from planner.planning.answer import Emit
from planner.planning.capacity_plan import CapacityPlan, Held, Peak, PlannedJob
from planner.planning.case import Case, pose
from planner.planning.figures import configuration, estimate
from planner.planning.job_table import JobQuestion
from planner.planning.parsimony import settled
from planner.planning.recommend import benchmarked, checked_goal, named, workload
from planner.planning.schedule import TOTAL, Demand, Schedule, cheapest, least_increase, usage
from planner.planning.space import MAX_INSTANCE_COUNT
from planner.planning.startup import startup
from planner.planning.volume import model_bytes_on_disk, too_large
from planner.planning.ways import Grid, Way, ways
from planner.planning.words import infeasible, warnings
from planner.units import show_seconds, show_usd


@dataclass(frozen=True, slots=True, kw_only=True)
class _Posed:
    """All jobs with their cases and options, and what they share."""

    jobs: tuple[JobQuestion, ...]
    cases: tuple[Case, ...]
    ways: tuple[tuple[Way, ...], ...]
    grid: Grid
    quotas: Mapping[str, int]
    """By type; TOTAL for all types together."""
    confidence: float

    def within(self) -> "_Posed":
        """The same with only the options that the quotas allow if nothing else runs."""
        kept = tuple(tuple(way for way in each if self._fits(way)) for each in self.ways)
        return replace(self, ways=kept)

    def _fits(self, way: Way) -> bool:
        held = way.option
        return all(held.instances <= self.quotas.get(name, held.instances) for name in (held.instance_type, TOTAL))

    def demands(self) -> tuple[Demand, ...]:
        """What the schedule is made of."""
        return tuple(
            Demand(
                options=tuple(way.option for way in each),
                first_slot=self.grid.after(job.start_s),
                end_slot=self.grid.before(job.deadline_s),
            )
            for each, job in zip(self.ways, self.jobs, strict=True)
        )


def recommend_jobs(
    jobs: Sequence[JobQuestion],
    *,
    quotas: Mapping[str, int] | None = None,
    total_quota: int | None = None,
    confidence: float = 0.95,
    instance_types: Sequence[str] = (),
    max_instance_count: int = MAX_INSTANCE_COUNT,
    prices: Mapping[str, float] | None = None,
    savings_plan: float = 0.0,
    startup_s: Interval | None = None,
    workload_class: WorkloadClass | None = None,
    emit: Emit | None = None,
) -> CapacityPlan:
    """A configuration and a start for every job, cheapest in all, such that no quota is exceeded at any time.

    `quotas`: most instances of a type at once, over all jobs; `total_quota` of all types together. Types without a
    quota are taken to have none. The other arguments are those of `recommend`, and hold for every job.

    Raises InfeasibleError: for a job that meets its deadline in no way, with the nearest miss; and where the quotas are
    too small, with the least increase that would do. CatalogueError for an unknown type.
    """
    goal = {
        "objective": "cost",
        "confidence": confidence,
        "instance_types": tuple(instance_types),
        "max_instance_count": min(max_instance_count, MAX_INSTANCE_COUNT),
        "prices": named(prices or {}),
        "savings_plan": savings_plan,
    }
    shared = named(quotas or {}) | ({} if total_quota is None else {TOTAL: total_quota})
    grid = Grid.over(jobs)
    models = {id(job.profile): PerformanceModel.fit(job.profile) for job in {id(j.profile): j for j in jobs}.values()}
    cases = tuple(_posed(job, goal, models[id(job.profile)], startup_s, workload_class) for job in jobs)
    posed = _Posed(
        jobs=tuple(jobs),
        cases=cases,
        ways=tuple(_ways(job, case, grid, shared) for job, case in zip(jobs, cases, strict=True)),
        grid=grid,
        quotas=shared,
        confidence=confidence,
    )
    allowed = posed.within()
    schedule = cheapest(allowed.demands(), shared)
    if schedule is None:
        raise InfeasibleError(_too_small(posed))
    return _plan(allowed, schedule, emit)


def _posed(
    job: JobQuestion,
    goal: Mapping[str, Any],
    model: PerformanceModel,
    startup_s: Interval | None,
    workload_class: WorkloadClass | None,
) -> Case:
    model_bytes = model_bytes_on_disk(job.profile)
    unfit = too_large(model_bytes)
    if unfit is not None:
        raise InfeasibleError(f"job {job.name}: {unfit}.")
    of_class = classified(job.profile, workload_class)
    wished = checked_goal(**goal, region=job.region, deadline_s=job.deadline_s - job.start_s)
    return pose(
        job.profile,
        job.dataset,
        wished,
        model=model,
        speed_of=benchmarked(job.profile, of_class),
        of_class=of_class,
        times=startup(job.profile.startup_s, startup_s),
        model_bytes=model_bytes,
    )


def _ways(job: JobQuestion, case: Case, grid: Grid, quotas: Mapping[str, int]) -> tuple[Way, ...]:
    slots = grid.before(job.deadline_s) - grid.after(job.start_s)
    found = tuple(way for way in ways(case, grid, quotas) if way.option.slots <= slots)
    if not found:
        raise InfeasibleError(f"job {job.name}: {infeasible(case)}")
    return found


def _too_small(posed: _Posed) -> str:
    """The quotas that are too small, and the least increase with which everything fits."""
    least = least_increase(posed.demands(), posed.quotas)
    given = ", ".join(f"{_of(name)} {count}" for name, count in posed.quotas.items())
    text = f"no schedule of the {len(posed.jobs)} jobs meets every deadline under the quotas ({given})"
    if least is None:
        return f"{text}. Raise a deadline."
    asked = [f"{_of(name)} to {posed.quotas[name] + above} (+{above})" for name, above in least.above.items() if above]
    return (
        f"{text}. The least increase that would do: {', '.join(asked)}; the jobs would then cost "
        f"{show_usd(least.cost_usd)}. Ask for it (Service Quotas, 'for transform job usage'), raise a deadline, or "
        "allow other types with --instance-type."
    )


def _of(name: str) -> str:
    return "all types together" if name == TOTAL else name


def _plan(posed: _Posed, schedule: Schedule, emit: Emit | None) -> CapacityPlan:
    planned = tuple(_job(posed, number, schedule, emit) for number in range(len(posed.jobs)))
    total = planned[0].estimate.cost_usd
    for job in planned[1:]:
        total = total.plus(job.estimate.cost_usd)
    held = usage(posed.demands(), schedule.jobs, posed.grid.slots)
    return CapacityPlan(
        confidence=posed.confidence,
        quotas={name: count for name, count in posed.quotas.items() if name != TOTAL},
        total_quota=posed.quotas.get(TOTAL),
        slot_s=posed.grid.slot_s,
        jobs=planned,
        cost_usd=total,
        gap=schedule.gap,
        peaks=tuple(
            Peak(
                instance_type=name,
                instances=max(row),
                quota=posed.quotas.get(name),
                from_s=row.index(max(row)) * posed.grid.slot_s,
            )
            for name, row in sorted(held.items())
        ),
        usage=tuple(each for name, row in sorted(held.items()) for each in _runs(name, row, posed.grid.slot_s)),
        assumptions=tuple(_assumptions(posed)),
    )


def _job(posed: _Posed, number: int, schedule: Schedule, emit: Emit | None) -> PlannedJob:
    """One job of the schedule, with the simplest of settings that still ends in the slots it was given."""
    job, case, taken = posed.jobs[number], posed.cases[number], schedule.jobs[number]
    way = posed.ways[number][taken.option]
    lasts_s = way.option.slots * posed.grid.slot_s
    choice = settled(case.problem, replace(case.wish, deadline_s=lasts_s), way.candidate).choice
    held, (value, _) = configuration(case, choice.t, choice.n, choice.k), estimate(case, choice.t, choice.n, choice.k)
    work, start_s = workload(job.profile, job.dataset), taken.slot * posed.grid.slot_s
    assert value.finish_at_confidence_s is not None
    return PlannedJob(
        name=job.name,
        region=job.region,
        workload=work,
        configuration=held,
        estimate=value,
        earliest_start_s=job.start_s,
        start_s=start_s,
        end_s=start_s + value.finish_at_confidence_s,
        deadline_s=job.deadline_s,
        released_s=start_s + lasts_s,
        profile_digest=hashlib.sha256(to_json(job.profile).encode()).hexdigest(),
        warnings=warnings(case, held, value),
        transform_job=emit(case.goal, work, held, value) if emit is not None else {},
    )


def _runs(name: str, row: Sequence[int], slot_s: float) -> Iterator[Held]:
    """Slots of equal use as one span each; nothing for slots without use."""
    begun = 0
    for slot in range(1, len(row) + 1):
        if slot == len(row) or row[slot] != row[begun]:
            if row[begun]:
                yield Held(instance_type=name, instances=row[begun], from_s=begun * slot_s, until_s=slot * slot_s)
            begun = slot


def _assumptions(posed: _Posed) -> Iterator[str]:
    yield (
        f"Time is cut into slots of {show_seconds(posed.grid.slot_s)}; lengths are rounded up to them, and a job holds "
        "its instances from its creation to its end."
    )
    yield (
        f"Each job meets its deadline with {posed.confidence:.0%} probability by itself; that all do is less likely. A "
        "job that runs late holds its instances longer, and one that waits for them starts later: leave room."
    )
    if any(way.option.instance_type not in posed.quotas for each in posed.ways for way in each):
        yield "Types without --quota are taken to have none; a new account's is often 0. Narrow with --instance-type."
