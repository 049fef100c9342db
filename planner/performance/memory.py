"""Peak memory against records per request, requests in progress and worker processes.

    symbol   meaning                                                       unit
    m0       in use before any record: interpreter, libraries, model       bytes
    m1       held for each record that is being worked on                  bytes
    a        requests in progress: min(c, K); c where K is not known

    peak(b, a) = m0 + m1 · b · a

On another machine with K' workers, m0 is taken to grow as K'/K: each worker process holds a model of its own.
A server that shares it (preloaded before forking) needs less, which the lower bound allows for.
"""

from dataclasses import dataclass

import numpy as np

from planner.performance.points import usable
from planner.performance.prediction import Bounds, Floats
from planner.performance.service import Line, fit_line
from planner.profiling.profile import Profile

_HEADROOM = 1.1
"""Peaks of longer runs exceed those of a two-second window (fragmentation, caches)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryModel:
    """Fitted peak memory."""

    line: Line
    workers: float | None
    upper_factor: float
    """Upper bound over the line: twice its spread, never less than the worst measured point or headroom."""

    def predict(self, *, records_per_request: Floats, concurrency: Floats, workers: Floats) -> Bounds:
        """Peak bytes with that many workers; arrays broadcast together."""
        held = records_per_request * np.minimum(concurrency, workers)
        share = np.ones_like(workers) if self.workers is None else workers / self.workers
        working = self.line.per_record * held
        mid = self.line.fixed * share + working
        low = self.line.fixed * np.minimum(share, 1.0) + working
        return Bounds(low=np.minimum(low, mid), mid=mid, high=mid * self.upper_factor)


def fit_memory(profile: Profile, workers: float | None) -> MemoryModel | None:
    """The memory model, or None where the profile could not see memory."""
    rows = [row for row in usable(profile) if row.memory_peak_bytes]
    if not rows:
        return None
    in_progress = [row.concurrency if workers is None else min(row.concurrency, workers) for row in rows]
    held = np.array([row.records_per_request * active for row, active in zip(rows, in_progress, strict=True)], float)
    peaks = np.array([row.memory_peak_bytes for row in rows], float)
    if len(np.unique(held)) == 1:
        line = Line(fixed=float(np.median(peaks)), per_record=0.0, log_sd=0.0)
    else:
        line = fit_line(held, peaks)
    worst = float(np.max(peaks / line.at(held)))
    return MemoryModel(line=line, workers=workers, upper_factor=max(_HEADROOM, float(np.exp(2 * line.log_sd)), worst))
