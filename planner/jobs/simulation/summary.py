"""Worlds -> the document: distributions, chances, what each instance does, idle money, words on what it rests on."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from planner.interval import Interval
from planner.jobs.sharing import SideBySide
from planner.jobs.simulation.document import Chance, Distribution, ExpectedLoss, IdleMoney, InstanceUse, Simulation
from planner.jobs.simulation.loss import expected_loss
from planner.jobs.simulation.worlds import Chances, Job, Worlds
from planner.planning.plan import Plan
from planner.planning.space import Configuration, Floats

PROBABILITIES: Final = (0.05, 0.25, 0.5, 0.75, 0.95, 0.99)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is to be said about the worlds, besides times."""

    configuration: Configuration
    input: str
    plan: Plan | None = None
    usd_per_second: float | None = None
    """Of one instance; None: there is no bill."""
    deadline_s: float | None = None
    budget_usd: float | None = None
    record_failure_rate: float | None = None
    side_by_side: SideBySide | None = None
    unmeasured_cpus: tuple[float, float] | None = None
    """CPUs of one container and of the machine, where several share it and what that costs was not measured."""


def distribution(values: Floats) -> Distribution:
    """The distribution of (W,) values."""
    sd = float(values.std(ddof=1))
    return Distribution(
        mean=float(values.mean()),
        sd=sd,
        standard_error=sd / math.sqrt(len(values)),
        quantiles=tuple((p, float(np.quantile(values, p))) for p in PROBABILITIES),
    )


def chance(values: Floats, limit: float) -> Chance:
    """The share of worlds whose value is at most the limit."""
    kept = int(np.count_nonzero(values <= limit))
    smoothed = (kept + 0.5) / (len(values) + 1)
    return Chance(
        limit=limit,
        probability=kept / len(values),
        standard_error=math.sqrt(smoothed * (1 - smoothed) / len(values)),
    )


def summary(job: Job, chances: Chances, question: Question, worlds: Worlds) -> Simulation:
    """The document of a job that was played out."""
    plan = question.plan
    finish_s, billed_s = worlds.startup_s + worlds.makespan_s, worlds.billed_startup_s + worlds.makespan_s
    cost = None if question.usd_per_second is None else job.instances * question.usd_per_second * billed_s
    slots = len(job.times.drain)
    longest_s = float(job.times.seconds.max() * job.times.shape.max())
    return Simulation(
        configuration=question.configuration,
        plan_created_at=None if plan is None else plan.created_at,
        input=question.input,
        objects=job.requests.objects,
        records=job.requests.total_records,
        requests=job.requests.requests,
        worlds=chances.worlds,
        seed=chances.seed,
        random_assignment=chances.random_assignment,
        makespan_s=distribution(worlds.makespan_s),
        startup_s=None if plan is None else distribution(worlds.startup_s),
        finish_s=distribution(finish_s),
        billed_s=None if plan is None else distribution(billed_s),
        cost_usd=None if cost is None else distribution(cost),
        deadline=None if question.deadline_s is None else chance(finish_s, question.deadline_s),
        budget=None if question.budget_usd is None or cost is None else chance(cost, question.budget_usd),
        instances=tuple(_uses(worlds, slots)),
        idle=None if cost is None else _idle(worlds, question, cost),
        loss=_loss(job, question, worlds),
        summed_share=_summed_share(job, chances, worlds),
        sum_error_bound_s=(1 - 1 / slots) * longest_s if worlds.summed_requests else 0.0,
        planned_makespan_s=None if plan is None else plan.estimate.makespan_s,
        planned_finish_s=None if plan is None else plan.estimate.finish_s,
        planned_cost_usd=None if plan is None else plan.estimate.cost_usd,
        side_by_side=question.side_by_side,
        assumptions=tuple(_assumptions(job, chances, question, worlds)),
        warnings=tuple(_warnings(job, chances, question)),
    )


def _idle(worlds: Worlds, question: Question, cost: Floats) -> IdleMoney:
    assert question.usd_per_second is not None
    unused = question.usd_per_second * (worlds.makespan_s[:, None] - worlds.end_s).sum(axis=1)
    return IdleMoney(usd=distribution(unused), share_of_cost=float(unused.mean() / cost.mean()))


def _loss(job: Job, question: Question, worlds: Worlds) -> ExpectedLoss | None:
    """What bad records cost, where their rate is given."""
    per_second = question.usd_per_second
    if question.record_failure_rate is None:
        return None
    return expected_loss(
        job.requests,
        question.record_failure_rate,
        instances=job.instances,
        startup_usd=None if per_second is None else per_second * float(worlds.billed_startup_s.mean()),
        work_usd=None if per_second is None else job.instances * per_second * float(worlds.makespan_s.mean()),
    )


