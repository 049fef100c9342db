"""The profiled server on another machine: how each of its times moves, and what binds there.

Each part of the spacing moves by its cause (planner.performance.limits). The concurrency c' that loads the
profiled host as c loads the target is c · (S/Q) / (S'/Q'): places used over places there are.
"""

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from planner.performance.curves import Curves
from planner.performance.host import HostModel
from planner.performance.limits import busy_speed
from planner.performance.prediction import BOTTLENECKS, Floats
from planner.performance.scaling import seconds_per_request

Reading: TypeAlias = Literal["likely", "fast", "slow"]
"""Of what the profile leaves open, how many CPUs the server can use and whether its CPU time grows with them: what is
likely, and the most and the least that it may come to."""
_TIE: Final = 0.9
"""CPUs this near to binding are called the limit."""
_SERIAL_PLACES: Final = 1.7
"""S/Q below this: hardly more than one request makes progress at once, as with a lock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A machine to predict for; arrays that broadcast with the question."""

    vcpus: Floats
    workers: Floats
    latency_speed: Floats
    """Speed of one busy thread relative to the profiled host."""
    capacity_cores: Floats
    """Throughput with all vCPUs busy, in units of one busy thread of the profiled host."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """The parts of 1/X on a target: S'/c and the three parts of Q', in seconds."""

    unsaturated_s: Floats
    cpu_s: Floats
    slots_s: Floats
    serial_s: Floats

    @property
    def spacing_s(self) -> Floats:
        """Q': the largest part."""
        return np.maximum(np.maximum(self.cpu_s, self.slots_s), self.serial_s)

    def seconds_per_request(self, ln_like: Floats, sharpness: float) -> Floats:
        """1/X before the correction, with ln c': with more places than the host, queueing begins at more in flight."""
        return seconds_per_request(self.unsaturated_s, self.spacing_s, np.exp(ln_like), sharpness)


def times_on(
    host: HostModel, curves: Curves, concurrency: Floats, target: Target, reading: Reading = "likely"
) -> Times:
    """S'/c and the parts of Q' on a target.

    Time on the CPU shrinks with the speed of a busy thread, time spent waiting does not. CPUs that threads take turns
    on are those of one worker process where workers are known, else of the whole server.
    """
    share, speed, capacity = curves.on_cpu_share, target.latency_speed, target.capacity_cores
    places = concurrency if host.workers is None else np.minimum(concurrency, target.workers)
    loaded = busy_speed(places * curves.cores, vcpus=target.vcpus, latency_speed=speed, capacity_cores=capacity)
    stretched = share / loaded + (1 - share)
    grown = np.ones_like(target.vcpus) if host.workers is None else target.workers / host.workers
    turns = _turns(curves, reading) / speed / grown
    if reading == "slow":
        turns = turns * np.where(target.vcpus > host.cpus, host.parallelism.handover, 1.0)
    serial = curves.serial_limit_s * (share / speed + (1 - share))
    slots = curves.slots_limit_s / grown * stretched
    return Times(
        unsaturated_s=curves.service_s * stretched / concurrency,
        cpu_s=curves.cpu_limit_s * _cpu_growth(host, target, reading),
        slots_s=slots if host.workers is None else np.maximum(slots, turns),
        serial_s=np.maximum(serial, turns) if host.workers is None else serial,
    )


def _turns(curves: Curves, reading: Reading) -> Floats:
    match reading:
        case "likely":
            return curves.turns_limit_s
        case "fast":
            return curves.turns_least_s
        case "slow":
            return curves.turns_most_s


def _cpu_growth(host: HostModel, target: Target, reading: Reading) -> Floats:
    """Q' over Q of full CPUs: in proportion to the capacity, or, on more CPUs, with the contention measured below.

    Two CPUs that do less than twice the work of one may contend for something, and four do still less
    (Amdahl: Q'/Q = σ + (1 - σ) · C/C'), or be hyperthreads of one core, and four do twice that. Likely is between.
    """
    plain = host.capacity_cores / target.capacity_cores
    contended = host.contention / target.latency_speed + (1 - host.contention) * plain
    contended = np.maximum(plain, contended)
    match reading:
        case "likely":
            return np.sqrt(plain * contended)
        case "fast":
            return np.broadcast_to(plain, contended.shape)
        case "slow":
            return contended


def like_concurrency(curves: Curves, times: Times) -> Floats:
    """Logarithm of c', at least 0 (one request in flight)."""
    here = curves.spacing_s / curves.service_s
    there = times.spacing_s / times.unsaturated_s
    return np.maximum(np.log(there / here), 0.0)


def bottleneck(curves: Curves, concurrency: Floats, times: Times, shape: tuple[int, ...]) -> NDArray[np.int8]:
    """Index into BOTTLENECKS of what binds: the larger of S'/c and the three parts of Q'.

    Where full workers and full CPUs come to the same it is the CPUs: more workers would not help. A limit shared by
    all workers is "waiting" where several requests are in it at once, mostly off the CPU, else a serial section.
    """
    spacing = times.spacing_s
    places = curves.service_s / np.maximum(np.maximum(curves.serial_limit_s, curves.turns_limit_s), 1e-300)
    waits = (places > _SERIAL_PLACES) & (curves.on_cpu_share < 0.5)
    shared = np.where(waits, BOTTLENECKS.index("waiting"), BOTTLENECKS.index("serial section"))
    saturated = np.where(
        times.cpu_s >= _TIE * spacing,
        BOTTLENECKS.index("cpu"),
        np.where(times.slots_s >= spacing, BOTTLENECKS.index("workers"), shared),
    )
    light = np.where(concurrency <= 1, BOTTLENECKS.index("service time"), BOTTLENECKS.index("concurrency"))
    binding = np.where(times.unsaturated_s > spacing, light, saturated).astype(np.int8)
    return np.broadcast_to(binding, shape)
