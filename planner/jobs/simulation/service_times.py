"""How long a request takes in the simulated job, and how wrong that may be for all of them together.

    symbol   meaning                                                                       unit
    b        records of the request
    s(b)     its mean latency while c requests are in flight, c/X(b, c) (Little's law)      s
    phi(j)   latency with j in flight over that with c
    shape    latency over mean latency of the profile's kept samples: noise of a request

Level and interval are those of the plan, so that plan and simulation answer one question; the profile adds how latency
grows with b and j, and the shape. Without a profile these three are taken from the plan's own figures and assumptions.
"""

import math
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import Final

import numpy as np

from planner.catalogue.instances import instance_type
from planner.interval import Interval
from planner.performance.model import PerformanceModel
from planner.performance.points import usable
from planner.performance.prediction import Bounds
from planner.planning.offers import SpeedOf, offer_of
from planner.planning.plan import Plan
from planner.planning.rates import LONGEST_INVOCATION_S, Caps, Model, Offer, rates
from planner.planning.recommend import benchmarked
from planner.planning.space import Floats, Packing, settings
from planner.profiling.profile import Measurement, Profile
from planner.records.dataset import Dataset

_SIZES: Final = 64
"""So many records per request are predicted; s(b) between them is read off on logarithmic scales."""
_SHAPE_SAMPLES: Final = 400
"""Latency samples of the measured points nearest to the job's are pooled until there are so many."""
_SHAPE_VALUES: Final = 4096
_Z99: Final = NormalDist().inv_cdf(0.99)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceTimes:
    """What the stations draw from."""

    sizes: Floats
    """(m,) records per request, ascending."""
    seconds: Floats
    """(m,) s(b) of the middle estimate."""
    drain: Floats
    """(c,) phi(1) .. phi(c) = 1; never falling."""
    shape: Floats
    """(p,) mean 1."""
    slower: float
    """Log half-width of the 90 % interval of throughput towards a longer job; shared by all requests of a job."""
    faster: float
    source: str
    """Where they come from, in words."""

    def at(self, records_per_request: Floats) -> Floats:
        """s(b), elementwise; 0 for no records."""
        held = np.maximum(records_per_request, self.sizes[0])
        seconds = np.exp(np.interp(np.log(held), np.log(self.sizes), np.log(self.seconds)))
        return np.where(records_per_request > 0, seconds, 0.0)


def times_of_plan(
    plan: Plan,
    dataset: Dataset,
    profile: Profile,
    sizes: Floats,
    *,
    model: Model | None = None,
    speed_of: SpeedOf | None = None,
) -> ServiceTimes:
    """The plan's level and interval, and the profile's dependence on records per request and requests in flight.

    `sizes` are the records per request that occur. `model` and `speed_of` stand in for those of the profile and the
    benchmarks, as in `planning.recommend`.
    """
    model = model or PerformanceModel.fit(profile)
    chosen, value = plan.configuration, plan.estimate
    offer = _offer(plan, profile, model, speed_of or benchmarked(profile, "unknown"))
    mean, grid, c = value.records_per_request, _grid(sizes), chosen.max_concurrent_transforms
    columns = settings(tuple(_packing(plan, float(b)) for b in (mean, *grid)))
    throughput = rates(model, [offer], columns, _network_load(profile, dataset)).throughput.mid[0]

    def latency_s(number: int, in_flight: int) -> float:
        at = int(columns.at_concurrency[number, in_flight])
        return in_flight * float(columns.records_per_request[at] / throughput[at])

    level = _planned_latency_s(plan) / latency_s(0, _reached(plan))
    return ServiceTimes(
        sizes=grid,
        seconds=level * np.array([latency_s(number, c) for number in range(1, len(grid) + 1)]),
        drain=_drain(np.array([latency_s(0, j) for j in range(1, c + 1)])),
        shape=_shape(profile, mean, c / offer.workers),
        slower=_log_ratio(value.throughput_records_per_s.mid, value.throughput_records_per_s.low),
        faster=_log_ratio(value.throughput_records_per_s.high, value.throughput_records_per_s.mid),
        source="throughput and its interval as in the plan; how latency grows with records and requests in flight, "
        "and how it scatters, from the profile",
    )


def times_of_plan_alone(plan: Plan, sizes: Floats) -> ServiceTimes:
    """Without the profile: service time in proportion to records, log-normal noise, half of the last wave shared.

    The noise has the plan's ratio of 99th percentile to mean latency. Requests left over at the end do not speed up
    where the plan is limited by requests in flight, and half of what full sharing would give them elsewhere.
    """
    value, c = plan.estimate, plan.configuration.max_concurrent_transforms
    grid, alone = _grid(sizes), value.bottleneck in {"service time", "concurrency"}
    in_flight = np.arange(1, c + 1)
    drain = np.ones(c) if alone else (1 + in_flight / c) / 2
    reached = _reached(plan)
    return ServiceTimes(
        sizes=grid,
        seconds=_planned_latency_s(plan) / float(drain[reached - 1]) * grid / value.records_per_request,
        drain=drain,
        shape=_log_normal(value.latency_p99_s.mid / value.latency_s.mid),
        slower=_log_ratio(value.throughput_records_per_s.mid, value.throughput_records_per_s.low),
        faster=_log_ratio(value.throughput_records_per_s.high, value.throughput_records_per_s.mid),
        source="the plan alone: throughput and its interval, latency in proportion to records, and log-normal noise of "
        "its 99th percentile; --profile would put measured ones in their place",
    )


