"""The verb: one point of a profile's model, with its interval, its bottleneck and the terms it is made of."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np

from planner.catalogue.instances import instance_type
from planner.errors import ProfileError
from planner.interval import Z90, Interval
from planner.performance.benchmark_scores import WorkloadClass
from planner.performance.hardware import Probe
from planner.performance.model import PerformanceModel
from planner.performance.prediction import BOTTLENECKS, Bounds, Floats, Prediction, Term
from planner.performance.second_profile import probes
from planner.performance.transfer import Target, like_concurrency, times_on
from planner.performance.workload_class import Classified, classified
from planner.profiling.profile import Profile

_Row: TypeAlias = tuple[str, "float | Floats | np.floating", str, str]
"""Name, value, unit and meaning of a term."""


_UNSTEADY: Final = 0.04
"""Session error from which it is told: windows then differ by 7 %."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where the prediction is for."""

    instance_type: str | None
    cpus: float
    workers: int | None
    speed: Interval
    capacity: Interval
    basis: str


def predict(
    profile: Profile,
    *,
    records_per_request: int,
    concurrency: int,
    cpus: float | None = None,
    instance_type: str | None = None,
    workers: int | None = None,
    workload_class: WorkloadClass | None = None,
    also: Sequence[Profile] = (),
) -> Prediction:
    """Throughput, latency, CPU time and memory at one point, each with a 90 % interval.

    Without `cpus` and `instance_type` the prediction is for the profiled host. `workers` are those of the
    profile on its own host, and grow with the vCPUs on an instance type, unless given. `also` are profiles of the same
    container and sample from other machines, which sharpen the step to an instance type. `workload_class` says which
    public benchmarks tell of that step; None: inferred from the model's files where that can be.

    Raises ProfileError when the profile has too few points, a count is below 1 or one of `also` is of something else,
    CatalogueError for an unknown type.
    """
    for name, count in (("records per request", records_per_request), ("concurrency", concurrency)):
        if count < 1:
            raise ProfileError(f"{name} is {count}; it counts from 1")
    if cpus is not None and instance_type is not None:
        raise ProfileError("cpus and instance_type both say which machine; give one")
    if cpus is not None and not cpus > 0:
        raise ProfileError(f"cpus is {cpus}; a server needs more than 0")
    model = PerformanceModel.fit(profile)
    if also and instance_type is None:
        raise ProfileError("a second profile sharpens the step to an instance type; give an instance type")
    place = (
        _here(model, profile, cpus, workers)
        if instance_type is None
        else _there(model, profile, instance_type, workers, classified(profile, workload_class), also)
    )
    columns = model.predict_columns(
        records_per_request=np.array(records_per_request),
        concurrency=np.array(concurrency),
        vcpus=np.array(place.cpus),
        latency_speed=_bounds(place.speed),
        capacity_cores=_bounds(place.capacity),
        workers=None if place.workers is None else np.array(place.workers),
    )
    cpu_s, memory = columns.cpu_s_per_record, columns.memory_bytes
    return Prediction(
        records_per_request=records_per_request,
        concurrency=concurrency,
        instance_type=place.instance_type,
        cpus=place.cpus,
        workers=place.workers,
        throughput_records_per_s=columns.throughput_records_per_s.at(()),
        latency_s=columns.latency_s.at(()),
        latency_p99_s=columns.latency_p99_s.at(()),
        cpu_s_per_record=None if np.isnan(cpu_s.mid) else cpu_s.at(()),
        memory_bytes=None if np.isnan(memory.mid) else memory.at(()),
        bottleneck=BOTTLENECKS[int(columns.bottleneck)],
        extrapolated=bool(columns.extrapolated) or _more_cpus(model, place) is not None,
        regime=_regime(model, records_per_request, concurrency, place),
        terms=_terms(model, profile, float(records_per_request), float(concurrency), place),
        warnings=_warnings(model, profile, place),
    )


def _here(model: PerformanceModel, profile: Profile, cpus: float | None, workers: int | None) -> _Place:
    here = model.host_cpus if cpus is None else cpus
    return _Place(
        instance_type=None,
        cpus=here,
        workers=model.workers if workers is None else workers,
        speed=Interval.exactly(1.0),
        capacity=Interval.exactly(model.capacity_cores_at(here)),
        basis=f"the profiled host ({profile.host.cpu_model})",
    )


