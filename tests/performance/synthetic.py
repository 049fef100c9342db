"""Profiles of servers whose law is known: what the model is judged on before any real server.

`synthetic_profile` plays a closed loop against a server given by its costs and returns a Profile as the
profiler would write it. Deterministic: the same arguments give the same document.

    symbol   meaning
    D(b)     CPU seconds of a request, at the profiled host's speed
    W(b)     seconds a request waits on something that is not the CPU, holding its worker
    L(b)     seconds inside the one lock (part of D when `lock_on_cpu`, else part of W)
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from planner.container.contract import ContainerDescription, Limits
from planner.interval import Interval
from planner.performance import Bounds, PerformanceModel
from planner.performance.prediction import Columns
from planner.profiling.profile import Host, Measurement, Payload, Profile

GRID = ((1, 1), (1, 8), (4, 2), (16, 1), (16, 4), (64, 2), (64, 8), (256, 1), (256, 4), (512, 2), (512, 8), (4, 8))
"""Twelve (records per request, concurrency) points that reach every corner."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A server's true costs, as functions of records per request."""

    cpu_s: Callable[[float], float]
    waiting_s: Callable[[float], float] = lambda _: 0.0
    lock_s: Callable[[float], float] = lambda _: 0.0
    workers: int | None = 2
    slots: float = 2.0
    """Requests in progress at once; workers, or a hidden limit."""
    degradation: float = 0.0
    """Growth of the spacing per request in flight beyond the slots."""

    def requests_per_s(self, records: float, concurrency: float, cpus: float) -> float:
        """The true rate: repairman-like closed network, exact MVA over CPU, lock, waiting and admission."""
        cpu, waiting, lock = self.cpu_s(records), self.waiting_s(records), self.lock_s(records)
        admitted = min(concurrency, self.slots)
        alone = max(cpu, cpu / cpus) + waiting + lock
        smooth = (alone / admitted) ** 8 + (cpu / cpus) ** 8 + lock**8
        overload = 1 + self.degradation * max(0.0, concurrency - self.slots)
        return 1 / (float(smooth**0.125) * overload)


def prefork(*, fixed_s: float = 1e-3, record_s: float = 50e-6, workers: int = 2) -> Server:
    """CPU-bound worker processes, one request each."""
    return Server(cpu_s=lambda b: fixed_s + record_s * b, workers=workers, slots=workers)


def waiting(*, fixed_s: float = 20e-3, slots: int = 4) -> Server:
    """Waits on something else; a hidden limit on requests in progress."""
    return Server(cpu_s=lambda b: 2e-4 + 2e-6 * b, waiting_s=lambda b: fixed_s + 1e-5 * b, workers=1, slots=slots)


def locked(*, lock_record_s: float = 40e-6) -> Server:
    """Threads that take turns at one lock for most of the request."""
    return Server(cpu_s=lambda b: 3e-4 + 5e-6 * b, lock_s=lambda b: 5e-4 + lock_record_s * b, workers=None, slots=16)


def kernel(*, knee: float = 32) -> Server:
    """A batched kernel: nearly free up to the knee, linear after it."""
    return Server(cpu_s=lambda b: 2e-3 + 2e-6 * b + 6e-5 * max(0.0, b - knee), workers=2, slots=2)


def degrading() -> Server:
    """Worker processes that hinder each other when more requests wait."""
    return Server(cpu_s=lambda b: 1e-3 + 3e-5 * b, workers=2, slots=2, degradation=0.06)


SERVERS: dict[str, Server] = {
    "prefork": prefork(),
    "waiting": waiting(),
    "locked": locked(),
    "kernel": kernel(),
    "degrading": degrading(),
}


