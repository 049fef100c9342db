"""What would be chosen if an assumption were otherwise: the same search, on arrays with one thing changed."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from planner.performance.prediction import Bounds
from planner.planning.case import Case
from planner.planning.evaluate import Problem, outcome
from planner.planning.figures import configuration
from planner.planning.parsimony import Settled
from planner.planning.plan import Sensitivity
from planner.planning.search import Candidate, Wish, best, bounded
from planner.planning.space import Floats
from planner.units import show_seconds

PRICE_CHANGE: Final = 0.1
MORE_TIME_S: Final = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Variant:
    assumption: str
    change: str
    problem: Problem
    wish: Wish


def sensitivities(case: Case, chosen: Settled) -> tuple[Sensitivity, ...]:
    """What is chosen under each changed assumption: start-up, speed and price of the chosen type, objects, deadline."""
    return tuple(_searched(case, chosen, variant) for variant in _variants(case, chosen.choice))


def _searched(case: Case, chosen: Settled, variant: _Variant) -> Sensitivity:
    choice = chosen.choice
    at = (np.array([choice.t]), np.array([choice.n]), np.array([choice.k]))
    middle = outcome(variant.problem, *at)
    asked = outcome(variant.problem, *at, variant.wish.score)
    by_time = variant.wish.objective == "time"
    own = float(middle.finish_s[0] if by_time else middle.cost_usd[0])
    found = best(bounded(variant.problem), variant.wish, types=case.allowed)
    new = found[0] if found else None
    return Sensitivity(
        assumption=variant.assumption,
        change=variant.change,
        configuration=None if new is None else configuration(case, new.t, new.n, new.k),
        same_choice=new is not None and (case.problem.names[new.t], new.n) == (case.problem.names[choice.t], choice.n),
        regret=None if new is None else own / (new.finish_s if by_time else new.cost_usd) - 1,
        choice_holds=bool(
            (variant.wish.deadline_s is None or asked.finish_s[0] <= variant.wish.deadline_s)
            and (variant.wish.budget_usd is None or asked.cost_usd[0] <= variant.wish.budget_usd)
        ),
        saving_usd=None if new is None else chosen.exact.cost_usd - new.cost_usd,
    )


def _variants(case: Case, choice: Candidate) -> Iterator[_Variant]:
    yield from _other_startups(case, choice)
    yield from _other_speeds(case, choice)
    problem, wish = case.problem, case.wish
    share = problem.layout.share
    if choice.n > 1:
        random = Bounds(low=share.low, mid=share.high, high=share.high)
        yield _Variant(
            assumption="objects",
            change=f"placed at random: {share.high[choice.n - 1]:.1%} of the records on the busiest of {choice.n}",
            problem=replace(problem, layout=replace(problem.layout, share=random)),
            wish=wish,
        )
    for words, factor in (("dearer", 1 + PRICE_CHANGE), ("cheaper", 1 - PRICE_CHANGE)):
        prices = problem.usd_per_hour.copy()
        prices[_same_type(problem, choice)] *= factor
        yield _Variant(
            assumption="price",
            change=f"{problem.names[choice.t]} {abs(factor - 1):.0%} {words}: ${prices[choice.t]:.4f} per hour",
            problem=replace(problem, usd_per_hour=prices),
            wish=wish,
        )
    if wish.deadline_s is not None:
        later = wish.deadline_s + MORE_TIME_S
        yield _Variant(
            assumption="deadline",
            change=f"one hour more: {show_seconds(later)}",
            problem=problem,
            wish=replace(wish, deadline_s=later),
        )


def _other_startups(case: Case, choice: Candidate) -> Iterator[_Variant]:
    for words, pick in (("its lower bound", "low"), ("its upper bound", "high")):
        before = getattr(case.problem.startup, pick)
        billed = getattr(case.problem.billed_startup, pick)
        yield _Variant(
            assumption="start-up",
            change=f"{words}: {show_seconds(before[choice.t])}, of which {show_seconds(billed[choice.t])} billed",
            problem=replace(case.problem, startup=_exactly(before), billed_startup=_exactly(billed)),
            wish=case.wish,
        )


def _other_speeds(case: Case, choice: Candidate) -> Iterator[_Variant]:
    """The chosen type as fast as one bound of the choice's own throughput says, at every setting alike."""
    rates = case.problem.rates
    slower, faster = rates.slower[choice.t, choice.k], rates.faster[choice.t, choice.k]
    for words, factor in (("lower", float(np.exp(-slower))), ("upper", float(np.exp(faster)))):
        scale = np.ones((len(case.problem.names), 1))
        scale[_same_type(case.problem, choice)] = factor
        throughput = Bounds(
            low=rates.throughput.low * scale, mid=rates.throughput.mid * scale, high=rates.throughput.high * scale
        )
        yield _Variant(
            assumption="speed",
            change=f"{case.problem.names[choice.t]} at the {words} bound of its speed: x {factor:.2f}",
            problem=replace(case.problem, rates=replace(rates, throughput=throughput)),
            wish=case.wish,
        )


def _same_type(problem: Problem, choice: Candidate) -> list[int]:
    return [t for t, name in enumerate(problem.names) if name == problem.names[choice.t]]


def _exactly(values: Floats) -> Bounds:
    return Bounds(low=values, mid=values, high=values)
