"""When a second profile, on the hardware in question, costs less than it is expected to save.

The choice between two processor generations hangs on how the container likes each of them, which one profile and public
benchmarks do not tell. Profiling it on both would.

    symbol   meaning
    C        middle cost of the choice                                                        USD
    d        ln of the other type's middle cost over C; d >= 0
    s        standard deviation of d, for what a measurement on both generations takes away
             (`hardware.liking_sd`), times the share of the billed time that depends on speed

Expected saving of knowing before choosing, E[max(0, C - C e^(d + s z))] with z standard normal:
C (F(-d/s) - e^(d + s^2/2) F(-d/s - s)), F the normal distribution. It is the expected value of perfect information
(Howard 1966, Information Value Theory) in the form of a put option (Black 1976). Of several types the one with the
largest counts; an actual profile has an error of its own, so it is an upper bound of what that one brings.
"""

import math
from collections.abc import Iterator, Sequence
from statistics import NormalDist
from typing import Final

import numpy as np

from planner.catalogue import InstanceType
from planner.performance.benchmark_scores import type_speeds
from planner.performance.hardware import liking_sd
from planner.performance.host_placement import place
from planner.planning.case import Case
from planner.planning.evaluate import outcome
from planner.planning.search import Candidate
from planner.units import show_usd

PROBE_S: Final = 600.0
"""Starting an instance and a container, and a minute or two of `planner profile`, rounded up."""


WORTH: Final = 0.01
"""Of the cost: a smaller saving is no reason to set a second machine up."""


def expected_saving(cost: float, d: float, s: float) -> float:
    """The formula above, in the unit of the cost; 0 where s is 0."""
    if s <= 0:
        return 0.0
    below = NormalDist().cdf
    return cost * (below(-d / s) - math.exp(d + s**2 / 2) * below(-d / s - s))


def worth_probing(case: Case, choice: Candidate, met: Sequence[Candidate]) -> Iterator[str]:
    """The advice, if a probe pays within a month's runs, or one run, and saves WORTH; `met`: the best of each type.

    None where time is the objective, where speeds were not taken from benchmarks, and where a second profile is given.
    """
    if case.of_class is None or case.also or case.wish.objective != "cost":
        return
    others = [each for each in met if _generation(case, each.t) != _generation(case, choice.t)]
    if not others:
        return
    savings = [_saving(case, choice, other) for other in others]
    best = int(np.argmax(savings))
    families = list(_families_to_probe(case, (choice.t, others[best].t)))
    price = sum(_cheapest_hour(case, family) for family in families) * PROBE_S / 3600
    runs = case.goal.runs_per_month
    saving = savings[best] * (1 if runs is None else runs)
    if saving <= price or savings[best] < WORTH * choice.cost_usd:
        return
    name, apart = case.problem.names[others[best].t], others[best].cost_usd / choice.cost_usd - 1
    known = math.exp(NormalDist().inv_cdf(0.95) * _sd(case, choice, others[best]))
    yield (
        f"A second profile would pay: {name} costs {apart:.0%} more by the middle, but how this container likes the "
        f"processors of both is known only within a factor of {known:.2f}. Ten minutes of `planner profile` on an EC2 "
        f"instance of {' and on one of '.join(families)} cost about {show_usd(price)}; to know would save up to "
        f"{show_usd(saving)} {'on this run' if runs is None else 'a month'} on average. Give the profiles with --also."
    )


def _generation(case: Case, t: int) -> str:
    return type_speeds()[case.problem.names[t]].generation


def _sd(case: Case, choice: Candidate, other: Candidate) -> float:
    """Of ln throughput of the one over the other; the wider of an inferred class's and of an unknown one's."""
    one, two = case.offers[choice.t].kind, case.offers[other.t].kind
    return max(liking_sd(one, two, each) for each in case.classes)


def _saving(case: Case, choice: Candidate, other: Candidate) -> float:
    found = outcome(case.problem, np.array([other.t]), np.array([other.n]), np.array([other.k]))
    by_speed = float(found.makespan_s[0] / found.billed_s[0])
    apart = max(0.0, math.log(other.cost_usd / choice.cost_usd))
    return expected_saving(choice.cost_usd, apart, _sd(case, choice, other) * by_speed)


def _families_to_probe(case: Case, types: Sequence[int]) -> Iterator[str]:
    """Those whose generation is not the profiled host's."""
    here = place(case.profile.host).generation
    yield from (_kind(case, t).family for t in types if _generation(case, t) != here)


def _kind(case: Case, t: int) -> InstanceType:
    return case.offers[t].kind


def _cheapest_hour(case: Case, family: str) -> float:
    """The least price of the family's sizes on offer, about that of the EC2 instance."""
    return min(offer.price.usd_per_hour for offer in case.offers if offer.kind.family == family)
