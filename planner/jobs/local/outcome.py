"""Rows and totals of a run, from what its lanes and objects counted."""

import contextlib
from array import array
from collections.abc import Sequence

from planner.container.contract import Startup, Usage
from planner.container.cpus import available_cpus
from planner.errors import ContainerDiedError, JobFailedError
from planner.jobs.local.journal import FinishedObject
from planner.jobs.local.lane import Lane
from planner.jobs.local.run_document import InstanceRow, LatencySummary, ObjectRow, RunDocument

PROBABILITIES = (0.05, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99)
_SHOWN_FAILURES = 5


def latency_summary(samples_s: "array[float]") -> LatencySummary | None:
    """Mean and quantiles (nearest rank: a latency that occurred); None without samples."""
    if not samples_s:
        return None
    ordered = sorted(samples_s)
    last = len(ordered) - 1
    return LatencySummary(
        count=len(ordered),
        mean=sum(ordered) / len(ordered),
        quantiles=tuple((p, ordered[min(last, int(p * len(ordered)))]) for p in PROBABILITIES),
        largest=ordered[-1],
    )


def makespan(lanes: Sequence[Lane]) -> tuple[float, float]:
    """First request of the run on the loop's clock, and seconds from there to the last answer; zeros for none."""
    first = [lane.first_s for lane in lanes if lane.first_s is not None]
    last = [lane.last_s for lane in lanes if lane.last_s is not None]
    return (min(first), max(last) - min(first)) if first and last else (0.0, 0.0)


def instance_row(
    number: int, lane: Lane, *, objects: int, startup: Startup, before: Usage | None, makespan_s: float
) -> InstanceRow:
    """What one instance did."""
    after = None
    with contextlib.suppress(ContainerDiedError):
        after = lane.container.usage()
    cpu_set = lane.container.description.cpu_set
    cpus = len(cpu_set) if cpu_set is not None else len(available_cpus())
    cpu_s = None if after is None or before is None else max(0.0, after.cpu_s - before.cpu_s)
    busy_s = 0.0 if lane.first_s is None or lane.last_s is None else lane.last_s - lane.first_s
    return InstanceRow(
        instance=number,
        objects=objects,
        startup_s=startup.ping_s,
        cpu_set=cpu_set,
        requests=len(lane.latencies_s),
        busy_s=busy_s,
        mean_in_flight=lane.busy_in_flight_s / makespan_s if makespan_s else 0.0,
        cpu_s=cpu_s,
        utilization=None if cpu_s is None or not makespan_s else cpu_s / (makespan_s * cpus),
        memory_peak_bytes=None if after is None else after.memory_peak_bytes,
    )


def kept_row(finished: FinishedObject) -> ObjectRow:
    """The row of an object that an earlier run finished."""
    return ObjectRow(
        key=finished.key,
        instance=None,
        state="kept",
        records=finished.records,
        requests=finished.requests,
        payload_bytes=finished.payload_bytes,
        output_bytes=finished.output_bytes,
    )


def raise_if_failed(run: RunDocument) -> None:
    """Raise JobFailedError, naming the first objects and why, if any object of the run failed."""
    failed = [row for row in run.objects if row.state == "failed"]
    if not failed:
        return
    listed = "".join(f"\n  - {row.failure}" for row in failed[:_SHOWN_FAILURES])
    more = f"\n  and {len(failed) - _SHOWN_FAILURES:,} more" if len(failed) > _SHOWN_FAILURES else ""
    raise JobFailedError(
        f"the job failed: {len(failed):,} of {len(run.objects):,} objects have no output; the others are in "
        f"{run.output}.{listed}{more}\nCorrect the cause and run it again with --resume: finished objects are kept."
    )
