"""What a plan rests on and what may be wrong with it, in sentences with numbers; and why there is no plan at all."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from planner.interval import Interval
from planner.planning.case import Case
from planner.planning.explain import start_up_dominates
from planner.planning.figures import estimate
from planner.planning.plan import Estimate, Workload
from planner.planning.search import Candidate, best
from planner.planning.space import MAX_INSTANCE_COUNT, Configuration
from planner.planning.volume import volume_warnings
from planner.profiling.profile import Profile
from planner.units import show_bytes, show_seconds, show_usd

DESCRIBED = "described"
"""`Dataset.input` of an input that was given by numbers (`planner.records.layout.describe`)."""

SIZE_MISMATCH = 1.25
"""Records this many times larger or smaller than the profiled sample are another workload."""


def assumptions(case: Case, settings: Configuration, value: Estimate, work: Workload) -> Iterator[str]:
    """What the estimate takes for granted, each with the number that it put in."""
    times, price, rate = case.times, value.price, value.throughput_records_per_s
    yield (
        f"Start-up: {_range(value.startup_s)} from creating the job to the first request ({times.source}). "
        "AWS does not document it; give --startup when you know yours."
    )
    yield (
        "Billing: per second and instance, from the job's start to its end, and "
        f"{_range(times.billed_preparation_s)} of the time before the container starts. AWS documents the window, "
        "TransformStartTime to TransformEndTime, but not what precedes it."
    )
    yield (
        f"Price: ${price.usd_per_hour:.4f} per instance-hour in {price.region}, {price.basis} "
        f"({price.source}, {price.date})."
    )
    if case.goal.runs_per_month is not None:
        yield (
            f"Month: {case.goal.runs_per_month:g} runs of this job alike; the interval grows with their number, since "
            "what is not known of one is not known of the others."
        )
    yield (
        f"Speed: public benchmarks of {settings.instance_type} beside the profiled host, with their spread; "
        f"one instance does {rate.mid:,.0f} records/s ({rate.low:,.0f} to {rate.high:,.0f})."
    )
    yield from _of_speed(case)
    yield from _of_quota(case, settings)
    if settings.instance_count > 1:
        share, n = case.problem.layout.share, settings.instance_count - 1
        yield (
            f"Objects: dealt round-robin in key order, so that the busiest instance has {share.mid[n]:.1%} of the "
            f"records; the upper bounds allow for objects placed at random ({share.high[n]:.1%}). AWS documents that "
            "none is divided, not which goes where."
        )
    yield from _of_input(case, work)


def _of_speed(case: Case) -> Iterator[str]:
    """Which benchmarks the speed is from, and which other measurements."""
    usual = case.profile.usual_speed
    if usual is not None and usual.sessions > 1:
        yield (
            f"Usual speed: the profiled host's CPUs on average over {usual.sessions} sessions with this container; in "
            f"this profile's they ran {usual.words}."
        )
    if case.of_class is not None:
        yield f"Workload class: {case.of_class.words}"
    for other in case.also:
        yield (
            f"Second profile: {other.host.cpu_model} with {other.host.logical_cpus} CPUs, {other.created_at}; it tells "
            "how this container likes other processors than the first."
        )


def _of_quota(case: Case, settings: Configuration) -> Iterator[str]:
    """That the account may start so many of the type, where no one said so."""
    name = settings.instance_type
    if name not in case.goal.quotas:
        yield (
            f"Quota: none was given for {name}; up to {case.goal.max_instance_count} instances are taken as allowed. "
            f"A new account's quota is often 0: see Service Quotas, '{name} for transform job usage', and give --quota."
        )


def _of_input(case: Case, work: Workload) -> Iterator[str]:
    """How the input came to be known, where it was not read as it stands."""
    described = case.dataset.input == DESCRIBED
    claims = ["described, not read: records of one size, in objects as even as can be"] * described
    claims += [f"taken {work.repeat:,} times over, each object's twins next to it in key order"] * (work.repeat > 1)
    if claims:
        yield f"Input: {'; '.join(claims)}."


def warnings(case: Case, settings: Configuration, value: Estimate) -> tuple[str, ...]:
    """What a reader should know before trusting the plan; only what applies."""
    # A described input carries no other warning than that it is one, which stands among the assumptions.
    of_input = () if case.dataset.input == DESCRIBED else case.dataset.warnings
    return (*_of_profile(case.profile), *of_input, *_of_model(case, value), *_of_layout(case, settings, value))


def _of_profile(profile: Profile) -> Iterator[str]:
    """The session's warnings, and one line each for the points left out and the points with a remark."""
    left_out = [line for line in profile.warnings if line.startswith("not measured:")]
    yield from (line for line in profile.warnings if line not in left_out)
    if len(left_out) == 1:
        yield left_out[0]
    elif left_out:
        yield f"{left_out[0]}; and {len(left_out) - 1} more such lines, which `planner profile` shows."
    remarked = [row for row in profile.measurements if row.warnings]
    if remarked:
        shares = [row.disturbed_share for row in remarked if row.disturbed_share is not None]
        other = f", other programs taking up to {max(shares):.0%} of the machine" if max(shares, default=0) > 0 else ""
        yield (
            f"{len(remarked)} of {len(profile.measurements)} profiled points carry remarks"
            f"{other}; the first: {remarked[0].warnings[0]}."
        )


