"""What was expected of a run: by the plan, of its own machines, and by a profile, of this one."""

from collections.abc import Sequence

import numpy as np

from planner.container.cpus import available_cpus
from planner.interval import Interval
from planner.jobs.local.run_document import InstanceRow, ObjectRow, PlannedFigures, PredictedFigures
from planner.jobs.local.settings import EffectiveSettings
from planner.performance.model import PerformanceModel
from planner.performance.prediction import Bounds
from planner.planning.plan import Plan
from planner.profiling.profile import Profile


def planned_figures(plan: Plan) -> PlannedFigures:
    """The plan's own figures."""
    return PlannedFigures(
        instance_type=plan.configuration.instance_type,
        instance_count=plan.configuration.instance_count,
        requests=plan.estimate.requests,
        records=plan.workload.records,
        makespan_s=plan.estimate.makespan_s,
        throughput_records_per_s=plan.estimate.throughput_records_per_s,
        latency_s=plan.estimate.latency_s,
    )


def predicted_figures(
    profile: Profile,
    model: PerformanceModel,
    effective: EffectiveSettings,
    instances: Sequence[InstanceRow],
    objects: Sequence[ObjectRow],
    *,
    workers: int | None,
) -> PredictedFigures | None:
    """The model's expectation of this run; None when nothing was answered.

    The point is the run's own: mean records per request as they were cut, the concurrency, the CPUs of an instance, at
    the speed of the profiled host, which must be this one. Makespan is the records of the busiest instance over its
    predicted throughput. The model is fitted to the profile.
    """
    done = [row for row in objects if row.state == "finished" and row.instance is not None]
    requests, records = sum(row.requests for row in done), sum(row.records for row in done)
    if not requests or not instances:
        return None
    cpu_set = instances[0].cpu_set
    cpus = float(len(cpu_set)) if cpu_set is not None else float(len(available_cpus()))
    one = np.array(1.0)
    capacity = np.array(model.capacity_cores_at(cpus))
    columns = model.predict_columns(
        np.array(records / requests),
        np.array(float(effective.max_concurrent_transforms)),
        np.array(cpus),
        Bounds(low=one, mid=one, high=one),
        Bounds(low=capacity, mid=capacity, high=capacity),
        None if workers is None else np.array(float(workers)),
    )
    rate = columns.throughput_records_per_s.at(())
    load: dict[int, int] = {}
    for row in done:
        assert row.instance is not None
        load[row.instance] = load.get(row.instance, 0) + row.records
    busiest = max(load.values())
    cpu = columns.cpu_s_per_record.at(()) if np.isfinite(columns.cpu_s_per_record.mid).all() else None
    return PredictedFigures(
        makespan_s=Interval(low=busiest / rate.high, mid=busiest / rate.mid, high=busiest / rate.low),
        throughput_records_per_s=rate,
        latency_s=columns.latency_s.at(()),
        cpu_s_per_record=cpu,
        extrapolated=bool(columns.extrapolated),
        notes=_doubts(profile, model, instances, cpus),
    )


def _doubts(
    profile: Profile, model: PerformanceModel, instances: Sequence[InstanceRow], cpus: float
) -> tuple[str, ...]:
    """What makes the comparison doubtful."""
    from planner.profiling.host import read_host

    notes = []
    here = read_host()
    if (profile.host.cpu_model, profile.host.logical_cpus) != (here.cpu_model, here.logical_cpus):
        notes.append(
            f"the profile was measured on another machine ({profile.host.cpu_model}, {profile.host.logical_cpus} CPUs)"
        )
    if cpus != model.host_cpus:
        notes.append(f"the profile's container had {model.host_cpus:g} CPUs, an instance here has {cpus:g}")
    if len(instances) > 1:
        taken = [cpu for row in instances for cpu in (row.cpu_set or available_cpus())]
        if len(taken) != len(set(taken)):
            notes.append("the instances share CPUs, which the prediction does not know")
    if set(available_cpus()) <= {cpu for row in instances for cpu in (row.cpu_set or available_cpus())}:
        notes.append(
            "the containers have all CPUs of this machine and the runner takes its time from them, which the "
            "prediction does not know; `planner simulate --here` measures it"
        )
    return tuple(notes)
