"""The 99th percentile of latency as a multiple of its mean, by load."""

from dataclasses import dataclass

import numpy as np

from planner.interval import Z90
from planner.performance.points import Points
from planner.performance.prediction import Bounds, Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class TailModel:
    """p99 / mean, interpolated in ln c between the measured concurrencies, held beyond them."""

    ln_c: Floats
    log_ratio: Floats
    log_sd: float

    def predict(self, latency_s: Bounds, ln_c: Floats) -> Bounds:
        """99th percentile of latency where the mean is latency_s and the load is that of ln_c on the host."""
        ratio = np.exp(np.interp(ln_c, self.ln_c, self.log_ratio))
        spread = np.exp(Z90 * self.log_sd)
        mid = latency_s.mid * ratio
        return Bounds(
            low=latency_s.low * np.maximum(ratio / spread, 1.0),
            mid=mid,
            high=np.maximum(latency_s.high * ratio * spread, mid),
        )


def fit_tail(points: Points) -> TailModel:
    """Median log ratio at each measured concurrency, and its spread (at least 10 %: a p99 of few samples)."""
    ladder = np.unique(points.concurrency)
    logs = np.log(points.p99_ratio)
    medians = np.array([np.median(logs[points.concurrency == c]) for c in ladder])
    spread = float(np.std(logs - np.interp(np.log(points.concurrency), np.log(ladder), medians)))
    return TailModel(ln_c=np.log(ladder), log_ratio=medians, log_sd=max(0.1, spread))
