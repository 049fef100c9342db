"""The choice among settings that nothing measured can tell apart: the simplest of them.

The exact optimum often has more requests in flight or a larger payload than it needs, for a modelled gain far inside
the error of the model. More in flight means longer latencies, more memory and a later time-out; a larger payload
means the same and loses more to a failed request. So the settings of the optimum's own type, workers and count that
meet every constraint and come near it are taken for its equals, and the one with the fewest requests in flight, then
the smallest payload, is chosen. Neither may grow: one is never paid for with the other.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from planner.planning.compare import SD_SAME_TYPE
from planner.planning.evaluate import Problem, outcome
from planner.planning.search import Candidate, Wish, candidate
from planner.planning.space import Floats

NEGLIGIBLE: Final = 0.005
"""Gains up to 0.5 % of the objective are given up for a simpler setting: a quarter of SD_SAME_TYPE, the standard
deviation of the model's error between two settings of one type."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """What is chosen in place of the exact optimum; both are the same where nothing simpler comes near."""

    choice: Candidate
    exact: Candidate
    measured_instead: bool
    """Whether the optimum lies beyond what was measured, and was left for a setting that does not."""


def settled(problem: Problem, wish: Wish, exact: Candidate) -> Settled:
    """The simplest setting within NEGLIGIBLE of the optimum.

    Where the optimum is extrapolated, the best setting that is not takes its place first, if it comes within
    SD_SAME_TYPE.
    """
    value, allowed = _row(problem, wish, exact)
    extrapolated, reference = problem.rates.extrapolated[exact.t], exact.k
    if extrapolated[exact.k]:
        measured = allowed & ~extrapolated & (value <= value[exact.k] * (1 + SD_SAME_TYPE))
        if measured.any():
            allowed = allowed & ~extrapolated
            reference = int(np.where(measured, value, np.inf).argmin())
    settings = problem.settings
    payload = np.array([packing.max_payload_mb for packing in settings.packings])[settings.packing]
    near = allowed & (value <= value[reference] * (1 + NEGLIGIBLE))
    near &= (settings.concurrency <= settings.concurrency[reference]) & (payload <= payload[reference])
    near[reference] = True
    # Settings stand in order of concurrency, then payload: the first is the simplest.
    chosen = int(near.argmax())
    return Settled(
        choice=exact if chosen == exact.k else candidate(problem, wish.objective, exact.t, exact.n, chosen),
        exact=exact,
        measured_instead=reference != exact.k,
    )


def _row(problem: Problem, wish: Wish, exact: Candidate) -> tuple[Floats, NDArray[np.bool_]]:
    """(K,) the objective of every setting in the optimum's row, and (K,) whether it meets every constraint."""
    at = (np.array(exact.t), np.array(exact.n), np.arange(len(problem.settings)))
    middle, asked = outcome(problem, *at), outcome(problem, *at, wish.score)
    allowed = problem.rates.limit[exact.t] == 0
    if wish.deadline_s is not None:
        allowed &= asked.finish_s <= wish.deadline_s
    if wish.budget_usd is not None:
        allowed &= asked.cost_usd <= wish.budget_usd
    return (middle.finish_s if wish.objective == "time" else middle.cost_usd), allowed