def _there(  # noqa: PLR0917 - the question's own arguments
    model: PerformanceModel,
    profile: Profile,
    name: str,
    workers: int | None,
    of_class: Classified,
    also: Sequence[Profile],
) -> _Place:
    kind = instance_type(name)
    others: tuple[Probe, ...] = probes(profile, model, also)
    relative = of_class.relative_speed(profile.host, kind, others)
    grown = model.workers_on(kind.vcpus) if model.workers is not None else None
    return _Place(
        instance_type=kind.name,
        cpus=float(kind.vcpus),
        workers=grown if workers is None else workers,
        speed=relative.latency,
        capacity=relative.capacity_cores,
        basis=f"{relative.basis} Workload class: {of_class.words}",
    )


def _bounds(interval: Interval) -> Bounds:
    return Bounds(low=np.array(interval.low), mid=np.array(interval.mid), high=np.array(interval.high))


def _side(value: float, measured: tuple[float, float], noun: str) -> str | None:
    """Which side of a measured range a value lies on, in words; None inside."""
    low, high = measured
    if value > high * 1.05:
        return f"{value:,.4g} {noun} is {value / high:.3g} times the most measured ({high:,.4g})"
    if value < low / 1.05:
        return f"{value:,.4g} {noun} is below the least measured ({low:,.4g})"
    return None


def _more_cpus(model: PerformanceModel, place: _Place) -> str | None:
    """By how much the place has more CPUs than the server was seen on, in words; None where it has not.

    How a server grows beyond them was not seen, whatever is known of the hardware. Fewer CPUs of another kind are a
    matter of that kind's speed.
    """
    return _side(place.cpus, (0.0, model.host_cpus), "CPUs")


def _regime(model: PerformanceModel, records: float, concurrency: float, place: _Place) -> str:
    """Which sides of the measured hull the point lies beyond, and whether the machine is another."""
    share = 1.0
    if place.workers is not None and model.workers is not None:
        share = model.workers / place.workers
    sides = [
        _side(records, model.measured_records_per_request, "records per request"),
        _side(max(1.0, concurrency * share), model.measured_concurrency, "requests in flight, workers alike,"),
    ]
    if place.instance_type is None:
        sides.append(_side(place.cpus, model.measured_cpus, "CPUs"))
    else:
        sides.append(_more_cpus(model, place))
    beyond = [side for side in sides if side is not None]
    words = "beyond the measured range: " + "; ".join(beyond) if beyond else "inside the measured range"
    if place.instance_type is not None:
        words += f"; other hardware: {place.basis}"
    return words


def _terms(
    model: PerformanceModel, profile: Profile, records: float, concurrency: float, place: _Place
) -> tuple[Term, ...]:
    """S, Q and its parts on the target, what they come to, the loads and the errors behind the interval."""
    rows = [*_law_terms(model, records, concurrency, place), *_speed_terms(profile), *_interval_terms(model)]
    return tuple(Term(name=name, value=float(value), unit=unit, meaning=text) for name, value, unit, text in rows)


def _law_terms(model: PerformanceModel, records: float, concurrency: float, place: _Place) -> list[_Row]:
    host, usable = model.host, model.host.parallelism
    curves = host.table.at(np.array(records))
    target = Target(
        vcpus=np.array(place.cpus),
        workers=np.array(float(place.workers or model.workers_on(place.cpus))),
        latency_speed=np.array(place.speed.mid),
        capacity_cores=np.array(place.capacity.mid),
    )
    times = times_on(host, curves, np.array(concurrency), target)
    ln_like = like_concurrency(curves, times)
    law = records / times.seconds_per_request(ln_like, host.sharpness)
    shift = 100 * np.expm1(host.correction.at(np.log(np.array(records)), ln_like))
    return [
        ("service time", times.unsaturated_s * concurrency, "s", "one request in service on this machine"),
        ("cpu limit", times.cpu_s, "s", "between completions when the CPUs are full"),
        ("worker limit", times.slots_s, "s", "between completions when every worker is busy; 0: workers not known"),
        ("serial limit", times.serial_s, "s", "between completions, which no more CPUs or workers shorten"),
        ("sharpness", host.sharpness, "", "how abruptly the largest limit sets in; 1: gradually"),
        ("law", law, "records/s", "what these come to"),
        ("correction", shift, "%", "what points measured nearby show above or below the law"),
        ("like concurrency", np.exp(ln_like), "", "in flight on the profiled host, to load it as much"),
        ("on-CPU share", curves.on_cpu_share, "", "share of the service time that a faster CPU shortens"),
        ("CPUs usable", min(usable.likely, place.cpus), "", f"of this machine's: {usable.words}"),
        ("thread speed", place.speed.mid, "", "of one busy thread against the profiled host"),
        ("capacity", place.capacity.mid, "threads", "all CPUs busy, in busy threads of the profiled host"),
    ]


