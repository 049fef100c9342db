"""What would be chosen if an assumption were otherwise: the same search, on arrays with one thing changed."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from planner.performance.prediction import Bounds
from planner.planning.case import Case
from planner.planning.evaluate import Problem, outcome
from planner.planning.figures import configuration
from planner.planning.plan import Sensitivity
from planner.planning.search import Candidate, Wish, best, bounded
from planner.planning.space import Floats
from planner.units import show_seconds

PRICE_RISE: Final = 1.1
MORE_TIME_S: Final = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Variant:
    assumption: str
    change: str
    problem: Problem
    wish: Wish


def sensitivities(case: Case, choice: Candidate) -> tuple[Sensitivity, ...]:
    """What is chosen under each changed assumption: start-up, speed and price of the chosen type, objects, deadline."""
    return tuple(_searched(case, choice, variant) for variant in _variants(case, choice))


def _searched(case: Case, choice: Candidate, variant: _Variant) -> Sensitivity:
    at = (np.array([choice.t]), np.array([choice.n]), np.array([choice.k]))
    middle = outcome(variant.problem, *at)
    asked = outcome(variant.problem, *at, variant.wish.score)
    by_time = variant.wish.objective == "time"
    own = float(middle.finish_s[0] if by_time else middle.cost_usd[0])
    found = best(bounded(variant.problem), variant.wish, types=case.allowed)
    new = found[0] if found else None
    today = float(outcome(case.problem, *at).cost_usd[0])
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
        saving_usd=None if new is None else today - new.cost_usd,
    )


def _variants(case: Case, choice: Candidate) -> Iterator[_Variant]:
    problem, wish, t = case.problem, case.wish, choice.t
    name = problem.names[t]
    same_type = [i for i, other in enumerate(problem.names) if other == name]
    for words, pick in (("its lower bound", "low"), ("its upper bound", "high")):
        before, billed = getattr(problem.startup, pick), getattr(problem.billed_startup, pick)
        changed = replace(problem, startup=_exactly(before), billed_startup=_exactly(billed))
        yield _Variant(
            assumption="start-up",
            change=f"{words}: {show_seconds(before[t])}, of which {show_seconds(billed[t])} billed",
            problem=changed,
            wish=wish,
        )
    rates = problem.rates
    for words, factor in (("lower", np.exp(-rates.slower[t])), ("upper", np.exp(rates.faster[t]))):
        scale = np.ones_like(rates.throughput.mid)
        scale[same_type] = factor
        throughput = Bounds(
            low=rates.throughput.low * scale, mid=rates.throughput.mid * scale, high=rates.throughput.high * scale
        )
        yield _Variant(
            assumption="speed",
            change=f"{name} at the {words} bound of its speed: x {factor[choice.k]:.2f}",
            problem=replace(problem, rates=replace(rates, throughput=throughput)),
            wish=wish,
        )
    share = problem.layout.share
    if choice.n > 1:
        random = Bounds(low=share.low, mid=share.high, high=share.high)
        yield _Variant(
            assumption="objects",
            change=f"placed at random: {share.high[choice.n - 1]:.1%} of the records on the busiest of {choice.n}",
            problem=replace(problem, layout=replace(problem.layout, share=random)),
            wish=wish,
        )
    prices = problem.usd_per_hour.copy()
    prices[same_type] *= PRICE_RISE
    yield _Variant(
        assumption="price",
        change=f"{name} 10 % dearer: ${prices[t]:.4f} per hour",
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


def _exactly(values: Floats) -> Bounds:
    return Bounds(low=values, mid=values, high=values)
