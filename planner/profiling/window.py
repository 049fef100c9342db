"""The part of a trace that is judged: what completed in the steady state, and what was used up meanwhile."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from planner.container.contract import Usage
from planner.profiling.load import Trace


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The steady part of a trace."""

    trace: Trace
    first: int
    """Index of the completion that begins it; what completes later is in it."""
    concurrency: int

    @property
    def ends_s(self) -> Sequence[float]:
        """When the answers were complete, from the one that begins the window on."""
        return self.trace.end_s[self.first :]

    @property
    def latencies_s(self) -> list[float]:
        """Of the requests completed in it, in order of completion."""
        pairs = zip(self.trace.start_s[self.first + 1 :], self.trace.end_s[self.first + 1 :], strict=True)
        return [end - start for start, end in pairs]

    @property
    def duration_s(self) -> float:
        """From the answer that begins it to the last one."""
        return self.trace.end_s[-1] - self.trace.end_s[self.first]

    @property
    def usages(self) -> list[Usage] | None:
        """Usage at every checkpoint; None where it could not be seen at all of them."""
        usages = [checkpoint.usage for checkpoint in self.trace.checkpoints]
        seen = [usage for usage in usages if usage is not None]
        return seen if len(seen) == len(usages) else None

    def rise(self, levels: Sequence[float]) -> float:
        """By how much a counter rose in the window: its readings at the checkpoints, interpolated linearly."""
        times = [checkpoint.at_s for checkpoint in self.trace.checkpoints]
        begin, end = np.interp([self.trace.end_s[self.first], self.trace.end_s[-1]], times, levels).tolist()
        return float(end - begin)

    @property
    def is_busy(self) -> bool:
        """Whether the container computed for half of the time or more; False where that cannot be seen."""
        usages = self.usages
        return usages is not None and self.rise([usage.cpu_s for usage in usages]) > self.duration_s / 2
