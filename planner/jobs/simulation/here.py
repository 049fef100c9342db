"""What the containers of a job on this machine and the runner cost each other: measured before it is simulated."""

import math
from typing import Final

import numpy as np

from planner.container.cpus import available_cpus
from planner.jobs.local.side_by_side import StandIn, measure_side_by_side
from planner.jobs.sharing import SideBySide
from planner.jobs.simulation.requests import object_requests
from planner.performance.model import PerformanceModel
from planner.performance.prediction import Bounds
from planner.profiling.profile import Profile
from planner.records.dataset import BatchStrategy, Dataset

_LONGEST_S: Final = 0.1
"""Requests that take longer are measured as smaller ones of the same kind."""
_MB: Final = 2**20


def cpus_of_each(instance_count: int, cpus: float | None) -> float:
    """CPUs of one container: as asked, else an equal share of whole ones, at least 1."""
    return float(max(1, len(available_cpus()) // instance_count)) if cpus is None else cpus


def side_by_side_here(
    profile: Profile,
    dataset: Dataset,
    *,
    batch_strategy: BatchStrategy = "MultiRecord",
    max_payload_mb: int,
    max_concurrent_transforms: int,
    instance_count: int = 1,
    cpus: float | None = None,
    keeps_connections: bool = True,
) -> SideBySide | None:
    """How much the job's containers and the runner slow each other down here; takes about five seconds.

    None for a profile that does not know the container's CPU time. Raises ContainerLimitError for CPUs that this
    machine has not, and ContainerStartError.
    """
    each = cpus_of_each(instance_count, cpus)
    requests = object_requests(dataset, batch_strategy, max_payload_mb)
    what = stand_in_of(
        profile,
        batch_strategy=batch_strategy,
        max_concurrent_transforms=max_concurrent_transforms,
        records_per_request=requests.total_records / requests.requests,
        record_bytes=dataset.payload_bytes / dataset.records,
        cpus=each,
        keeps_connections=keeps_connections,
    )
    at_work = min(instance_count, dataset.object_count)
    return None if what is None else measure_side_by_side(what, instance_count=at_work, cpus=each)


def stand_in_of(
    profile: Profile,
    *,
    batch_strategy: BatchStrategy,
    max_concurrent_transforms: int,
    records_per_request: float,
    record_bytes: float,
    cpus: float,
    keeps_connections: bool,
) -> StandIn | None:
    """What the profile's container does with such requests, on so many CPUs of its host; None without its CPU time.

    A request of several records is measured as a full payload of the next whole number of MB, and one that takes longer
    than 0.1 s as a smaller one, with everything in proportion.
    """
    model, one = PerformanceModel.fit(profile), np.array(1.0)
    capacity = np.array(model.capacity_cores_at(cpus))
    columns = model.predict_columns(
        np.array(records_per_request),
        np.array(float(max_concurrent_transforms)),
        np.array(cpus),
        Bounds(low=one, mid=one, high=one),
        Bounds(low=capacity, mid=capacity, high=capacity),
        None if model.workers is None else np.array(model.workers),
    )
    cpu_s_per_record = float(columns.cpu_s_per_record.mid)
    if not math.isfinite(cpu_s_per_record):
        return None
    requests_per_s = float(columns.throughput_records_per_s.mid) / records_per_request
    part = min(1.0, _LONGEST_S * requests_per_s / max_concurrent_transforms)
    payload_mb = max(1, math.ceil(part * records_per_request * record_bytes / _MB))
    if batch_strategy == "MultiRecord":
        records = float(max(1, payload_mb * _MB // math.ceil(record_bytes)))
        part, sent_bytes = records / records_per_request, record_bytes
    else:
        records, sent_bytes = 1.0, part * record_bytes
    largest = max(profile.measurements, key=lambda row: row.records_per_request)
    return StandIn(
        batch_strategy=batch_strategy,
        max_payload_mb=min(100, payload_mb),
        max_concurrent_transforms=max_concurrent_transforms,
        records_per_request=records,
        record_bytes=sent_bytes,
        response_bytes=part * largest.response_bytes / largest.records_per_request * records_per_request,
        cpu_s_per_request=part * cpu_s_per_record * records_per_request,
        requests_per_s=requests_per_s / part,
        keeps_connections=keeps_connections,
    )
