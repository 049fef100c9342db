"""Worlds: the same job played out many times, everything that is not known drawn anew in each.

    symbol   meaning                                                                     shape
    W, n     worlds, instances
    e        end of an instance's work at the middle estimate's speed (`simulation_station`)  (W, n)
    g        error of model and hardware speed, shared by the whole job                  (W, 1)
    h        instances of one type differ a little                                       (W, n)
    u        slowdown while 1 .. n instances share one machine (`jobs.sharing`); 1 on machines of their own   (n,)
    w        how much later than at its rate an instance answers its first requests; 0 where not measured

    makespan = max over instances of w + g h e, stretched by u        finish = start-up + makespan
    billed   = billed start-up + makespan        cost = n price / 3600 billed, for all instances end with the job

ln g is z slower / 1.645 for a normal z > 0 and z faster / 1.645 below: 90 % of worlds lie in the plan's interval. A
start-up is drawn alike from its interval, waiting and billed part with one z, for the one is a part of the other.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from planner.interval import Z90, Interval
from planner.jobs.sharing import stretched
from planner.jobs.simulation.assignment import Dealer, Hands
from planner.jobs.simulation.requests import ObjectRequests
from planner.jobs.simulation.service_times import ServiceTimes
from planner.jobs.simulation.station import ObjectWork, WorkList, play, work_list
from planner.planning.space import Floats, Ints
from planner.profiling.profile import REPEATABILITY

EXACT_STEPS: Final = 240_000_000
"""Requests over all worlds, times (slots + 16), that are played one by one: one or two seconds' worth. Where there are
more, the first requests of an instance are played as their sum."""
_LEAST_ROUNDS: Final = 4
"""So many requests per slot are always played one by one."""
INSTANCE_LOG_SD: Final = REPEATABILITY
"""Between two runs of one server on one machine; two instances of a type differ at least by that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What is played."""

    requests: ObjectRequests
    times: ServiceTimes
    instances: int
    startup_s: Interval
    billed_startup_s: Interval
    slowdowns: tuple[float, ...] | None = None
    """u; None: every instance is a machine of its own."""
    warming_s: float = 0.0
    """w"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chances:
    """How often, from which seed, and with which assumptions."""

    worlds: int
    seed: int
    random_assignment: float
    """Share of worlds in which objects fall on instances at random instead of being dealt."""
    instance_log_sd: float = INSTANCE_LOG_SD


@dataclass(frozen=True, slots=True, kw_only=True)
class Worlds:
    """What happened; first axis worlds."""

    makespan_s: Floats
    """(W,)"""
    startup_s: Floats
    """(W,)"""
    billed_startup_s: Floats
    """(W,)"""
    end_s: Floats
    """(W, n) last answer of each instance, from the job's first request; 0 for one without objects."""
    in_flight_s: Floats
    """(W, n) requests in flight, integrated."""
    objects: Ints
    """(W, n) objects of each instance."""
    summed_requests: int
    """Requests over all worlds that were played as sums."""


def play_out(job: Job, chances: Chances) -> Worlds:
    """The job in every world, the last `random_assignment` of them with objects at random.

    Assignment, noise, errors and start-up have random streams of their own: a change in what one of them needs leaves
    the draws of the others as they were.
    """
    seeds = np.random.SeedSequence(chances.seed).spawn(4)
    deals, noise, errors, starts = (np.random.default_rng(seed) for seed in seeds)
    worlds, n = chances.worlds, job.instances
    by_chance = round(chances.random_assignment * worlds) if n > 1 else 0
    window, requests = _window(job, worlds), job.requests
    work = ObjectWork.of(requests, job.times.at(requests.full_records), job.times.at(requests.last_records))
    dealer = Dealer.of(requests, n)
    lists: list[WorkList] = []
    objects = np.empty((worlds, n), dtype=np.int64)
    if by_chance < worlds:
        one, objects[: worlds - by_chance] = _lists(job, work, dealer.dealt(), window)
        lists += one * (worlds - by_chance)
    for world in range(worlds - by_chance, worlds):
        one, objects[world] = _lists(job, work, dealer.at_random(deals), window)
        lists += one
    ends = play(lists, job.times.drain, job.times.shape, noise)
    slowness = _slowness(job.times, errors.standard_normal(worlds))[:, None]
    slowness = slowness * np.exp(chances.instance_log_sd * errors.standard_normal((worlds, n)))
    alone_s = slowness * ends.end_s.reshape(worlds, n)
    end_s = alone_s if job.slowdowns is None else stretched(alone_s, job.slowdowns)
    end_s = end_s + job.warming_s * (end_s > 0)
    z = starts.standard_normal(worlds)
    startup_s = _drawn(job.startup_s, z)
    return Worlds(
        makespan_s=end_s.max(axis=1),
        startup_s=startup_s,
        billed_startup_s=np.minimum(_drawn(job.billed_startup_s, z), startup_s),
        end_s=end_s,
        in_flight_s=slowness * ends.in_flight_s.reshape(worlds, n) * _ratio(end_s, alone_s),
        objects=objects,
        summed_requests=sum(work.head_requests for work in lists),
    )


def _ratio(longer: Floats, shorter: Floats) -> Floats:
    """Elementwise; 1 for an instance that has nothing to do."""
    return np.divide(longer, shorter, out=np.ones_like(longer), where=shorter > 0)


def _window(job: Job, worlds: int) -> int:
    """Requests of one instance that are played one by one: all of them as far as EXACT_STEPS goes."""
    slots, requests = len(job.times.drain), job.requests.requests
    exact = EXACT_STEPS // (slots + 16)
    return requests if requests * worlds <= exact else max(_LEAST_ROUNDS * slots, exact // (worlds * job.instances))


def _lists(job: Job, work: ObjectWork, hands: Hands, window: int) -> tuple[list[WorkList], Ints]:
    """The work of every instance, and (n,) its objects."""
    slots = len(job.times.drain)
    lists = [work_list(work, hands, i, concurrency=slots, window=window) for i in range(job.instances)]
    held = np.bincount(hands.instance, weights=hands.count, minlength=job.instances)
    return lists, held.astype(np.int64)


def _slowness(times: ServiceTimes, z: Floats) -> Floats:
    """Factors exp of z half-widths towards a longer (z > 0) or shorter job."""
    return np.exp(z / Z90 * np.where(z > 0, times.slower, times.faster))


def _drawn(interval: Interval, z: Floats) -> Floats:
    """The interval's value at z: normal on each side of its middle, never negative."""
    side = np.where(z > 0, interval.high - interval.mid, interval.mid - interval.low)
    return np.maximum(0.0, interval.mid + z / Z90 * side)
