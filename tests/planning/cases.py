"""Small deterministic inputs for the planning tests: an analytic model, datasets by numbers, problems."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from planner.catalogue.instances import InstanceType
from planner.catalogue.prices import Price
from planner.interval import Interval
from planner.performance.prediction import BOTTLENECKS, Bounds, Columns
from planner.planning.evaluate import Problem
from planner.planning.makespan import layout
from planner.planning.rates import Caps, Offer, column, rates
from planner.planning.space import Floats, Ints, Packing, every_packing, settings, undominated
from planner.planning.startup import Startup, on_types, startup
from planner.records.dataset import Dataset, InputObject, RecordSizes


@dataclass(frozen=True)
class AnalyticModel:
    """Requests of b records take s0 + s1 b seconds on a host core; c of them run side by side up to the cores."""

    s0: float = 2e-3
    s1: float = 1e-4
    error: float = 0.1
    """Log half-width of throughput."""
    memory_bytes_per_worker: float = 2e8
    memory_bytes_per_record: float = 1e3

    def workers_on(self, vcpus: int) -> int:
        return vcpus

    def predict_columns(
        self,
        *,
        records_per_request: Floats,
        concurrency: Ints,
        vcpus: Ints,
        latency_speed: Bounds,
        capacity_cores: Bounds,
        workers: Ints,
    ) -> Columns:
        busy_s = self.s0 + self.s1 * records_per_request
        mid = np.minimum(concurrency * latency_speed.mid, np.minimum(workers, capacity_cores.mid)) / busy_s
        spread = np.exp(self.error + 0.01 * np.log(records_per_request + 1) + 0 * mid)
        latency = concurrency / mid
        memory = workers * self.memory_bytes_per_worker + concurrency * records_per_request * (
            self.memory_bytes_per_record
        )
        throughput = mid * records_per_request

        def around(value: Floats) -> Bounds:
            return Bounds(low=value / spread, mid=value, high=value * spread)

        return Columns(
            throughput_records_per_s=around(throughput),
            latency_s=around(latency),
            latency_p99_s=around(1.5 * latency),
            cpu_s_per_record=around(busy_s / records_per_request + 0 * mid),
            memory_bytes=around(memory + 0 * mid),
            bottleneck=np.full(mid.shape, BOTTLENECKS.index("cpu"), dtype=np.int8),
            extrapolated=np.zeros(mid.shape, dtype=np.bool_),
        )


def kind(name: str, vcpus: int = 4, memory_gib: float = 16.0, gbps: float | None = None) -> InstanceType:
    """An instance type of a made-up family."""
    return InstanceType(
        name=name,
        family=name.split(".")[1],
        size=name.split(".")[2],
        vcpus=vcpus,
        physical_cores=max(1, vcpus // 2),
        memory_gib=memory_gib,
        processor="made up",
        simd=(),
        accelerator=None,
        network_baseline_gbps=gbps,
    )


def offer(name: str, usd_per_hour: float, *, vcpus: int = 4, memory_gib: float = 16.0, speed: float = 1.0) -> Offer:
    """A priced type whose cores are `speed` times as fast as the host's."""
    return Offer(
        kind=kind(name, vcpus, memory_gib),
        price=Price(
            instance_type=name, region="r", usd_per_hour=usd_per_hour, basis="observed", source="test", date="undated"
        ),
        latency_speed=Interval.from_log_sd(speed, 0.05),
        capacity_cores=Interval.from_log_sd(speed * vcpus * 0.6, 0.1),
        workers=vcpus,
    )


def dataset(objects: Sequence[InputObject], split_type: str = "Line") -> Dataset:
    """A dataset of these objects, its request counts not scanned."""
    records = sum(o.records * o.copies for o in objects)
    total_bytes = sum(o.payload_bytes * o.copies for o in objects)
    mean = total_bytes // max(1, records)
    return Dataset(
        input="described",
        split_type=split_type,  # type: ignore[arg-type]
        objects=tuple(objects),
        record_sizes=RecordSizes(
            count=records, total_bytes=total_bytes, smallest=1, largest=max(1, mean), quantiles=((0.5, mean),)
        ),
    )


def run(records: int, record_bytes: int = 1000, copies: int = 1, key: str = "a") -> InputObject:
    """A run of equal objects."""
    return InputObject(
        key=key,
        stored_bytes=records * record_bytes,
        payload_bytes=records * record_bytes,
        records=records,
        largest_record_bytes=record_bytes,
        copies=copies,
    )


def problem(
    data: Dataset,
    offers: Sequence[Offer],
    *,
    model: AnalyticModel | None = None,
    max_count: int = 8,
    times: Startup | None = None,
    packings: Sequence[Packing] | None = None,
    caps: Caps | None = None,
    quota: Sequence[int] | None = None,
) -> Problem:
    """The arrays of a small problem; all undominated packings unless some are named."""
    columns = settings(tuple(undominated(every_packing(data)) if packings is None else packings))
    limits = caps or Caps(
        longest_request_s=60.0,
        response_limit_bytes=None,
        stored_bytes_per_record=data.payload_bytes / max(1, data.records),
        response_bytes_per_record=10.0,
    )
    speed = column([o.latency_speed for o in offers])
    before, billed = on_types(times or startup(20.0), speed)
    return Problem(
        names=tuple(o.kind.name for o in offers),
        workers=np.array([o.workers for o in offers]),
        usd_per_hour=np.array([o.price.usd_per_hour for o in offers]),
        startup=before,
        billed_startup=billed,
        settings=columns,
        rates=rates(model or AnalyticModel(), offers, columns, limits),
        layout=layout(data.objects, max_count),
        quota=np.full(len(offers), max_count) if quota is None else np.array(quota),
    )