def _summed_share(job: Job, chances: Chances, worlds: Worlds) -> float:
    return worlds.summed_requests / (job.requests.requests * chances.worlds)


def _uses(worlds: Worlds, slots: int) -> Iterator[InstanceUse]:
    for i in range(worlds.end_s.shape[1]):
        used = worlds.in_flight_s[:, i] / (slots * worlds.makespan_s)
        yield InstanceUse(
            instance=i,
            objects=float(worlds.objects[:, i].mean()),
            busy_s=distribution(worlds.end_s[:, i]),
            utilization=Interval(low=float(used.min()), mid=float(used.mean()), high=float(used.max())),
        )


def _assumptions(job: Job, chances: Chances, question: Question, worlds: Worlds) -> Iterator[str]:
    """What the numbers rest on, for a reader who wants to change it."""
    times, slots = job.times, len(job.times.drain)
    yield f"service times: {times.source}"
    yield (
        f"the error of model and hardware speed (90 % lie between {math.exp(times.slower):.2f} times as slow and "
        f"{math.exp(times.faster):.2f} times as fast) is one for the whole job; instances differ by "
        f"{chances.instance_log_sd:.1%} besides; single requests scatter by {float(times.shape.std()):.0%}"
    )
    if job.instances > 1:
        share = chances.random_assignment
        at_random = f" in {1 - share:.0%} of the worlds, each on a random one in {share:.0%} (--random-assignment)"
        yield f"objects are dealt to instances in key order{at_random if share else ''}; the service's way is not known"
    yield (
        f"up to {slots} requests in flight per instance, refilled at each answer, over the ends of objects; alone, a "
        f"request takes {times.drain[0]:.0%} of what it takes among {slots}"
    )
    if question.side_by_side is not None:
        yield _sharing(question.side_by_side)
    if question.plan is not None:
        yield "start-up as in the plan; what is billed of it is long when the whole is long; the bill runs per second"
    if question.record_failure_rate is not None:
        yield "bad records are independent of each other; an object with one still takes its time, and has no output"
    if worlds.summed_requests:
        yield (
            f"{_summed_share(job, chances, worlds):.1%} of the requests were played as "
            "sums, the last ones of every instance one by one"
        )


def _sharing(found: SideBySide) -> str:
    """What was measured of it, in words."""
    kept = "keep" if found.keeps_connections else "end"
    cpus = f"{found.cpus:g} {'CPU' if found.cpus == 1 else 'CPUs'}"
    instances = "one instance" if found.instances == 1 else f"{found.instances} instances"
    means = (
        "to the containers themselves with sample records: how fast this machine was just now is in it, that "
        "it may be faster or slower in the run is not"
        if found.tried == "containers"
        else f"to stand-ins that take the profile's CPU and waiting time and {kept} their connections: how fast this "
        "machine is at the container's work is still the profile's"
    )
    return (
        f"{instances} of {cpus} and the runner share this machine: with all at work a request takes "
        f"{found.slowdown:.2f} times what it took in the profile, and {found.slowdowns()[0]:.2f} times with one; "
        f"measured with {found.requests:,} requests {means}. {_warming(found)}The runner needs "
        f"{found.client_cpu_s_per_request * 1e6:,.0f} µs of CPU a request"
    )


def _warming(found: SideBySide) -> str:
    """A sentence on the first requests, where they were tried."""
    if found.tried != "containers":
        return ""
    return f"The first requests of an instance were answered {found.warming_s * 1e3:,.0f} ms later than at its rate. "


def _warnings(job: Job, chances: Chances, question: Question) -> Iterator[str]:
    plan = question.plan
    if chances.worlds < 200:
        yield f"{chances.worlds} worlds: the outer quantiles rest on a few of them; use --worlds 1000 or more"
    if question.unmeasured_cpus is not None:
        each, machine = question.unmeasured_cpus
        left = machine - job.instances * each
        yield (
            f"{job.instances} instances of {each:g} {'CPU' if each == 1 else 'CPUs'} leave the runner "
            f"{'no CPU' if left <= 0 else f'{left:g}'} of this machine's {machine:g}: what they cost each other was "
            "not measured, so the job here may take longer"
        )
    if plan is None:
        return
    if plan.estimate.extrapolated:
        yield f"the plan's throughput is extrapolated ({plan.estimate.regime}); so is everything here"
    expected = plan.estimate.requests
    if abs(job.requests.requests - expected) > 0.01 * expected:
        yield (
            f"{job.requests.requests:,} requests are simulated, the plan counts {expected:,}: requests are cut by the "
            "mean record of each object, not record by record"
        )
