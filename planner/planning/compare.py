"""Two candidates side by side: which is cheaper or faster, by how much, and whether that is more than noise.

The errors of two candidates are mostly the same error: one model, one profile, one start-up. What is left between them
is how differently their processors like this workload, which is the spread of their own throughput ratio in benchmarks
(`performance.hardware`): narrow inside a processor generation, wide across.
"""

import functools
import math
from typing import Final

from planner.catalogue import InstanceType
from planner.interval import Z90
from planner.performance.hardware import WorkloadClass, throughput_ratio
from planner.planning.case import Case
from planner.planning.plan import Estimate
from planner.planning.search import Candidate

SD_SAME_TYPE: Final = 0.02
"""Two settings or counts of one type share everything but the model's error from one setting to the next."""


def noise(case: Case, a: int, b: int) -> float:
    """Log half-width, at 90 %, of the error between types a and b that they do not share."""
    if case.problem.names[a] == case.problem.names[b]:
        return Z90 * SD_SAME_TYPE
    return max(_apart(case.offers[a].kind, case.offers[b].kind, each) for each in case.classes)


@functools.cache
def _apart(a: InstanceType, b: InstanceType, workload_class: WorkloadClass) -> float:
    ratio = throughput_ratio(a, b, workload_class)
    return math.log(ratio.high / ratio.mid)


def within_noise(case: Case, choice: Candidate, other: int, choice_value: float, other_value: float) -> bool:
    """Whether the ratio of two middle estimates is smaller than the error that the candidates do not share."""
    return abs(math.log(other_value / choice_value)) < noise(case, choice.t, other)


def why_not(case: Case, choice: Candidate, chosen: Estimate, other: Estimate, other_t: int) -> tuple[str, bool]:
    """``3% dearer, 3% faster; within noise (±40%)``, and whether it is.

    The percentage is how well the two candidates are known against each other, at 90 %.
    """
    by_time = case.wish.objective == "time"
    values = (chosen.finish_s.mid, other.finish_s.mid) if by_time else (chosen.cost_usd.mid, other.cost_usd.mid)
    close = within_noise(case, choice, other_t, *values)
    words = (
        f"{difference(chosen.cost_usd.mid, other.cost_usd.mid, ('dearer', 'cheaper', 'equally dear'))}, "
        f"{difference(chosen.finish_s.mid, other.finish_s.mid, ('slower', 'faster', 'equally fast'))}"
    )
    if close:
        words += f"; within noise (±{math.expm1(noise(case, choice.t, other_t)):.0%})"
    return words, close


def difference(base: float, other: float, words: tuple[str, str, str]) -> str:
    """``12% dearer``, ``3.1 times slower``, ``equally dear``: other against base in words."""
    more, less, equally = words
    if abs(other / base - 1) < 0.005:
        return equally
    if other > base:
        return f"{other / base - 1:.0%} {more}" if other < 2 * base else f"{other / base:.1f} times {more}"
    return f"{1 - other / base:.0%} {less}"
