"""The best that each single decision would have allowed, on the chosen type: what `explain --why-not NAME=VALUE` reads.

For every value of BatchStrategy, MaxPayloadInMB, MaxConcurrentTransforms and InstanceCount, all other decisions are
free: what is shown is the optimum under that one. The type stays, since `TypeBest` has the others.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from planner.planning.case import Case
from planner.planning.evaluate import Outcome, outcome
from planner.planning.figures import estimate
from planner.planning.guesses import broken
from planner.planning.plan import SettingBest
from planner.planning.rates import LIMITS
from planner.planning.search import Candidate
from planner.planning.space import MAX_PAYLOAD_MB, Packing

_Mask = NDArray[np.bool_]


def settings_instead(case: Case, choice: Candidate) -> tuple[SettingBest, ...]:
    """One row per value that the API allows, in the order of `SettingBest.setting`."""
    row = _Row(case, choice)
    return tuple(found for found in row.all() if found is not None)


class _Row:
    """All counts and settings of the chosen type, (N, K): their objective, and the first limit that each breaks."""

    def __init__(self, case: Case, choice: Candidate) -> None:
        problem, wish = case.problem, case.wish
        n = np.arange(1, problem.max_count + 1)[:, None]
        k = np.arange(len(problem.settings))[None, :]
        at = np.array([[choice.t]])
        self.case, self.choice = case, choice
        self.middle: Outcome = outcome(problem, at, n, k)
        asked = outcome(problem, at, n, k, wish.score)
        limit = np.broadcast_to(problem.rates.limit[choice.t], self.middle.cost_usd.shape).copy()
        limit[(limit == 0) & (n > problem.layout.objects)] = LIMITS.index("objects")
        limit[(limit == 0) & (n > problem.quota[choice.t])] = LIMITS.index("quota")
        if wish.deadline_s is not None:
            limit[(limit == 0) & (asked.finish_s > wish.deadline_s)] = LIMITS.index("deadline")
        if wish.budget_usd is not None:
            limit[(limit == 0) & (asked.cost_usd > wish.budget_usd)] = LIMITS.index("budget")
        self.limit = limit
        by_time = wish.objective == "time"
        self.objective = self.middle.finish_s if by_time else self.middle.cost_usd
        # Where nothing is feasible, what comes nearest to the constraint that was given.
        self.nearest = asked.finish_s if wish.deadline_s is not None else asked.cost_usd

    def all(self) -> Iterator[SettingBest | None]:
        """Every value of every setting, None for one that no undominated setting stands for."""
        case = self.case
        columns = case.problem.settings
        counts, everywhere = case.problem.max_count, np.ones((case.problem.max_count, len(columns)), dtype=np.bool_)
        strategies = np.array([p.strategy for p in columns.packings])[columns.packing]
        for strategy in sorted({p.strategy for p in case.packings}):
            yield self.best("BatchStrategy", strategy, everywhere & (strategies == strategy))
        for payload in sorted({p.max_payload_mb for p in case.packings}):
            masks = [self._of_packing(p) for p in case.packings if p.max_payload_mb == payload]
            yield self.best("MaxPayloadInMB", str(payload), everywhere & np.logical_or.reduce(masks), payload)
        for c in sorted(set(columns.concurrency.tolist())):
            yield self.best("MaxConcurrentTransforms", str(c), everywhere & (columns.concurrency == c))
        for n in range(1, counts + 1):
            only = np.zeros_like(everywhere)
            only[n - 1] = True
            yield self.best("InstanceCount", str(n), only)

    def _of_packing(self, packing: Packing) -> _Mask:
        """(K,) the settings that stand for a packing: those of the smallest payload with equally many requests."""
        columns = self.case.problem.settings
        kept = next(
            number
            for number, p in enumerate(columns.packings)
            if (p.strategy, p.requests) == (packing.strategy, packing.requests)
        )
        allowed: _Mask = (columns.packing == kept) & (columns.concurrency <= MAX_PAYLOAD_MB // packing.max_payload_mb)
        return allowed

    def best(self, setting: str, value: str, mask: _Mask, payload_mb: int | None = None) -> SettingBest | None:
        """The optimum under the mask; where nothing there is feasible, the nearest, with the limit that it breaks."""
        feasible = mask & (self.limit == 0)
        if feasible.any():
            place = int(np.where(feasible, self.objective, np.inf).argmin())
        elif mask.any():
            # One that would run and miss the deadline is nearer than one that would not run at all.
            runs = mask & (self.limit >= LIMITS.index("deadline"))
            place = int(np.where(runs if runs.any() else mask, self.nearest, np.inf).argmin())
        else:
            return None
        n, k = divmod(place, mask.shape[1])
        case, columns = self.case, self.case.problem.settings
        packing = columns.packings[int(columns.packing[k])]
        limit = LIMITS[int(self.limit[n, k])]
        return SettingBest(
            setting=setting,
            value=value,
            instance_count=n + 1,
            batch_strategy=packing.strategy,
            max_payload_mb=payload_mb or packing.max_payload_mb,
            max_concurrent_transforms=int(columns.concurrency[k]),
            cost_usd=float(self.middle.cost_usd[n, k]),
            finish_s=float(self.middle.finish_s[n, k]),
            breaks="" if limit == "none" else broken(case, limit, estimate(case, self.choice.t, n + 1, k)[0]),
        )
