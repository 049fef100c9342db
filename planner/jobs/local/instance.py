"""One instance of a job on this machine: its container, what it was dealt, and what it was seen to do."""

from collections.abc import Sequence
from dataclasses import dataclass

from planner.container.contract import Container, ExecutionParameters, Startup, Usage
from planner.jobs.local.lane import Lane
from planner.jobs.local.objects import Backlog, ObjectRun
from planner.jobs.local.outcome import instance_row
from planner.jobs.local.run_document import InstanceRow


@dataclass(slots=True, kw_only=True)
class Instance:
    """One instance of the job and what it was dealt."""

    container: Container
    objects: list[ObjectRun]
    backlog: Backlog
    startup: Startup | None = None
    before: Usage | None = None


def started(instances: Sequence[Instance]) -> ExecutionParameters | None:
    """What the first of them wishes, once all have started."""
    wishes: ExecutionParameters | None = None
    for number, instance in enumerate(instances):
        instance.startup = instance.container.start()
        if number == 0:
            wishes = instance.container.execution_parameters()
    return wishes


def row_of(instance: Instance, lane: Lane, makespan_s: float) -> InstanceRow:
    """What the run document says of it."""
    assert instance.startup is not None
    number = instance.objects[0].instance
    return instance_row(
        number,
        lane,
        objects=len(instance.objects),
        startup=instance.startup,
        before=instance.before,
        makespan_s=makespan_s,
    )
