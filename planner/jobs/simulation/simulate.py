"""The verb: a plan's job played out many times -> distributions of finish time and cost, chances, use, loss."""

import hashlib
import math
from typing import Final

import msgspec

from planner.container.cpus import available_cpus
from planner.documents import to_json
from planner.errors import DocumentError, InputMissingError, ProfileError
from planner.interval import Interval
from planner.jobs.sharing import SideBySide
from planner.jobs.simulation.document import Simulation
from planner.jobs.simulation.here import JobHere
from planner.jobs.simulation.requests import object_requests
from planner.jobs.simulation.service_times import times_here, times_of_plan, times_of_plan_alone
from planner.jobs.simulation.summary import Question, summary
from planner.jobs.simulation.worlds import Chances, Job, play_out
from planner.planning.offers import SpeedOf
from planner.planning.plan import Estimate, Plan
from planner.planning.rates import Model
from planner.planning.space import Configuration
from planner.profiling.profile import Profile
from planner.records.dataset import Dataset, SplitType
from planner.records.layout import describe, repeated

RANDOM_ASSIGNMENT: Final = 0.25
"""Share of worlds with objects at random. Ours: the mapping is not documented; round-robin is the plan's middle, and
users report uneven ones (two files on one of two instances), so it cannot be excluded either."""
HERE: Final = "here"


def simulate(
    plan: Plan,
    *,
    profile: Profile | None = None,
    dataset: Dataset | None = None,
    worlds: int = 1000,
    seed: int = 1,
    deadline_s: float | None = None,
    budget_usd: float | None = None,
    random_assignment: float = RANDOM_ASSIGNMENT,
    record_failure_rate: float | None = None,
    model: Model | None = None,
    speed_of: SpeedOf | None = None,
) -> Simulation:
    """The plan's job in so many worlds; same arguments, same numbers.

    `dataset` is the plan's whole input (its repeats included); a described one, and a single object, can be left out.
    Without `profile` its role is played by the plan's own figures. Deadline and budget are the plan's unless given.
    `model` and `speed_of` stand in for the profile's model and the benchmarks, as they did when the plan was made.

    Raises ProfileError when the profile is not the plan's, DocumentError when the dataset is not, InputMissingError
    when it is needed; ValueError for a share outside [0, 1] or fewer than 2 worlds.
    """
    if profile is not None:
        _check_profile(plan, profile)
    data = _described(plan) if dataset is None else _checked(plan, dataset)
    chosen, value = plan.configuration, plan.estimate
    requests = object_requests(data, chosen.batch_strategy, chosen.max_payload_mb)
    job = Job(
        requests=requests,
        times=times_of_plan_alone(plan, requests.sizes)
        if profile is None
        else times_of_plan(plan, data, profile, requests.sizes, model=model, speed_of=speed_of),
        instances=chosen.instance_count,
        startup_s=value.startup_s,
        billed_startup_s=billed_startup_s(value),
    )
    question = Question(
        configuration=chosen,
        input=data.input,
        plan=plan,
        usd_per_second=value.price.usd_per_hour / 3600,
        deadline_s=plan.goal.deadline_s if deadline_s is None else deadline_s,
        budget_usd=plan.goal.budget_usd if budget_usd is None else budget_usd,
        record_failure_rate=record_failure_rate,
    )
    return _played(job, _chances(worlds, seed, random_assignment), question)


def simulate_here(
    profile: Profile,
    dataset: Dataset,
    job: JobHere,
    *,
    side_by_side: SideBySide | None = None,
    worlds: int = 1000,
    seed: int = 1,
    deadline_s: float | None = None,
    record_failure_rate: float | None = None,
) -> Simulation:
    """What `planner run` would take on the profiled host: speed 1, its CPUs divided over the containers.

    `side_by_side` is what `here.tried_here` or `here.side_by_side_here` measured for the job; without it several
    containers are taken not to slow each other, and a warning says so. There is no start-up and no price, and objects
    are dealt, as `planner run` does. Raises as `simulate` does, and ValueError for a `side_by_side` of another number
    of instances.
    """
    share, at_work, requests = job.cpus_of_each, job.at_work(dataset), job.requests(dataset)
    if side_by_side is not None and (side_by_side.instances, side_by_side.cpus) != (at_work, share):
        raise ValueError(
            f"side_by_side is of {side_by_side.instances} instances of {side_by_side.cpus:g} CPUs, "
            f"the job has {at_work} of {share:g}"
        )
    times = times_here(
        profile,
        requests.sizes,
        mean=requests.total_records / requests.requests,
        concurrency=job.max_concurrent_transforms,
        cpus=share,
    )
    nothing = Interval.exactly(0.0)
    played = Job(
        requests=requests,
        times=times,
        instances=job.instance_count,
        startup_s=nothing,
        billed_startup_s=nothing,
        slowdowns=None if side_by_side is None else _for_all(side_by_side, job.instance_count),
        warming_s=0.0 if side_by_side is None else side_by_side.warming_s,
    )
    question = Question(
        configuration=_configuration(job, profile),
        input=dataset.input,
        deadline_s=deadline_s,
        record_failure_rate=record_failure_rate,
        side_by_side=side_by_side,
        unmeasured_cpus=(share, float(len(available_cpus()))) if side_by_side is None and at_work > 1 else None,
    )
    return _played(played, _chances(worlds, seed, random_assignment=0.0), question)


