"""Profile -> PerformanceModel: predictions for many points on many machines at once.

On a target with vCPUs v, workers K', speed s of one busy thread and capacity C (both against the profiled host)
each time of the profiled server moves by its cause (planner.performance.limits), and

    1/X = law(S'(b)/c, Q'(b), c') · exp(-E(b, c'))      latency = c/X (Little's law)

where c' = c · (S/Q) / (S'/Q') is the concurrency that loads the profiled host as c loads the target: what was
learnt at "one request per worker" is used at one request per worker. `extrapolated` is said of b and c' against
the measured hull; the step to another machine is no extrapolation of the server but of the hardware, and its
spread (planner.performance.hardware) is inside the interval, with GROWTH_CPUS per doubling of CPUs besides, and so is
what the profile leaves open of how many CPUs the server can use (planner.performance.turns).
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from planner.interval import Z90
from planner.performance.host import HostModel, fit_host
from planner.performance.intervals import GROWTH_CPUS
from planner.performance.memory import MemoryModel, fit_memory
from planner.performance.points import Points, points_of, usable
from planner.performance.prediction import Bounds, Columns, Floats
from planner.performance.service import Line, fit_line
from planner.performance.tail import TailModel, fit_tail
from planner.performance.transfer import Reading, Target, Times, bottleneck, like_concurrency, times_on
from planner.performance.turns import parallelism
from planner.profiling.profile import Profile

_EDGE: Final = float(np.log(1.05))
"""A point within 5 % of the measured range is not called extrapolation."""
_DOUBTFUL: Final = 0.03
"""Log standard deviation: a little more than a quiet machine repeats within."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PerformanceModel:
    """How one server behaves, where it was measured and elsewhere."""

    host: HostModel
    memory: MemoryModel | None
    tail: TailModel
    request_bytes: Line
    response_bytes: Line

    @classmethod
    def fit(cls, profile: Profile) -> "PerformanceModel":
        """The model of a profile.

        Raises ProfileError, with what to measure, when there are too few usable points.
        """
        points = _at_one_worker_setting(points_of(profile))
        counts = points.workers[np.argmax(points.cpus)]
        workers = None if np.isnan(counts) else float(counts)
        rows = usable(profile)
        records = np.array([row.records_per_request for row in rows], float)
        return cls(
            host=fit_host(points, workers, parallelism(rows, float(points.cpus.max()), workers=workers)),
            memory=fit_memory(profile, workers),
            tail=fit_tail(points.keep(points.cpus == points.cpus.max())),  # a quota's halts are no tail of the server
            request_bytes=fit_line(records, np.array([max(row.request_bytes, 1.0) for row in rows])),
            response_bytes=fit_line(records, np.array([max(row.response_bytes, 1.0) for row in rows])),
        )

    @property
    def host_cpus(self) -> float:
        """CPUs that the container had; the most, where several limits were measured."""
        return self.host.cpus

    @property
    def host_capacity_cores(self) -> float:
        """Throughput of the profiled host with all its CPUs busy, in units of one busy thread."""
        return self.host.capacity_cores

    def capacity_cores_at(self, cpus: float) -> float:
        """The same with another number of the host's CPUs.

        Below the profiled CPUs as measured at several CPU limits, else straight from one busy thread to all of
        them; above, in proportion.
        """
        here, most = self.host.capacity_cores, self.host.cpus
        if cpus >= most:
            return here * cpus / most
        if self.host.serial_share is not None:
            return here / (self.host.serial_share + (1 - self.host.serial_share) * most / cpus)
        return cpus if cpus <= 1 else 1 + (here - 1) * (cpus - 1) / (most - 1)

    @property
    def workers(self) -> int | None:
        """Worker processes while profiling; None where not known."""
        return None if self.host.workers is None else int(self.host.workers)

    @property
    def measured_records_per_request(self) -> tuple[int, int]:
        """Smallest and largest measured."""
        measured = self.host.points.records_per_request
        return int(measured.min()), int(measured.max())

    @property
    def measured_cpus(self) -> tuple[float, float]:
        """Least and most CPUs measured."""
        measured = self.host.points.cpus
        return float(measured.min()), float(measured.max())

    @property
    def measured_concurrency(self) -> tuple[int, int]:
        """Smallest and largest measured."""
        measured = self.host.points.concurrency
        return int(measured.min()), int(measured.max())

    @property
    def request_bytes_per_record(self) -> float:
        """Bytes that one more record adds to a request."""
        return self.request_bytes.per_record

    @property
    def response_bytes_per_record(self) -> float:
        """Bytes that one more record adds to a response."""
        return self.response_bytes.per_record

    @property
    def disturbed_points(self) -> tuple[int, int]:
        """Points whose rate other programs lowered by an unknown amount that matters, and all points."""
        return int(np.sum(self.host.points.doubt > _DOUBTFUL)), len(self.host.points)

    @property
    def session_log_sd(self) -> float:
        """What all rates of the profile are off by together on a machine whose speed changes; 0 on a quiet one."""
        return float(np.median(self.host.points.session))

    def workers_on(self, vcpus: float) -> int:
        """Workers to run on a machine with that many vCPUs: as many a vCPU as were profiled, at least 1.

        Where the profile does not know its workers, one a vCPU.
        """
        return int(self._workers(np.array(float(vcpus))))

    def _workers(self, vcpus: Floats) -> Floats:
        share = 1.0 if self.host.workers is None else self.host.workers / self.host.cpus
        return np.maximum(1.0, np.floor(vcpus * share + 0.5))

    def predict_columns(  # noqa: PLR0917 - positional as well, the order is the broadcast's: point, then machine
        self,
        records_per_request: NDArray[np.int_] | Floats,
        concurrency: NDArray[np.int_] | Floats,
        vcpus: NDArray[np.int_] | Floats,
        latency_speed: Bounds,
        capacity_cores: Bounds,
        workers: NDArray[np.int_] | Floats | None = None,
    ) -> Columns:
        """Predictions for every point of the broadcast arguments (types x payloads x concurrencies).

        latency_speed: speed of one busy thread relative to the profiled host. capacity_cores: throughput with all
        vCPUs busy in units of one busy thread of the profiled host; of that host itself `host_capacity_cores`.
        `workers`: worker processes on the target, `workers_on(vcpus)` when not given (or NaN). Leave the
        arguments unbroadcast: what depends on one axis is then computed once for it.
        """
        b, c, v = (np.asarray(value, dtype=np.float64) for value in (records_per_request, concurrency, vcpus))
        k = self._workers(v)
        if workers is not None:
            given = np.asarray(workers, dtype=np.float64)
            k = np.where(np.isnan(given), k, given)
        curves = self.host.table.at(b)

        def times(speed: Floats, capacity: Floats, reading: Reading = "likely") -> Times:
            target = Target(vcpus=v, workers=k, latency_speed=speed, capacity_cores=capacity)
            return times_on(self.host, curves, c, target, reading)

        def seconds(speed: Floats, capacity: Floats, reading: Reading = "likely") -> Floats:
            moved = times(speed, capacity, reading)
            return moved.seconds_per_request(like_concurrency(curves, moved), self.host.sharpness)

        middle = times(latency_speed.mid, capacity_cores.mid)
        like_b, like_c = np.log(b), like_concurrency(curves, middle)
        mid = middle.seconds_per_request(like_c, self.host.sharpness)
        rate = np.exp(self.host.correction.at(like_b, like_c)) / mid
        more_cpus = GROWTH_CPUS * Z90 * np.sqrt(np.maximum(np.log2(v / self.host.cpus), 0.0))
        slower = np.hypot(self.host.slower.at(like_b, like_c), more_cpus)
        faster = np.hypot(self.host.faster.at(like_b, like_c), more_cpus)
        if not (_exact(latency_speed) and _exact(capacity_cores)):
            slower = np.hypot(slower, np.log(seconds(latency_speed.low, capacity_cores.low) / mid))
            faster = np.hypot(faster, np.log(mid / seconds(latency_speed.high, capacity_cores.high)))
        if not self.host.growth_is_known:  # bounds, not spreads: the rest comes on top
            slower = slower + np.log(seconds(latency_speed.mid, capacity_cores.mid, "slow") / mid)
            faster = faster + np.log(mid / seconds(latency_speed.mid, capacity_cores.mid, "fast"))
        requests = Bounds(low=rate * np.exp(-slower), mid=rate, high=rate * np.exp(faster))
        latency = Bounds(low=c / requests.high, mid=c / rate, high=c / requests.low)
        hull = self.host.hull
        extrapolated = (hull.records.outside(like_b) > _EDGE) | (hull.concurrency.outside(like_c) > _EDGE)
        return Columns(
            throughput_records_per_s=Bounds(low=b * requests.low, mid=b * rate, high=b * requests.high),
            latency_s=latency,
            latency_p99_s=self.tail.predict(latency, like_c),
            cpu_s_per_record=self._cpu(b, like_c, latency_speed, capacity_cores.mid / (rate * b)),
            memory_bytes=self._memory(b, c, k, rate.shape),
            bottleneck=bottleneck(curves, c, middle, rate.shape),
            extrapolated=np.broadcast_to(extrapolated, rate.shape),
        )

    def _cpu(self, b: Floats, like_c: Floats, speed: Bounds, most: Floats) -> Bounds:
        """CPU seconds per record: measured, at the target's speed, never more than `most`, all that it has."""
        alone, loaded = self.host.cpu_alone, self.host.cpu_loaded
        if alone is None or loaded is None:
            unseen = np.broadcast_to(np.float64(np.nan), most.shape)
            return Bounds(low=unseen, mid=unseen, high=unseen)
        part = np.minimum(like_c / max(float(self.host.hull.concurrency.values[-1]), 1e-9), 1.0)
        here = (alone.at(b) * (1 - part) + loaded.at(b) * part) / b
        spread = float(np.exp(Z90 * max(alone.log_sd, loaded.log_sd, 0.03)))
        mid = np.minimum(here, most) / speed.mid
        return Bounds(
            low=np.minimum(here / (spread * speed.high), mid),
            mid=mid,
            high=np.maximum(here * spread / speed.low, mid),
        )

    def _memory(self, b: Floats, c: Floats, k: Floats, shape: tuple[int, ...]) -> Bounds:
        """Peak memory; NaN where the profile could not see it."""
        if self.memory is None:
            unseen = np.broadcast_to(np.float64(np.nan), shape)
            return Bounds(low=unseen, mid=unseen, high=unseen)
        held = self.memory.predict(records_per_request=b, concurrency=c, workers=k)
        return Bounds(
            low=np.broadcast_to(held.low, shape),
            mid=np.broadcast_to(held.mid, shape),
            high=np.broadcast_to(held.high, shape),
        )


def _at_one_worker_setting(points: Points) -> Points:
    """The points measured at the commonest workers per CPU limit, where that was varied as well."""
    known = points.workers[~np.isnan(points.workers)]
    if len(np.unique(known)) <= 1:
        return points
    values, counts = np.unique(known, return_counts=True)
    chosen = points.keep(points.workers == values[np.argmax(counts)])
    return chosen if len(chosen) >= 4 else points


def _exact(bounds: Bounds) -> bool:
    return bool(np.array_equal(bounds.low, bounds.high))
