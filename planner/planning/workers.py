"""Which numbers of workers per vCPU may be planned with, besides the one that the model was fitted to.

More workers per vCPU than were profiled is extrapolation of the worst kind: it moves memory, contention and the point
at which requests queue all at once, and nothing measured would show a mistake. So another number is planned with only
if the profile measured it too and the model, which is fitted to the commonest number alone, foretells those points:
at least FORETOLD of them inside its own 90 % intervals. Half, a quarter, ... of the profiled number are decided
besides where memory does not hold all (`planner.planning.offers`): fewer workers are the one step that is safe.
"""

from typing import Final

import numpy as np

from planner.performance.model import PerformanceModel
from planner.performance.prediction import Bounds
from planner.profiling.profile import Measurement, Profile

FORETOLD: Final = 0.75
"""Share of the points of a worker number that must lie in the model's 90 % intervals: with the 4 to 12 points that a
number usually has, fewer would be a surprise at the 5 % level if the intervals hold."""
FEWEST_POINTS: Final = 4


def workers_per_cpu(profile: Profile, model: PerformanceModel) -> tuple[float, ...]:
    """The measured numbers of workers per CPU, ascending, that the model foretells without having been fitted to them.

    Empty where the profile knows no workers, or only one number. One worker on half a CPU is not two on one: points
    under a fraction of a CPU do not count.
    """
    groups: dict[float, list[Measurement]] = {}
    for row in profile.measurements:
        if row.workers is not None and row.requests and row.cpus >= 1:
            groups.setdefault(row.workers / row.cpus, []).append(row)
    own = None if model.workers is None else model.workers / model.host_cpus
    return tuple(
        ratio
        for ratio, rows in sorted(groups.items())
        if ratio != own and len(rows) >= FEWEST_POINTS and _share_inside(model, rows) >= FORETOLD
    )


def _share_inside(model: PerformanceModel, rows: list[Measurement]) -> float:
    """Part of the points whose measured throughput lies inside the model's interval for them."""
    cpus = np.array([row.cpus for row in rows])
    predicted = model.predict_columns(
        records_per_request=np.array([row.records_per_request for row in rows]),
        concurrency=np.array([row.concurrency for row in rows]),
        vcpus=cpus,
        latency_speed=_exactly(np.ones(len(rows))),
        capacity_cores=_exactly(np.array([model.capacity_cores_at(float(cpu)) for cpu in cpus])),
        workers=np.array([float(row.workers or 0) for row in rows]),
    ).throughput_records_per_s
    measured = np.array([row.throughput_records_per_s for row in rows])
    return float(np.mean((predicted.low <= measured) & (measured <= predicted.high)))


def _exactly(values: np.ndarray) -> Bounds:
    return Bounds(low=values, mid=values, high=values)
