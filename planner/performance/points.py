"""Profile -> arrays: one row per measured point, replicates merged, each with its noise on the log scale.

Rates are those at one speed of the CPUs (planner.profiling.one_speed), the usual one where that is known, and without
other programs on the machine, as far as CPU accounting tells (planner.performance.contention).

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
from planner.performance.contention import Stolen, Windows, stolen
from planner.performance.prediction import Floats
from planner.profiling.one_speed import at_one_speed
from planner.profiling.profile import Measurement, Profile

FEWEST_POINTS: Final = 4
"""Fewer distinct points than this leave service time and limit both open."""
FEWEST_REQUESTS: Final = 3
"""A window with fewer completions says little about a rate."""
_MOST_NOISE: Final = 0.5
"""Log standard deviation; a point with more says only the order of magnitude."""
_SEVERAL_THREADS: Final = 1.15
"""CPUs kept busy per request in flight above which a request is taken to compute on several at once."""


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
    """Standard deviation of log_requests_per_s: from one run to the next, and the doubt."""
    doubt: Floats
    """The part of the noise that is doubt about what other programs cost."""
    below: Floats
    """How far ln X could well lie below log_requests_per_s, which rests on what other programs are thought to cost."""
    above: Floats
    """How far ln X could well lie above it, had other programs left the CPUs alone."""
    session: Floats
    """Standard deviation of what all points of the session are off by together, on a machine whose speed changes."""
    cpu_s_per_request: Floats
    """NaN where CPU use was not visible."""
    p99_ratio: Floats
    """99th percentile of latency over its mean."""

    def __len__(self) -> int:
        return len(self.records_per_request)

    @property
    def steady_noise(self) -> Floats:
        """The part of the noise that a quiet machine has as well."""
        return np.sqrt(np.maximum(self.noise**2 - self.doubt**2, 0.0))

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
    faster = 0.0 if profile.usual_speed is None else profile.usual_speed.faster
    rows = at_one_speed([row for group in groups.values() for row in group], faster=faster)
    cost = _stolen(profile, rows)
    position = iter(range(len(rows)))
    places = [[next(position) for _ in group] for group in groups.values()]
    merged = [_merged([rows[place] for place in group], cost, group) for group in places]
    keys = np.array([[b, c, p, np.nan if k is None else k] for b, c, p, k in groups], dtype=np.float64)
    columns = np.array(merged, dtype=np.float64)
    return Points(
        records_per_request=keys[:, 0],
        concurrency=keys[:, 1],
        cpus=keys[:, 2],
        workers=keys[:, 3],
        log_requests_per_s=columns[:, 0],
        noise=columns[:, 1],
        doubt=columns[:, 2],
        below=columns[:, 3],
        above=columns[:, 4],
        session=columns[:, 5],
        cpu_s_per_request=columns[:, 6],
        p99_ratio=columns[:, 7],
    )


def _stolen(profile: Profile, rows: list[Measurement]) -> Stolen:
    """What other programs cost each window."""
    rate = np.array([row.throughput_requests_per_s for row in rows])
    in_flight = np.array([float(row.concurrency) for row in rows])
    limit = np.array([row.cpus for row in rows])
    workers = np.array([row.workers or profile.container.workers or math.inf for row in rows], dtype=np.float64)
    client = 0.0 if profile.load_generator is None else profile.load_generator.cpu_s_per_request
    used = np.array([row.cpus_busy or math.nan for row in rows])
    one = float(np.nanmax(used / in_flight, initial=0.0))
    threads = one if one > _SEVERAL_THREADS else 1.0
    return stolen(
        Windows(
            ln_b=np.log([row.records_per_request for row in rows]),
            ln_c=np.log(in_flight),
            used=used,
            others=np.array([row.disturbed_share or 0.0 for row in rows]) * profile.host.logical_cpus,
            client=client * rate,
            most=np.minimum(limit, in_flight * threads),
            in_service=np.minimum(in_flight, workers),
            host_cpus=float(profile.host.logical_cpus),
        )
    )


def _merged(rows: list[Measurement], cost: Stolen, index: list[int]) -> tuple[float, ...]:
    """The columns from log_requests_per_s on, of the replicates of one point: the less noise the more weight."""
    doubt = cost.doubt[index]
    variance = np.array([min(_MOST_NOISE, row.repeat_log_sd) ** 2 for row in rows])
    weight = 1 / (variance + doubt**2)
    weight /= weight.sum()
    seen_rate = np.log([row.throughput_requests_per_s for row in rows])
    noise = math.sqrt(float(weight**2 @ (variance + doubt**2)))
    seen = [row.cpu_s / row.requests for row in rows if row.cpu_s is not None]
    latencies = np.concatenate([np.asarray(row.latency_s) / row.mean_latency_s for row in rows])
    return (
        float(weight @ (seen_rate + cost.mid[index])),
        noise,
        math.sqrt(float(weight**2 @ doubt**2)),
        float(weight @ cost.below[index]),
        float(weight @ cost.above[index]),
        max(row.session_log_sd for row in rows),
        float(np.mean(seen)) if seen else math.nan,
        max(1.0, float(np.quantile(latencies, 0.99))),
    )
