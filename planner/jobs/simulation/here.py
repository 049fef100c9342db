"""What the containers of a job on this machine and the runner cost each other: measured before it is simulated.

With the containers themselves and a sample of records where they are given (`local.trial`), else with stand-ins
(`local.side_by_side`).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from planner.container.cpus import available_cpus
from planner.jobs.local.run import OpenInstance
from planner.jobs.local.settings import JobSettings
from planner.jobs.local.side_by_side import StandIn, measure_side_by_side
from planner.jobs.local.trial import Trial, try_containers
from planner.jobs.sharing import SideBySide
from planner.jobs.simulation.requests import ObjectRequests, object_requests
from planner.performance.model import PerformanceModel
from planner.performance.prediction import Bounds, Columns
from planner.profiling.profile import Profile
from planner.records.dataset import BatchStrategy, Dataset

_LONGEST_S: Final = 0.1
"""Requests that take longer are measured as smaller ones of the same kind."""
_MB: Final = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class JobHere:
    """How a data set is sent to containers of this machine."""

    max_payload_mb: int
    max_concurrent_transforms: int
    batch_strategy: BatchStrategy = "MultiRecord"
    instance_count: int = 1
    cpus: float | None = None
    """Of one container; an equal share of whole CPUs, at least 1, when not given."""

    @property
    def cpus_of_each(self) -> float:
        """CPUs of one container."""
        return float(max(1, len(available_cpus()) // self.instance_count)) if self.cpus is None else self.cpus

    def at_work(self, dataset: Dataset) -> int:
        """Containers that get an object or more."""
        return min(self.instance_count, dataset.object_count)

    def requests(self, dataset: Dataset) -> ObjectRequests:
        """What the data set becomes."""
        return object_requests(dataset, self.batch_strategy, self.max_payload_mb)


def side_by_side_here(
    profile: Profile, dataset: Dataset, job: JobHere, *, keeps_connections: bool = True
) -> SideBySide | None:
    """How much the job's containers and the runner slow each other down here; takes about five seconds.

    None for a profile that does not know the container's CPU time. Raises ContainerLimitError for CPUs that this
    machine has not, and ContainerStartError.
    """
    each, requests = job.cpus_of_each, job.requests(dataset)
    what = stand_in_of(
        profile,
        batch_strategy=job.batch_strategy,
        max_concurrent_transforms=job.max_concurrent_transforms,
        records_per_request=requests.total_records / requests.requests,
        record_bytes=dataset.payload_bytes / dataset.records,
        cpus=each,
        keeps_connections=keeps_connections,
    )
    return None if what is None else measure_side_by_side(what, instance_count=job.at_work(dataset), cpus=each)


def tried_here(
    profile: Profile,
    dataset: Dataset,
    job: JobHere,
    open_instance: OpenInstance,
    sample: Path,
    *,
    memory_bytes: int | None = None,
    environment: Mapping[str, str] | None = None,
) -> SideBySide:
    """The same from the job's own containers and sample records; takes about ten seconds.

    It also tells how fast this machine is now at the container's work, which the profile cannot know. `environment`
    is that of the job, the profile's when not given. Raises as `local.trial.try_containers` does.
    """
    each, at_work, requests = job.cpus_of_each, job.at_work(dataset), job.requests(dataset)
    model = PerformanceModel.fit(profile)

    def foretold_per_s(records_per_request: float) -> float:
        columns = _foretold(model, records_per_request, job.max_concurrent_transforms, each)
        return float(columns.throughput_records_per_s.mid) / records_per_request

    trial = Trial(
        open_instance=open_instance,
        sample=sample,
        settings=JobSettings(
            content_type=profile.payload.content_type,
            accept=profile.payload.accept,
            split_type=dataset.split_type,
            assemble_with="Line" if dataset.split_type == "Line" else "None",
            batch_strategy=job.batch_strategy,
            max_payload_mb=job.max_payload_mb,
            max_concurrent_transforms=job.max_concurrent_transforms,
            instance_count=at_work,
            environment=profile.container.environment if environment is None else environment,
        ),
        cpus=each,
        memory_bytes=memory_bytes,
    )
    expected_per_s = foretold_per_s(requests.total_records / requests.requests)
    found = try_containers(trial, expected_requests_per_s=expected_per_s)
    return SideBySide(
        tried="containers",
        instances=at_work,
        cpus=each,
        profiled_requests_per_s=foretold_per_s(found.records_per_request),
        alone_requests_per_s=found.alone_requests_per_s,
        together_requests_per_s=found.together_requests_per_s,
        warming_s=found.warming_s,
        client_cpu_s_per_request=found.client_cpu_s_per_request,
        requests=found.requests,
        keeps_connections=found.keeps_connections,
    )


def _foretold(model: PerformanceModel, records_per_request: float, concurrency: int, cpus: float) -> Columns:
    """One container with so many CPUs of the profiled host."""
    one, capacity = np.array(1.0), np.array(model.capacity_cores_at(cpus))
    return model.predict_columns(
        np.array(records_per_request),
        np.array(float(concurrency)),
        np.array(cpus),
        Bounds(low=one, mid=one, high=one),
        Bounds(low=capacity, mid=capacity, high=capacity),
        None if model.workers is None else np.array(model.workers),
    )


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
    columns = _foretold(PerformanceModel.fit(profile), records_per_request, max_concurrent_transforms, cpus)
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
