"""Which other settings one profile is measured at, CPU limits and worker counts, and a few points at each.

The settings make a cross through the base: the base has the most CPUs and is measured over the whole plane; each
other CPU limit is measured with the base's workers, each other worker count with the base's CPUs. So one thing differs
at a time, which is what a model can be fitted to.

symbol   meaning
b*       a large request: the least records per request that reach ALIKE of the base's best throughput
k        workers (or CPUs, where workers are not known)
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from planner.campaign.points import Point
from planner.container.contract import ContainerDescription
from planner.errors import ContainerLimitError
from planner.profiling.profile import Measurement

POINTS_EACH: Final = 4
"""At each other setting; a plan takes a worker count that has as many and that the model foretells."""
ALIKE: Final = 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One way to run the container."""

    cpus: float | None
    """CPU limit; None: none."""
    workers: int | None
    """Worker processes; None: not known."""
    environment: Mapping[str, str]
    """Variables on top of those that were given."""

    def __str__(self) -> str:
        parts = ["all CPUs" if self.cpus is None else f"{self.cpus:g} CPU{'s' if self.cpus > 1 else ''}"]
        if self.workers is not None:
            parts.append(f"{self.workers} worker{'s' if self.workers > 1 else ''}")
        return ", ".join(parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cross:
    """The base setting and the others."""

    base: Setting
    others: tuple[Setting, ...]


def cross(about: ContainerDescription, cpus: Sequence[float], workers: Sequence[int]) -> Cross:
    """The settings to measure; `about` is the container with the most CPUs and otherwise as it was given.

    The base runs the container's own number of workers if that is listed, else the listed one nearest to it in
    proportion. Raises ContainerLimitError for workers where the variable that sets them is not known.
    """
    own, variable = about.workers, about.worker_variable
    if workers and (variable is None or own is None):
        raise ContainerLimitError(
            f"the worker processes of {about.backend} {about.target} cannot be set: which environment variable does "
            "that is not known. If it reads SAGEMAKER_MODEL_SERVER_WORKERS, say so with --env "
            "SAGEMAKER_MODEL_SERVER_WORKERS=N; other variables are tried with --tune NAME=1,2,4."
        )
    most = max(cpus, default=about.limits.cpus)
    base_workers = own
    if workers and own is not None and own not in workers:
        base_workers = min(workers, key=lambda count: (abs(math.log(count / own)), count))

    def setting(limit: float | None, count: int | None, *, is_said: bool) -> Setting:
        told = {variable: str(count)} if is_said and variable is not None and count is not None else {}
        return Setting(cpus=limit, workers=count, environment=told)

    smaller = [setting(limit, base_workers, is_said=True) for limit in sorted(set(cpus), reverse=True) if limit != most]
    otherwise = [setting(most, count, is_said=True) for count in sorted(set(workers)) if count != base_workers]
    return Cross(base=setting(most, base_workers, is_said=base_workers != own), others=(*smaller, *otherwise))


def large_request(rows: Sequence[Measurement]) -> int:
    """b* of the base's measurements."""
    best = max(row.throughput_records_per_s for row in rows)
    return min(row.records_per_request for row in rows if row.throughput_records_per_s >= ALIKE * best)


def section_points(large: int, workers: int) -> tuple[Point, ...]:
    """POINTS_EACH points of one setting: large requests with k and 2 k in flight, single records with 1 and 2 k."""
    k = workers
    places = [(large, k), (large, 2 * k), (1, 1), (1, 2 * k), (1, k), (large, 1), (large, 4 * k), (large, 8 * k)]
    distinct = list(dict.fromkeys(places))[:POINTS_EACH]
    return tuple(Point(records_per_request=b, concurrency=c) for b, c in distinct)
