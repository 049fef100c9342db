"""The whole job on this machine: containers started, objects dealt, requests sent, outputs made whole."""

import contextlib
import selectors
import time
from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from planner.buffers import page_aligned
from planner.container.contract import Container, Limits
from planner.errors import ContainerDiedError, OutputError
from planner.jobs.local.assignment import cpu_sets, deal
from planner.jobs.local.cautions import instance_cautions, run_cautions, sharing_cautions
from planner.jobs.local.data_processing import DataProcessor
from planner.jobs.local.dispatch import Dispatch, Progress
from planner.jobs.local.instance import Instance, row_of, started
from planner.jobs.local.journal import FinishedObject, OutputFolder, settings_digest
from planner.jobs.local.lane import Lane
from planner.jobs.local.objects import Backlog, ObjectRun
from planner.jobs.local.outcome import kept_row, latency_summary, makespan
from planner.jobs.local.prediction import planned_figures, predicted_figures
from planner.jobs.local.run_document import RunDocument
from planner.jobs.local.settings import EffectiveSettings, JobSettings, checked, container_environment, effective
from planner.performance.model import PerformanceModel
from planner.planning.plan import Plan
from planner.profiling.http1 import RECEIVE_BUFFER_BYTES
from planner.profiling.profile import Profile
from planner.records.listing import Listing, StoredObject, list_objects

OpenInstance: TypeAlias = Callable[[Mapping[str, str], Limits], Container]
"""Makes a container, not yet started, from the environment and the limits of one instance."""
BrokenOff: TypeAlias = Callable[[RunDocument], None]
"""Takes what a run had done when it was ended early."""


def run_job(
    source: str | Path,
    output: Path,
    settings: JobSettings,
    open_instance: OpenInstance,
    *,
    cpus: float | None = None,
    memory_bytes: int | None = None,
    resume: bool = False,
    plan: Plan | None = None,
    profile: Profile | None = None,
    progress: Progress | None = None,
    broken_off: BrokenOff | None = None,
) -> RunDocument:
    """Run the job as the service would and return what it did; `outcome.raise_if_failed` turns failures into an error.

    source: a folder, a file or a manifest (`records.list_objects`). cpus and memory_bytes are of one instance. With
    resume, objects that an earlier run finished under the same settings are kept. plan and profile only add figures to
    compare with.

    A failed object leaves no output, the others are kept. Whatever ends the run early (Ctrl-C, OutputError,
    ContainerDiedError) stops the containers, removes what is unfinished and keeps what is finished; before it is raised
    `broken_off` is given the document of what was done, Failed and with the reason. Raises also InputMissingError,
    RequestRejectedError, ContainerStartError, ContainerLimitError, and ProfileError for a profile that cannot be
    fitted.
    """
    model = None if profile is None else PerformanceModel.fit(profile)
    findings = checked(settings)
    listing = list_objects(source)
    _refuse_output_in_input(Path(source), output)
    sets, crowded = cpu_sets(min(settings.instance_count, len(listing.objects)), cpus)
    environment = container_environment(settings)
    with contextlib.ExitStack() as stack:
        containers = [_open(stack, open_instance, environment, cpu_set, memory_bytes) for cpu_set in sets]
        folder = stack.enter_context(OutputFolder(output, digest=settings_digest(settings, containers[0].description)))
        kept = folder.kept(listing.objects) if resume else {}
        left = [stored for stored in listing.objects if stored.key not in kept]
        folder.clear(left)
        folder.begin(kept)
        job = _Job(
            settings=settings,
            listing=listing,
            output=output,
            kept=kept,
            plan=plan,
            expectation=None if profile is None or model is None else (profile, model),
            warnings=(
                *listing.warnings,
                *(str(finding) for finding in findings),
                *instance_cautions(settings, len(listing.objects), containers[0], crowded),
            ),
        )
        return job.run(containers, left, folder, progress, broken_off)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Outcome:
    """What is left when everything has been sent and answered."""

    instances: Sequence[Instance]
    lanes: Sequence[Lane]
    dispatch: Dispatch
    client_cpu_s: float
    ended_by: BaseException | None
    """What ended the run early."""