def _of_model(case: Case, value: Estimate) -> Iterator[str]:
    sample, mean = case.profile.payload.mean_record_bytes, case.dataset.record_sizes.mean
    if mean and not 1 / SIZE_MISMATCH < mean / sample < SIZE_MISMATCH:
        yield (
            f"The input's records have {show_bytes(mean)} on average, the profiled sample's {show_bytes(sample)}: "
            "profile with records of the input's size."
        )
    if value.extrapolated:
        yield f"Extrapolated: {value.regime}. Profile there before relying on the estimate."
    if value.memory_bytes is None:
        yield "Memory was not visible while profiling: no instance type was checked for it."
    yield from (f"{doubt[:1].upper()}{doubt[1:]}." for doubt in case.doubts)
    if not case.profile.complete:
        yield "The profile is the partial file of an interrupted session."
    if case.caps.response_limit_bytes is None:
        response = value.records_per_full_request * case.caps.response_bytes_per_record
        if response > 6_553_500:
            yield (
                f"Responses of about {show_bytes(response)}: MMS and TorchServe refuse more than 6,553,500 bytes "
                "unless MMS_MAX_RESPONSE_SIZE or TS_MAX_RESPONSE_SIZE is set."
            )


def _of_layout(case: Case, settings: Configuration, value: Estimate) -> Iterator[str]:
    layout, n = case.problem.layout, settings.instance_count
    written = value.busiest_instance_share * layout.records * case.caps.response_bytes_per_record
    yield from volume_warnings(case.model_bytes, written)
    if value.startup_s.mid > value.makespan_s.mid:
        yield start_up_dominates(value)
    uneven = value.busiest_instance_share * n
    if uneven > 1.1:
        work_usd = value.cost_usd.mid * value.makespan_s.mid / value.billed_s.mid * (1 - 1 / uneven)
        yield (
            f"Uneven: the busiest of {n} instances has {value.busiest_instance_share:.1%} of the records instead of "
            f"{1 / n:.1%}; about {show_usd(work_usd)} pays for instances that wait for it."
        )
    elif n > 1 and layout.objects < 8 * n:
        yield (
            f"Only {layout.objects / n:.3g} objects per instance: if the service does not deal them evenly, some "
            "instances wait (the upper bounds count with it)."
        )
    if layout.objects == 1 and case.goal.max_instance_count > 1:
        yield "One object cannot use more than one instance."