def _interval_terms(model: PerformanceModel) -> list[_Row]:
    errors: Floats = 100 * np.abs(model.host.left_out_errors)
    disturbed, factor = model.disturbed_points[0], model.host.factor
    return [
        ("left-out error", np.median(errors), "%", "median, each measured point predicted without itself"),
        ("largest left-out error", np.max(errors), "%", "the worst of those"),
        ("disturbed points", disturbed, "", "where other programs held CPUs that the server wanted"),
        (
            "session error",
            100 * model.session_log_sd,
            "%",
            "shared by all points, standard deviation: the machine's own",
        ),
        ("interval factor", factor, "", "half width in the standard deviations that the fit claims"),
    ]


def _speed_terms(profile: Profile) -> list[_Row]:
    usual = profile.usual_speed
    if usual is None or usual.sessions == 1:
        return []
    text = f"of the CPUs over {usual.sessions} sessions against this one's, to which rates were brought first"
    return [("usual speed", 100 * np.expm1(-usual.faster), "%", text)]


def disturbance(model: PerformanceModel) -> Iterator[str]:
    """That other programs disturbed half of the measured points or more, or the machine all of them, where so."""
    disturbed, points = model.disturbed_points
    if 2 * disturbed >= points:
        yield (
            f"other programs held the CPUs that the server wanted at {disturbed} of {points} points: rates are "
            "corrected by CPU accounting and uncertain; profile again on a quieter machine"
        )
    if model.session_log_sd >= _UNSTEADY:
        yield (
            "the machine's own speed changed while it was profiled, which shows in no counter: rates may be off "
            f"together by ±{Z90 * model.session_log_sd:.0%}, and intervals have room for that; a longer profile, or "
            "one of another hour, tells more"
        )


def _handover(model: PerformanceModel, place: _Place) -> Iterator[str]:
    """That more CPUs may slow the server down, where its threads share a lock as far as one CPU shows."""
    loss = 1 - 1 / model.host.parallelism.handover
    if place.cpus > model.host_cpus and loss:
        yield (
            f"threads that share a lock hand it from CPU to CPU, which one CPU does not show: up to {loss:.0%} may be "
            "lost, and the interval has room for that; profile with more CPUs, or with --cpus 1,2"
        )


def _cpus_in_words(count: float) -> str:
    return f"{count:g} CPU{'' if count == 1 else 's'}"


def _warnings(model: PerformanceModel, profile: Profile, place: _Place) -> tuple[str, ...]:
    """What a reader must know about what the profile could not show."""
    found = []
    if model.measured_concurrency[0] == model.measured_concurrency[1]:
        found.append("concurrency was not varied: what limits the server under load is a guess; measure 1 and more")
    if model.measured_records_per_request[0] == model.measured_records_per_request[1]:
        found.append("records per request were not varied: cost is taken as proportional to records")
    found += disturbance(model)
    if profile.usage_source is None:
        found.append("CPU use was not visible: service time is taken as CPU time, which overstates faster machines")
    usable = model.host.parallelism
    if place.instance_type is not None and model.workers is None and usable.likely >= place.cpus:
        found.append(
            "workers are not known: the server is taken to use all CPUs; set its worker count and profile again"
        )
    if place.cpus > usable.least and not usable.is_known:
        found.append(
            f"how many CPUs the server can use is not known ({usable.words}): the interval reaches from "
            f"{_cpus_in_words(usable.least)} to {_cpus_in_words(min(usable.most, place.cpus))}; "
            "profile with more CPUs, or with --cpus 1,2"
        )
    found += _handover(model, place)
    return tuple(found)