@dataclass(slots=True, kw_only=True)
class _Job:
    """What stays the same from the first container to the last row."""

    settings: JobSettings
    listing: Listing
    output: Path
    kept: Mapping[str, FinishedObject]
    plan: Plan | None
    expectation: tuple[Profile, PerformanceModel] | None
    warnings: tuple[str, ...]

    def run(
        self,
        containers: Sequence[Container],
        left: Sequence[StoredObject],
        folder: OutputFolder,
        progress: Progress | None,
        broken_off: BrokenOff | None,
    ) -> RunDocument:
        """Start what has something to do, send everything, and describe it."""
        instances = self._dealt(containers, left, folder)
        used = effective(self.settings, started(instances))
        outcome = self._sent(instances, used, progress)
        document = self._document(outcome, used if instances else None, containers[0])
        if outcome.ended_by is None:
            return document
        try:
            if broken_off is not None:
                broken_off(document)
        except OutputError as unwritten:  # the disk that is full may be the document's too
            raise outcome.ended_by from unwritten
        raise outcome.ended_by

    def _sent(self, instances: Sequence[Instance], used: EffectiveSettings, progress: Progress | None) -> _Outcome:
        """Everything sent and answered, or as much as was until something ended it."""
        processor = DataProcessor(self.settings)
        with selectors.DefaultSelector() as selector:
            lanes = self._lanes(instances, used, processor, selector)
            for instance in instances:
                instance.container.reset_memory_peak()
                instance.before = instance.container.usage()
            dispatch = Dispatch(
                lanes,
                selector=selector,
                processor=processor,
                timeout_s=self.settings.invocations_timeout_s,
                max_retries=self.settings.invocations_max_retries,
                progress=progress,
            )
            client_before_s = time.process_time()
            ended_by: BaseException | None = None
            try:
                dispatch.run()
            except (OutputError, ContainerDiedError, KeyboardInterrupt) as error:
                ended_by = error
            return _Outcome(
                instances=instances,
                lanes=lanes,
                dispatch=dispatch,
                client_cpu_s=time.process_time() - client_before_s,
                ended_by=ended_by,
            )

    def _lanes(
        self,
        instances: Sequence[Instance],
        used: EffectiveSettings,
        processor: DataProcessor,
        selector: selectors.BaseSelector,
    ) -> list[Lane]:
        """One for each instance; they receive into the same buffer."""
        buffer = page_aligned(RECEIVE_BUFFER_BYTES)
        return [
            Lane(
                instance.container,
                instance.objects,
                backlog=instance.backlog,
                settings=self.settings,
                effective=used,
                processor=processor,
                selector=selector,
                buffer=buffer,
            )
            for instance in instances
        ]

    def _dealt(
        self, containers: Sequence[Container], left: Sequence[StoredObject], folder: OutputFolder
    ) -> list[Instance]:
        """The instances that have something to do. Objects keep the instance that the whole input gives them."""
        open_keys = {stored.key for stored in left}
        instances = []
        hands = deal(self.listing.objects, self.settings.instance_count)
        for number, (container, hand) in enumerate(zip(containers, hands, strict=True)):
            backlog = Backlog()
            runs = [
                ObjectRun(
                    stored,
                    instance=number,
                    folder=folder,
                    assembles_lines=self.settings.assemble_with == "Line",
                    backlog=backlog,
                )
                for stored in hand
                if stored.key in open_keys
            ]
            if runs:
                instances.append(Instance(container=container, objects=runs, backlog=backlog))
        return instances

    def _document(self, outcome: _Outcome, used: EffectiveSettings | None, container: Container) -> RunDocument:
        instances, lanes, dispatch = outcome.instances, outcome.lanes, outcome.dispatch
        epoch_s, makespan_s = makespan(lanes)
        fresh = {run.stored.key: run.row(epoch_s) for instance in instances for run in instance.objects}
        rows = tuple(
            fresh[stored.key] if stored.key in fresh else kept_row(self.kept[stored.key])
            for stored in self.listing.objects
        )
        instance_rows = tuple(row_of(i, lane, makespan_s) for i, lane in zip(instances, lanes, strict=True))
        latencies = array("d", (sample for lane in lanes for sample in lane.latencies_s))
        records = sum(row.records for row in fresh.values())
        workers = container.description.workers
        blank_lines = sum(run.blank_lines for instance in instances for run in instance.objects)
        predicted = None
        if self.expectation is not None and used is not None:
            predicted = predicted_figures(*self.expectation, used, instance_rows, rows, workers=workers)
        return RunDocument(
            state="Completed" if all(row.state in {"finished", "kept"} for row in rows) else "Failed",
            failure=None if outcome.ended_by is None else str(outcome.ended_by) or "interrupted",
            input=self.listing.source,
            output=str(self.output),
            container=container.description,
            settings=self.settings,
            effective=used,
            requests=sum(row.requests for row in rows),
            requests_sent=dispatch.requests_sent,
            retried_requests=dispatch.retried,
            failed_requests=dispatch.failed,
            connections_opened=dispatch.connections_opened,
            records=sum(row.records for row in rows),
            payload_bytes=sum(row.payload_bytes for row in rows),
            output_bytes=sum(row.output_bytes for row in rows),
            makespan_s=makespan_s,
            throughput_records_per_s=records / makespan_s if makespan_s else 0.0,
            latency_s=latency_summary(latencies),
            client_cpu_s=outcome.client_cpu_s,
            instances=instance_rows,
            objects=rows,
            planned=None if self.plan is None else planned_figures(self.plan),
            predicted=predicted,
            warnings=self.warnings
            + sharing_cautions(instance_rows, outcome.client_cpu_s, makespan_s)
            + run_cautions(self.plan, used, rows, retried=dispatch.retried, blank_lines=blank_lines),
        )


def _open(
    stack: contextlib.ExitStack,
    open_instance: OpenInstance,
    environment: Mapping[str, str],
    cpu_set: tuple[int, ...] | None,
    memory_bytes: int | None,
) -> Container:
    """A container that the stack will stop; not started."""
    limits = Limits(cpus=None if cpu_set is None else float(len(cpu_set)), memory_bytes=memory_bytes, cpu_set=cpu_set)
    container = open_instance(environment, limits)
    stack.callback(container.stop)
    return container


def _refuse_output_in_input(source: Path, output: Path) -> None:
    """Raise OutputError if outputs would become inputs of the next run."""
    if source.is_dir() and output.resolve().is_relative_to(source.resolve()):
        raise OutputError(f"{output}: lies inside the input {source}: the next run would read it. Name another folder.")
