"""The searched case -> the plan: the choice with its figures, what lost and why, what the answer rests on."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Final, TypeAlias

import numpy as np

from planner.documents import Json, to_json
from planner.planning.case import Case
from planner.planning.compare import why_not
from planner.planning.figures import configuration, estimate
from planner.planning.guesses import broken, guesses
from planner.planning.instead import settings_instead
from planner.planning.parsimony import NEGLIGIBLE, Settled
from planner.planning.plan import (
    Alternative,
    Estimate,
    ExactOptimum,
    Goal,
    Plan,
    Rejection,
    Reshard,
    TypeBest,
    Workload,
)
from planner.planning.reshard import in_words
from planner.planning.search import Candidate, best_of_each, candidate, pareto
from planner.planning.sensitivity import sensitivities
from planner.planning.space import Configuration
from planner.planning.strategy import RUNNERS_UP, Found
from planner.planning.words import assumptions, nearly_as_fast, warnings
from planner.planning.worth_probing import worth_probing
from planner.profiling.profile import Profile
from planner.units import show_seconds, show_usd

Emit: TypeAlias = Callable[[Goal, Workload, Configuration, Estimate], Json]
"""What turns a configuration into a CreateTransformJob draft: `planner.jobs.request.draft_request`."""

PARETO_POINTS: Final = 12
"""So many points of the front are put into the plan; a longer front is thinned evenly, its ends kept."""


def answer(
    case: Case,
    found: Found,
    better: Reshard | None,
    *,
    work: Workload,
    emit: Emit | None,
) -> Plan:
    """The plan of what was found; `better` is a layout that gains."""
    chosen, exact = found.chosen, found.sampled is None
    choice = chosen.choice
    settings = configuration(case, choice.t, choice.n, choice.k)
    value, _ = estimate(case, choice.t, choice.n, choice.k)
    met = best_of_each(case.space, case.wish, case.allowed) if exact else []
    types, missed = _types(case, choice, value, met) if exact else (_sampled_types(case, found, value), [])
    front = pareto(case.space, types=case.allowed) if exact else []
    advised = [*([in_words(case, better)] if better else []), *nearly_as_fast(case, front, choice)]
    advised += worth_probing(case, choice, met)
    monthly = case.goal.runs_per_month
    return Plan(
        goal=case.goal,
        workload=work,
        configuration=settings,
        estimate=value,
        exact_optimum=_exact_optimum(case, chosen),
        sampled=found.sampled,
        monthly_cost_usd=None if monthly is None else value.cost_usd.scaled(monthly),
        alternatives=(
            *_runners_up(case, choice, found.others[:RUNNERS_UP], value),
            *(_neighbours(case, choice, value) if exact else ()),
            *guesses(case, choice, value),
        ),
        rejections=(*case.rejections, *missed),
        types=tuple(types),
        settings=settings_instead(case, choice) if exact else (),
        sensitivity=sensitivities(case, chosen) if exact else (),
        pareto=_front(case, front, choice, value),
        candidates=case.candidates,
        assumptions=(*_of_search(case, found), *assumptions(case, settings, value, work)),
        reshard=better,
        warnings=(*warnings(case, settings, value), *advised),
        profile_digest=_digest(case.profile),
        second_profile_digests=tuple(map(_digest, case.also)),
        transform_job=emit(case.goal, work, settings, value) if emit is not None else {},
    )


def _digest(profile: Profile) -> str:
    return hashlib.sha256(to_json(profile).encode()).hexdigest()


def _of_search(case: Case, found: Found) -> Iterator[str]:
    """That nothing is proved, where nothing is."""
    if found.sampled is not None:
        yield (
            f"Search: the best of {found.sampled.trials:,} trials by Optuna among {case.candidates:,} configurations "
            f"(seed {found.sampled.seed}, found at trial {found.sampled.found_at:,}), not proved optimal; "
            "--strategy exact decides."
        )


def _exact_optimum(case: Case, chosen: Settled) -> ExactOptimum | None:
    """What the choice was taken in place of; None where it is the optimum itself."""
    choice, exact = chosen.choice, chosen.exact
    if choice.k == exact.k:
        return None
    held = configuration(case, exact.t, exact.n, exact.k)
    by_time = case.wish.objective == "time"
    gain = choice.finish_s / exact.finish_s - 1 if by_time else choice.cost_usd / exact.cost_usd - 1
    why = f"simpler for {gain:.2%} more {'time' if by_time else 'cost'}, where up to {NEGLIGIBLE:.1%} is within noise"
    if chosen.measured_instead:
        why = f"the optimum lies beyond what was measured, and gains {gain:.1%} there, which is within noise"
    return ExactOptimum(
        configuration=held,
        cost_usd=exact.cost_usd,
        finish_s=exact.finish_s,
        reason=f"the exact optimum has {held.max_payload_mb} MB x {held.max_concurrent_transforms}, "
        f"{held.batch_strategy}: {show_usd(exact.cost_usd)}, {show_seconds(exact.finish_s)}; {why}",
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


def _runners_up(case: Case, choice: Candidate, runners_up: Sequence[Candidate], chosen: Estimate) -> list[Alternative]:
    """The best configuration of each of the next best types."""
    return [
        _alternative(case, f"runner-up {place}", choice, chosen, other) for place, other in enumerate(runners_up, 1)
    ]


def _neighbours(case: Case, choice: Candidate, chosen: Estimate) -> list[Alternative]:
    """One instance less and one more of the chosen type, each with its best settings."""
    found = []
    for n, title in ((choice.n - 1, "one instance less"), (choice.n + 1, "one instance more")):
        if 1 <= n <= min(case.problem.max_count, case.problem.layout.objects):
            other = candidate(case.problem, case.wish.objective, choice.t, n, int(case.space.setting[choice.t, n - 1]))
            found.append(_alternative(case, title, choice, chosen, other))
    return found


def _front(case: Case, front: Sequence[Candidate], choice: Candidate, chosen: Estimate) -> tuple[Alternative, ...]:
    """The Pareto front thinned to PARETO_POINTS, its ends kept."""
    places = sorted({round(i) for i in np.linspace(0, len(front) - 1, min(len(front), PARETO_POINTS))})
    return tuple(_alternative(case, f"front {p + 1} of {len(front)}", choice, chosen, front[p]) for p in places)


def _types(
    case: Case, choice: Candidate, chosen: Estimate, met: Sequence[Candidate]
) -> tuple[list[TypeBest], list[Rejection]]:
    """The choice, the best of every other type, and a rejection for each that meets the constraints in no way.

    `met`: the best of every type that meets them.
    """
    wish = case.wish
    names = case.problem.names
    missed = {names[t] for t in case.allowed} - {names[each.t] for each in met}
    nearest = replace(wish, deadline_s=None, budget_usd=None, cautious=True)
    if wish.deadline_s is not None:
        nearest = replace(nearest, objective="time")
    found = [choice, *(each for each in met if names[each.t] != names[choice.t])]
    refused = []
    for near in best_of_each(case.space, nearest, [t for t in case.allowed if names[t] in missed]):
        found.append(near)
        if wish.deadline_s is not None or wish.budget_usd is not None:
            refused.append(_missed(case, near))
    return [_type_best(case, choice, chosen, each) for each in found], refused


def _sampled_types(case: Case, found: Found, chosen: Estimate) -> list[TypeBest]:
    """The choice, and the best that the trials found of every other type."""
    choice = found.chosen.choice
    return [_type_best(case, choice, chosen, each) for each in (choice, *found.others)]


def _type_best(case: Case, choice: Candidate, chosen: Estimate, best_of_type: Candidate) -> TypeBest:
    here = _alternative(case, "", choice, chosen, best_of_type)
    value = here.estimate
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
        reason="the choice" if best_of_type == choice else here.reason,
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