def _configuration(job: JobHere, profile: Profile) -> Configuration:
    """The job's settings as those of a plan are written."""
    return Configuration(
        instance_type=HERE,
        instance_count=job.instance_count,
        batch_strategy=job.batch_strategy,
        max_payload_mb=job.max_payload_mb,
        max_concurrent_transforms=job.max_concurrent_transforms,
        environment=profile.container.environment,
    )


def _for_all(found: SideBySide, instances: int) -> tuple[float, ...]:
    """The slowdowns of an instance count, some of which have no object and never work."""
    return found.slowdowns() + (found.slowdown,) * (instances - found.instances)


def billed_startup_s(value: Estimate) -> Interval:
    """The billed part of the start-up, out of a plan's figures.

    Billed time is billed start-up + makespan, and distances from the middles add in quadrature
    (`planning.evaluate`), so the start-up's own are the differences of squares.
    """
    billed, makespan = value.billed_s, value.makespan_s

    def apart(whole: float, part: float) -> float:
        return math.sqrt(max(0.0, whole**2 - part**2))

    mid = max(0.0, billed.mid - makespan.mid)
    down = apart(billed.mid - billed.low, makespan.mid - makespan.low)
    up = apart(billed.high - billed.mid, makespan.high - makespan.mid)
    return Interval(low=max(0.0, mid - down), mid=mid, high=mid + up)


def _chances(worlds: int, seed: int, random_assignment: float) -> Chances:
    if worlds < 2:
        raise ValueError(f"a distribution needs at least 2 worlds, not {worlds}")
    if not 0 <= random_assignment <= 1:
        raise ValueError(f"the share of worlds with random assignment is within 0 and 1, not {random_assignment}")
    return Chances(worlds=worlds, seed=seed, random_assignment=random_assignment)


def _played(job: Job, chances: Chances, question: Question) -> Simulation:
    return summary(job, chances, question, play_out(job, chances))


def _check_profile(plan: Plan, profile: Profile) -> None:
    digest = hashlib.sha256(to_json(profile).encode()).hexdigest()
    if digest != plan.profile_digest:
        raise ProfileError(
            f"the profile has digest {digest[:12]}, the plan rests on {plan.profile_digest[:12]}: service times of "
            "another profile would not be the plan's. Give the profile that `planner recommend` was given, or leave "
            "--profile out and use the plan's own figures."
        )


def _checked(plan: Plan, dataset: Dataset) -> Dataset:
    """The dataset, if its totals are those of the plan's input. Raises DocumentError with every one that is not."""
    work = plan.workload
    found = {"objects": dataset.object_count, "records": dataset.records, "payload bytes": dataset.payload_bytes}
    wanted = {"objects": work.objects, "records": work.records, "payload bytes": work.payload_bytes}
    wrong = [f"{found[name]:,} {name} instead of {wanted[name]:,}" for name in found if found[name] != wanted[name]]
    if wrong:
        times = f" taken {work.repeat:,} times over" if work.repeat > 1 else ""
        raise DocumentError(
            f"{dataset.input} is not the input that the plan was made for ({work.input}{times}): "
            f"{', '.join(wrong)}. Give that dataset and --repeat, or make the plan anew."
        )
    return dataset


def _described(plan: Plan) -> Dataset:
    """The dataset of a plan for a described input, or for a single object. Raises InputMissingError for any other."""
    work = plan.workload
    record_bytes, rest = divmod(work.payload_bytes, work.records)
    once, left = divmod(work.records, work.repeat)
    objects = work.objects // work.repeat
    if rest == 0 and left == 0 and (work.input == "described" or objects == 1):
        split_type = msgspec.convert(work.split_type, SplitType)
        return repeated(describe(once, record_bytes, objects, split_type=split_type), work.repeat)
    raise InputMissingError(
        f"the plan holds no list of the {work.objects:,} objects of {work.input}, and its finish depends on their "
        "sizes. Give --dataset (what `planner inspect` wrote)."
    )