def times_here(profile: Profile, sizes: Floats, *, mean: float, concurrency: int, cpus: float) -> ServiceTimes:
    """What one container with so many of the profiled host's CPUs does: speed 1, workers as profiled.

    `mean` records per request is where the interval and the noise are read off.
    """
    model = PerformanceModel.fit(profile)
    grid, one = _grid(sizes), Interval.exactly(1.0)
    capacity = Interval.exactly(model.capacity_cores_at(cpus))
    records = np.concatenate([[mean], grid])[:, None]
    in_flight = np.arange(1, concurrency + 1)
    rate = model.predict_columns(
        records_per_request=records,
        concurrency=in_flight[None, :],
        vcpus=np.array(cpus),
        latency_speed=_bounds(one),
        capacity_cores=_bounds(capacity),
        workers=None if model.workers is None else np.array(model.workers),
    ).throughput_records_per_s
    latency_s = in_flight * records / rate.mid
    return ServiceTimes(
        sizes=grid,
        seconds=latency_s[1:, -1],
        drain=_drain(latency_s[0]),
        shape=_shape(profile, mean, concurrency / (model.workers or cpus)),
        slower=_log_ratio(float(rate.mid[0, -1]), float(rate.low[0, -1])),
        faster=_log_ratio(float(rate.high[0, -1]), float(rate.mid[0, -1])),
        source=f"the profile's model for {cpus:g} {'CPU' if cpus == 1 else 'CPUs'} of its host; its latency samples",
    )


def _offer(plan: Plan, profile: Profile, model: Model, speed_of: SpeedOf) -> Offer:
    """The plan's instance type at the plan's price, with as many workers as the plan sets."""
    kind, usd_per_hour = instance_type(plan.configuration.instance_type), plan.estimate.price.usd_per_hour
    offer = offer_of(kind, plan.goal.region, model, speed_of, given_usd_per_hour=usd_per_hour)
    assert offer is not None, "a type with a price is an offer"
    workers = plan.configuration.environment.get(profile.container.worker_variable or "", "")
    return replace(offer, workers=int(workers)) if workers.isdigit() and int(workers) else offer


def _network_load(profile: Profile, dataset: Dataset) -> Caps:
    """What a record weighs on the network; the limits on candidates do not matter for one that is chosen."""
    largest = max(profile.measurements, key=lambda m: m.records_per_request)
    return Caps(
        longest_request_s=LONGEST_INVOCATION_S,
        response_limit_bytes=None,
        stored_bytes_per_record=sum(o.stored_bytes * o.copies for o in dataset.objects) / dataset.records,
        response_bytes_per_record=largest.response_bytes / largest.records_per_request,
    )


def _grid(sizes: Floats) -> Floats:
    return sizes if len(sizes) <= _SIZES else np.geomspace(sizes[0], sizes[-1], _SIZES)


def _packing(plan: Plan, records_per_request: float) -> Packing:
    """The plan's payload with another number of records in it: what the rates are asked for."""
    return Packing(
        strategy=plan.configuration.batch_strategy,
        max_payload_mb=plan.configuration.max_payload_mb,
        requests=1,
        records_per_request=records_per_request,
        records_per_full_request=math.ceil(records_per_request),
    )


def _reached(plan: Plan) -> int:
    """Requests in flight at which the plan states its throughput: no more than the busiest instance has."""
    value = plan.estimate
    on_busiest = max(1, round(value.busiest_instance_share * value.requests))
    return min(plan.configuration.max_concurrent_transforms, on_busiest)


def _planned_latency_s(plan: Plan) -> float:
    """Little's law at the plan's throughput."""
    value = plan.estimate
    return _reached(plan) * value.records_per_request / value.throughput_records_per_s.mid


def _drain(latency_s: Floats) -> Floats:
    """Ratios phi from latencies at 1 .. c in flight; a model may wiggle, but fewer in flight never take longer."""
    rising = np.minimum.accumulate(latency_s[::-1])[::-1]
    return np.asarray(rising / rising[-1], dtype=np.float64)


def _log_ratio(larger: float, smaller: float) -> float:
    return math.log(larger / smaller)


def _bounds(interval: Interval) -> Bounds:
    return Bounds(low=np.array(interval.low), mid=np.array(interval.mid), high=np.array(interval.high))


def _shape(profile: Profile, records_per_request: float, in_flight_per_worker: float) -> Floats:
    """Latency over its mean, pooled over the measured points nearest in records and in flight per worker, on logs."""

    def apart(row: Measurement) -> float:
        workers = row.workers or profile.container.workers or row.cpus
        return abs(math.log(row.records_per_request / records_per_request)) + abs(
            math.log(row.concurrency / workers / in_flight_per_worker)
        )

    pooled: list[float] = []
    for row in sorted(usable(profile), key=apart):
        pooled += [latency / row.mean_latency_s for latency in row.latency_s]
        if len(pooled) >= _SHAPE_SAMPLES:
            break
    values = np.sort(np.array(pooled))
    thinned = values[np.linspace(0, len(values) - 1, min(len(values), _SHAPE_VALUES)).round().astype(int)]
    return np.asarray(thinned / thinned.mean(), dtype=np.float64)


def _log_normal(p99_ratio: float) -> Floats:
    """Quantiles of the log-normal distribution of mean 1 whose 99th percentile is that many times the mean.

    ln ratio = z sd - sd^2 / 2 has the smaller root sd = z - sqrt(z^2 - 2 ln ratio), with z = 2.326; at most z.
    """
    log_sd = _Z99 - math.sqrt(max(0.0, _Z99**2 - 2 * math.log(max(1.0, p99_ratio))))
    normal = NormalDist()
    values = np.exp([log_sd * normal.inv_cdf((k + 0.5) / _SHAPE_VALUES) for k in range(_SHAPE_VALUES)])
    return np.asarray(values / values.mean(), dtype=np.float64)
