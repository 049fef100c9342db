"""The profiling session: container up, contract checked, points measured, a file that survives being killed."""

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

from planner.campaign.adaptive import POINTS, Wider, run_adaptive
from planner.campaign.bench import Bench, Skipped, run_points, with_row
from planner.campaign.bodies import with_largest_body
from planner.campaign.points import Point, candidates, checkerboard, concurrency_ladder, records_ladder
from planner.campaign.resume import is_searched, missing_points, own_rows, previous_profile
from planner.campaign.session import Progress as Progress  # noqa: PLC0414 - part of this module, callers take it from here
from planner.campaign.session import Subject, open_session, workers_of
from planner.container.contract import Container
from planner.documents import replace, write_document
from planner.errors import PlannerError
from planner.profiling.calibrate import calibrate
from planner.profiling.checks import divisible
from planner.profiling.host import kept_off, read_host
from planner.profiling.one_speed import at_one_speed
from planner.profiling.payloads import Sample, read_sample
from planner.profiling.profile import BestPoint, Host, Measurement, Profile
from planner.profiling.reference import drift_notice
from planner.profiling.tuning import Tuning
from planner.records.dataset import SplitType

if TYPE_CHECKING:
    from planner.campaign.deciding import Question

BODY_SHARE: Final = 0.1
"""So much of the time budget is kept for finding the largest body; what the points leave comes on top."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """What is to be measured."""

    points: tuple[Point, ...]
    """To begin with; all of it, where there are no candidates."""
    candidates: tuple[Point, ...] = ()
    """Where the adaptive rule may go."""
    wider: Wider = lambda _concurrency: ()
    """Where it may go with more requests in flight."""

    @property
    def planned(self) -> int:
        """Points in all, as far as that can be told before."""
        return POINTS if self.candidates else len(self.points)


def profile(
    container: Container,
    *,
    payload: Path,
    content_type: str,
    accept: str | None = None,
    split_type: SplitType = "Line",
    time_budget_s: float = 60.0,
    records_per_request: Sequence[int] | None = None,
    concurrency: Sequence[int] | None = None,
    points: Sequence[Point] | None = None,
    question: "Question | None" = None,
    tuning: Tuning | None = None,
    is_last: bool = True,
    output: Path | None = None,
    resume: bool = False,
    progress: Callable[[Progress], None] = lambda _: None,
) -> Profile:
    """Measurements of the container with requests cut from the sample in `payload`.

    Which points is decided on the way, by what they tell about the recommendation: the highest throughput on this
    host, or the plan that `question` makes of a profile; unless sizes, concurrencies or `points` are given. The
    container is started, and stopped on every way out. `time_budget_s` is for the load: it counts from when the
    container is ready. After each point the profile so far is written to `output` (complete: false); with `resume`
    the points that such a file holds are not measured again; without `is_last` it stays incomplete, for what is to be
    measured after it. Raises the errors of `planner.errors` for records, container and profiling; those of a later
    point say that the file holds the earlier ones.
    """
    sample = read_sample(payload, content_type=content_type, accept=accept, split_type=split_type)
    host = read_host()
    design = (
        Design(points=tuple(points))
        if points
        else plan_points(container, sample, host, records_per_request, concurrency)
    )
    previous = None
    if resume and output is not None:
        previous = previous_profile(output, container.description, sample.payload, host)
    if (
        previous is not None
        and (previous.complete or is_searched(previous))
        and (design.candidates or not missing_points(design.points, previous))
    ):
        return finished(previous, output) if is_last else previous
    progress(Progress(doing="calibrating the load generator"))
    load_generator = calibrate(sample.first_body(1))
    try:
        progress(Progress(doing="starting the container"))
        begin = replace(open_session(container, sample, host, load_generator), tuning=tuning)
        if previous is not None:
            begin = replace(begin, created_at=previous.created_at, measurements=previous.measurements)
        session = _Session(
            container=container, sample=sample, design=design, so_far=begin, output=output, progress=progress
        )
        done = session.run(time_budget_s, question)
        return finished(done, output) if is_last else done
    finally:
        container.stop()


def finished(profile_: Profile, output: Path | None) -> Profile:
    """The profile, said to be complete, in its file too."""
    complete = profile_ if profile_.complete else replace(profile_, complete=True)
    if output is not None and complete is not profile_:
        write_document(output, complete)
    return complete


def plan_points(
    container: Container,
    sample: Sample,
    host: Host,
    records_per_request: Sequence[int] | None,
    concurrency: Sequence[int] | None,
) -> Design:
    """The points to begin with: all combinations where both lists are given, else by `planner.campaign.points`."""
    mean_bytes = sample.payload.mean_record_bytes
    given = bool(records_per_request or concurrency)
    if not divisible(sample.payload.split_type):
        records_per_request = (1,)
    ladder = tuple(records_per_request or records_ladder(mean_bytes))
    rungs = tuple(concurrency or concurrency_ladder(workers_of(container, host)))
    if (records_per_request and concurrency) or len(ladder) == 1:
        return Design(points=tuple(Point(records_per_request=b, concurrency=c) for b in ladder for c in rungs))
    return Design(
        points=checkerboard(ladder, rungs, mean_bytes),
        candidates=() if given else candidates(ladder, rungs, mean_bytes),
        wider=lambda concurrency: candidates(ladder, (concurrency,), mean_bytes),
    )


Outcomes: TypeAlias = Iterator[Measurement | Skipped]


@dataclass(slots=True, kw_only=True)
class _Session:
    """The measuring part of one session, from the opened container to the complete profile."""

    container: Container
    sample: Sample
    design: Design
    so_far: Profile
    output: Path | None
    progress: Callable[[Progress], None]

    def run(self, time_budget_s: float, question: "Question | None") -> Profile:
        """The profile with all its points, written after each."""
        begin, skipped = self.so_far, list[Skipped]()
        deadline_s = time.monotonic() + time_budget_s
        self._show(None)
        with self._kept_files(), kept_off(begin.container.cpu_set or ()) as apart:
            subject = Subject(self.container, self.sample, begin, apart=apart)
            bench = Bench(
                workers=workers_of(self.container, begin.host),
                probe=subject.probe,
                measure=subject.measure,
                seconds_left=lambda: deadline_s - BODY_SHARE * time_budget_s - time.monotonic(),
            )
            for outcome in self._outcomes(bench, question):
                if isinstance(outcome, Skipped):
                    skipped.append(outcome)
                else:
                    self._keep(outcome)
            self.progress(Progress(doing="looking for the largest body", measured=len(self.so_far.measurements)))
            self.so_far = with_largest_body(
                self.container,
                self.sample,
                self.so_far,
                refused_bytes=bench.refused_bytes,
                seconds_left=lambda: deadline_s - time.monotonic(),
            )
        warnings = (*self.so_far.warnings, *_session_warnings(self.so_far, apart=apart), *_skipped_warnings(skipped))
        done = replace(self.so_far, best=self._best(question), warnings=warnings)
        if self.output is not None:
            write_document(self.output, done)
        return done

    def _outcomes(self, bench: Bench, question: "Question | None") -> Outcomes:
        """Measurements and omissions as they come."""
        if not self.design.candidates:
            return run_points(missing_points(self.design.points, self.so_far), bench)
        from planner.campaign.deciding import by_plan, by_throughput

        begin = self.so_far
        decide = by_throughput(begin) if question is None else by_plan(begin, question)
        design, held = self.design, own_rows(begin)
        return run_adaptive(design.points, design.candidates, bench, decide, held=held, wider=design.wider)

    def _best(self, question: "Question | None") -> BestPoint | None:
        """The recommendation, where the points were chosen for one."""
        if not self.design.candidates:
            return None
        from planner.campaign.deciding import best_point, planned_points

        wanted = planned_points(self.so_far, question) if question is not None else ()
        return best_point(own_rows(self.so_far), wanted)

    def _keep(self, row: Measurement) -> None:
        """Into the profile and its file; a point that comes a second time takes the place of the first."""
        grown = replace(self.so_far, measurements=with_row(self.so_far.measurements, row))
        if self.output is not None:
            write_document(self.output, grown)
        self.so_far = grown
        self._show(row)

    def _show(self, row: Measurement | None) -> None:
        measured = len(self.so_far.measurements)
        planned = max(measured, self.design.planned)
        self.progress(Progress(doing="measuring", measured=measured, planned=planned, measurement=row))

    @contextlib.contextmanager
    def _kept_files(self) -> Iterator[None]:
        """Errors of the block, Ctrl-C too, say what is kept of the work done before them."""
        try:
            yield
        except PlannerError as error:
            if self._kept:
                raise type(error)(f"{error}\n{self._kept}") from error
            raise
        except KeyboardInterrupt as interruption:
            interruption.add_note(self._kept)
            raise

    @property
    def _kept(self) -> str:
        """Where the points measured so far are; empty where there is no file of them."""
        points = len(self.so_far.measurements)
        if self.output is None or not points:
            return ""
        measured = f"The {points} points measured before are" if points > 1 else "The point measured before is"
        return f"{measured} kept in {self.output}; the same command with --resume goes on from there."


def _session_warnings(profile_: Profile, *, apart: bool) -> Iterator[str]:
    """What holds for all points."""
    if not apart and profile_.container.backend != "url":
        yield (
            f"the load generator shares the container's {profile_.host.logical_cpus} CPUs, which costs the container "
            "some throughput; --cpus with fewer would keep them apart"
        )
    rows = profile_.measurements
    left = max((row.unexplained for row in at_one_speed(rows)), default=1.0)
    changed = drift_notice([row.reference_s for row in rows if row.reference_s is not None], left=left)
    if changed is not None:
        yield changed
    largest = max((row.records_per_request for row in profile_.measurements), default=0)
    if largest > profile_.payload.records:
        yield (
            f"requests of up to {largest:,} records repeat the sample of {profile_.payload.records:,}; where the "
            "container caches, that flatters it; a larger --payload avoids it"
        )


def _skipped_warnings(skipped: Sequence[Skipped]) -> Iterator[str]:
    """One line per reason and size, naming the points."""
    groups: dict[tuple[int, str], list[int]] = {}
    for omission in skipped:
        groups.setdefault((omission.point.records_per_request, omission.reason), []).append(omission.point.concurrency)
    for (records, reason), concurrencies in groups.items():
        listed = ", ".join(map(str, sorted(concurrencies)))
        yield f"not measured: {records:,} records per request with {listed} in flight: {reason}"