def synthetic_profile(
    server: Server | None = None,
    *,
    points: Sequence[tuple[int, int]] = GRID,
    cpus: Sequence[float] = (2.0,),
    noise: float = 0.02,
    seed: int = 0,
    record_bytes: float = 100.0,
    response_record_bytes: float = 8.0,
    idle_memory_bytes: int = 200 * 2**20,
    worker_record_bytes: float = 2000.0,
    cpu_visible: bool = True,
    memory_visible: bool = True,
    cpu_model: str = "Synthetic CPU @ 3.0 GHz",
) -> Profile:
    """The profile of a server with known costs (default: two pre-forked workers), with seeded noise."""
    server = prefork() if server is None else server
    random = np.random.default_rng(seed)
    measurements: list[Measurement] = []
    for limit in cpus:
        for records, concurrency in points:
            rate = server.requests_per_s(records, concurrency, limit) * math.exp(noise * random.standard_normal())
            memory = idle_memory_bytes + worker_record_bytes * records * min(concurrency, server.slots)
            measurements.append(
                _measurement(
                    records=records,
                    concurrency=concurrency,
                    cpus=limit,
                    rate=rate,
                    random=random,
                    workers=server.workers,
                    cpu_s_per_request=server.cpu_s(records) if cpu_visible else None,
                    memory=int(memory) if memory_visible else None,
                    request_bytes=20 + record_bytes * records,
                    response_bytes=2 + response_record_bytes * records,
                    started_at_s=2.0 * len(measurements),
                )
            )
    return Profile(
        created_at="2026-01-01T00:00:00+00:00",
        host=Host(
            cpu_model=cpu_model,
            logical_cpus=int(max(cpus)),
            physical_cores=int(max(cpus)),
            memory_bytes=8 * 2**30,
            system="Linux",
        ),
        container=ContainerDescription(
            backend="process",
            target="synthetic",
            environment={},
            limits=Limits(cpus=max(cpus)),
            workers=server.workers,
            worker_variable="SAGEMAKER_MODEL_SERVER_WORKERS",
        ),
        usage_source="cgroup-v2" if cpu_visible else None,
        payload=Payload(
            source="synthetic",
            digest="0" * 64,
            content_type="application/jsonlines",
            split_type="Line",
            records=1000,
            bytes=int(1000 * record_bytes),
            largest_record_bytes=int(2 * record_bytes),
        ),
        startup_s=2.0,
        idle_memory_bytes=idle_memory_bytes if memory_visible else None,
        measurements=tuple(measurements),
    )


def on_the_host(model: PerformanceModel, points: Sequence[tuple[int, int]]) -> Columns:
    """What the model foretells of (records per request, concurrency) on the profiled host."""
    one, capacity = np.array(1.0), np.array(model.host_capacity_cores)
    return model.predict_columns(
        records_per_request=np.array([records for records, _ in points]),
        concurrency=np.array([concurrency for _, concurrency in points]),
        vcpus=np.array(model.host_cpus),
        latency_speed=Bounds(low=one, mid=one, high=one),
        capacity_cores=Bounds(low=capacity, mid=capacity, high=capacity),
    )


def _measurement(
    *,
    records: int,
    concurrency: int,
    cpus: float,
    rate: float,
    random: np.random.Generator,
    workers: int | None,
    cpu_s_per_request: float | None,
    memory: int | None,
    request_bytes: float,
    response_bytes: float,
    started_at_s: float,
) -> Measurement:
    """One row: samples whose mean obeys Little's law, and a window of two seconds or 30 completions."""
    requests = max(30, min(400, int(rate * 2)))
    shape = random.gamma(25.0, 1 / 25.0, requests)
    latency = concurrency / rate * shape / shape.mean()
    throughput = rate * records
    return Measurement(
        records_per_request=records,
        concurrency=concurrency,
        cpus=cpus,
        workers=workers,
        started_at_s=started_at_s,
        duration_s=requests / rate,
        warmup_s=0.2,
        warmup_requests=5,
        requests=requests,
        errors=0,
        throughput_records_per_s=throughput,
        throughput_interval_records_per_s=Interval.from_log_sd(throughput, 0.01),
        latency_s=tuple(float(value) for value in latency),
        cpu_s=None if cpu_s_per_request is None else cpu_s_per_request * requests,
        memory_peak_bytes=memory,
        request_bytes=request_bytes,
        response_bytes=response_bytes,
    )