def nearly_as_fast(case: Case, front: Sequence[Candidate], choice: Candidate) -> Iterator[str]:
    """When time is the objective: the cheapest that ends within 1 % of the choice's time, if it saves a tenth."""
    if case.wish.objective != "time":
        return
    close = [point for point in front if point.finish_s <= 1.01 * choice.finish_s]
    if close and close[0].cost_usd < 0.9 * choice.cost_usd:
        near, later_s = close[0], max(0.0, close[0].finish_s - choice.finish_s)
        yield (
            f"The last seconds are dear: {near.n} x {case.problem.names[near.t]} ends "
            f"{show_seconds(later_s)} later and costs {show_usd(near.cost_usd)} instead "
            f"of {show_usd(choice.cost_usd)}. Give --deadline to get the cheapest that is fast enough."
        )


def infeasible(case: Case) -> str:
    """Why nothing meets the wish: the limit, the nearest miss with what limits it, and what to relax."""
    goal = case.goal
    text = f"no configuration of {case.candidates:,} "
    if goal.deadline_s is None and goal.budget_usd is None:
        reasons = {r.limit: f"{r.subject} {r.reason}" for r in case.rejections}
        return f"{text}keeps the limits: {'; '.join(reasons.values())}."
    misses = list(_misses(case))
    limits = " and ".join(limit for limit, _, _ in misses)
    nearest = "; ".join(found for _, found, _ in misses if found)
    wider = ["give --startup if yours is shorter"] if _starts_too_late(case) else _widen(case)
    relax = [*(option for _, found, option in misses if found), *wider]
    text += f"meets {limits} at {goal.confidence:.0%} confidence{'; ' if nearest else ''}{nearest}."
    return f"{text} To get one: {', '.join([*relax, 'lower --confidence'])}."


def _misses(case: Case) -> Iterator[tuple[str, str, str]]:
    """(the constraint, what comes nearest to it, the option that relaxes it) for every constraint that was given."""
    goal, wish = case.goal, case.wish
    if goal.deadline_s is not None:
        free = replace(wish, objective="time", deadline_s=None, cautious=True)
        found = ""
        for near in best(case.space, free, types=case.allowed):
            value, _ = estimate(case, near.t, near.n, near.k)
            place = f"{near.n} x {case.problem.names[near.t]}, limited by {value.bottleneck}"
            within = "" if goal.budget_usd is None else " within the budget"
            found = f"the fastest{within} needs {show_seconds(near.finish_s)} ({place})"
        yield f"the deadline of {show_seconds(goal.deadline_s)}", found, "raise --deadline"
    if goal.budget_usd is not None:
        free = replace(wish, objective="cost", budget_usd=None, cautious=True)
        found = ""
        for near in best(case.space, free, types=case.allowed):
            within = "" if goal.deadline_s is None else " within the deadline"
            found = f"the cheapest{within} costs {show_usd(near.cost_usd)} ({near.n} x {case.problem.names[near.t]})"
        yield f"the budget of {show_usd(goal.budget_usd)}", found, "raise --budget"


def _starts_too_late(case: Case) -> bool:
    """Whether starting alone takes the fastest longer than the deadline: no count, type or layout would help."""
    if case.goal.deadline_s is None:
        return False
    free = replace(case.wish, objective="time", deadline_s=None, cautious=True)
    fastest = [estimate(case, near.t, near.n, near.k)[0] for near in best(case.space, free, types=case.allowed)]
    return any(value.startup_s.mid >= case.goal.deadline_s for value in fastest)


def _widen(case: Case) -> Iterator[str]:
    """What else would make the space larger."""
    objects = case.problem.layout.objects
    if case.goal.instance_types:
        yield "widen --instance-type"
    if case.goal.quotas:
        yield "raise --quota"
    if case.goal.max_instance_count < min(MAX_INSTANCE_COUNT, objects):
        yield "raise --max-instance-count"
    if objects < case.goal.max_instance_count:
        yield f"cut the input into more than {objects:,} objects"


def _range(value: Interval) -> str:
    low = show_seconds(value.low) if value.low else "none"
    return f"{show_seconds(value.mid)} ({low} to {show_seconds(value.high)})"
