"""Profile -> arrays: one row per measured point, replicates merged, each with its noise on the log scale.

symbol   meaning                                              unit
b        records per request                                  1
c        requests in flight                                   1
p        CPUs that the container could use                    1
X        requests completed per second                        1/s
n        measured points after merging replicates
"""

import math
from collections import defaultdict
from dataclasses import dataclass, fields
from typing import Final

import numpy as np
from numpy.typing import NDArray

from planner.errors import ProfileError
from planner.interval import Z90
from planner.performance.prediction import Floats
from planner.profiling.profile import Measurement, Profile

FEWEST_POINTS: Final = 4
"""Fewer distinct points than this leave service time and limit both open."""
FEWEST_REQUESTS: Final = 3
"""A window with fewer completions says little about a rate."""
REPEATABILITY: Final = 0.015
"""Log standard deviation between two runs of one point that a single window cannot see (drift, placement).
Median disagreement of repeated 2 s windows over ten servers was 1.5 %."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Points:
    """The measured points; every array has shape (n,)."""

    records_per_request: Floats
    concurrency: Floats
    cpus: Floats
    workers: Floats
    """NaN where the number of workers is not known."""
    log_requests_per_s: Floats
    noise: Floats
    """Standard deviation of log_requests_per_s from one run to the next."""
    cpu_s_per_request: Floats
    """NaN where CPU use was not visible."""
    p99_ratio: Floats
    """99th percentile of latency over its mean."""

    def __len__(self) -> int:
        return len(self.records_per_request)

    def keep(self, chosen: NDArray[np.bool_]) -> "Points":
        """The points where chosen is true."""
        return Points(**{field.name: getattr(self, field.name)[chosen] for field in fields(self)})


def usable(profile: Profile) -> list[Measurement]:
    """Measurements that carry a rate: enough completions, and not mostly errors."""
    return [
        row
        for row in profile.measurements
        if row.requests >= FEWEST_REQUESTS and row.latency_s and row.throughput_records_per_s > 0
        if row.errors <= row.requests
    ]


def points_of(profile: Profile) -> Points:
    """The profile's usable points, replicates merged.

    Raises ProfileError, saying what to measure, when there are fewer than FEWEST_POINTS distinct ones or
    when neither records per request nor concurrency was varied.
    """
    groups: dict[tuple[int, int, float, int | None], list[Measurement]] = defaultdict(list)
    for row in usable(profile):
        workers = row.workers if row.workers is not None else profile.container.workers
        groups[row.records_per_request, row.concurrency, row.cpus, workers].append(row)
    batches = {key[0] for key in groups}
    ladder = {key[1] for key in groups}
    if len(groups) < FEWEST_POINTS or (len(batches) == 1 and len(ladder) == 1):
        raise ProfileError(
            f"the profile has {len(groups)} usable points ({len(batches)} different records per request, "
            f"{len(ladder)} different concurrencies) of {len(profile.measurements)} measurements; a model needs at "
            f"least {FEWEST_POINTS}: measure two values of each or more, for instance "
            "planner profile ... --time-budget 60s"
        )
    merged = [_merged(rows) for rows in groups.values()]
    keys = np.array([[b, c, p, np.nan if k is None else k] for b, c, p, k in groups], dtype=np.float64)
    rows = np.array(merged, dtype=np.float64)
    return Points(
        records_per_request=keys[:, 0],
        concurrency=keys[:, 1],
        cpus=keys[:, 2],
        workers=keys[:, 3],
        log_requests_per_s=rows[:, 0],
        noise=rows[:, 1],
        cpu_s_per_request=rows[:, 2],
        p99_ratio=rows[:, 3],
    )


def _merged(rows: list[Measurement]) -> tuple[float, float, float, float]:
    """Mean log rate, its noise, CPU seconds per request and p99 ratio of the replicates of one point."""
    log_rate = float(np.mean([math.log(row.throughput_requests_per_s) for row in rows]))
    window = float(np.mean([_window_noise(row) ** 2 for row in rows]))
    noise = math.sqrt((window + REPEATABILITY**2) / len(rows))
    seen = [row.cpu_s / row.requests for row in rows if row.cpu_s is not None]
    cpu_s = float(np.mean(seen)) if seen else math.nan
    latencies = np.concatenate([np.asarray(row.latency_s) / row.mean_latency_s for row in rows])
    return log_rate, noise, cpu_s, max(1.0, float(np.quantile(latencies, 0.99)))


def _window_noise(row: Measurement) -> float:
    """Log standard deviation of the rate within its window, from its own 90 % interval."""
    interval = row.throughput_interval_records_per_s
    if interval.low <= 0:
        return 0.5
    return min(0.5, math.log(interval.high / interval.low) / (2 * Z90))
