"""One profile across CPU limits and worker counts: the base over the whole plane, a few points at each other setting.

The time budget is shared as points are, 16 for the base and 4 for each other setting; where worker counts are
measured, a tenth of it is kept for measuring the base and a better one again.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import replace as replaced
from pathlib import Path
from typing import Any, Final, TypeAlias

from planner.campaign.adaptive import POINTS
from planner.campaign.bench import Skipped, point_of, with_row
from planner.campaign.cross_section import POINTS_EACH, Cross, Setting, cross, large_request, section_points
from planner.campaign.points import Point
from planner.campaign.profiler import finished, profile
from planner.campaign.resume import own_rows
from planner.campaign.session import Progress, open_session
from planner.campaign.settings import SHORTEST_TRIAL_S, TRIED_ERRORS, measure_points
from planner.container.contract import Container
from planner.documents import replace, write_document
from planner.errors import TooFewRequestsError
from planner.profiling.calibrate import calibrate
from planner.profiling.checks import divisible
from planner.profiling.one_speed import at_one_speed
from planner.profiling.payloads import Sample, read_sample
from planner.profiling.profile import BestPoint, Measurement, Profile
from planner.profiling.replicates import repeat_interval
from planner.records.dataset import SplitType

OpenAt: TypeAlias = Callable[[float | None, Mapping[str, str]], Container]
"""CPU limit, and environment variables to add to those that were given -> the container, not yet started."""

VERIFY_SHARE: Final = 0.1


def profile_across(
    open_at: OpenAt,
    *,
    cpus: Sequence[float] = (),
    workers: Sequence[int] = (),
    payload: Path,
    content_type: str,
    accept: str | None = None,
    split_type: SplitType = "Line",
    time_budget_s: float = 60.0,
    output: Path | None = None,
    resume: bool = False,
    progress: Callable[[Progress], None] = lambda _: None,
    **session: Any,
) -> Profile:
    """The profile at the largest of `cpus`, with a cross-section at each other limit and worker count beside it.

    `session` goes to `planner.profile`, which measures the base. The container is started anew for each setting and
    stopped on every way out; after each point the profile so far is in `output`, and with `resume` only the points
    that it lacks are measured. A setting that the container fails under is told in a warning. The recommended point
    is the base's unless another worker count measured better beyond noise when both were measured again at the end.
    """
    sample = read_sample(payload, content_type=content_type, accept=accept, split_type=split_type)
    plan = cross(open_at(max(cpus, default=None), {}).description, cpus, workers)
    times = _times(plan, time_budget_s)
    more = POINTS_EACH * len(plan.others)

    def show_base(step: Progress) -> None:
        progress(replaced(step, doing=f"{step.doing} ({plan.base})", planned=step.planned and step.planned + more))

    done = profile(
        open_at(plan.base.cpus, plan.base.environment),
        payload=payload,
        content_type=content_type,
        accept=accept,
        split_type=split_type,
        time_budget_s=times.base_s,
        is_last=False,
        output=output,
        resume=resume,
        progress=show_base,
        **session,
    )
    if done.complete and all(_rows_at(done, other) for other in plan.others):
        return done
    done = replace(done, complete=False)
    sections = _Sections(open_at=open_at, sample=sample, plan=plan, so_far=done, output=output, progress=progress)
    sections.run(times)
    return finished(sections.so_far, output)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Times:
    """The time budget dealt out, in seconds of load."""

    base_s: float
    section_s: float
    verifying_s: float


def _times(plan: Cross, time_budget_s: float) -> _Times:
    varies_workers = any(other.workers != plan.base.workers for other in plan.others)
    verifying_s = VERIFY_SHARE * time_budget_s if varies_workers else 0.0
    point_s = (time_budget_s - verifying_s) / (POINTS + POINTS_EACH * len(plan.others))
    return _Times(base_s=POINTS * point_s, section_s=POINTS_EACH * point_s, verifying_s=verifying_s)


def _rows_at(profile_: Profile, setting: Setting) -> tuple[Measurement, ...]:
    """The measurements at the setting."""
    cpus = setting.cpus or profile_.host.logical_cpus
    return tuple(row for row in profile_.measurements if row.cpus == cpus and row.workers == setting.workers)


@dataclass(slots=True, kw_only=True)
class _Sections:
    """The part of the session after the base."""

    open_at: OpenAt
    sample: Sample
    plan: Cross
    so_far: Profile
    output: Path | None
    progress: Callable[[Progress], None]

    def run(self, times: _Times) -> None:
        """Measure what is missing at the other settings, then the better of the worker counts again."""
        for setting in self.plan.others:
            section_s = max(SHORTEST_TRIAL_S, times.section_s)
            self._warn(self._measured(setting, self._missing(setting), section_s, f"measuring ({setting})"))
        challenger = self._challenger()
        if challenger is not None:
            self._verify(challenger, max(SHORTEST_TRIAL_S, times.verifying_s / 2))

    def _missing(self, setting: Setting) -> tuple[Point, ...]:
        """The points of the setting's section that are not measured yet."""
        large = large_request(own_rows(self.so_far)) if divisible(self.sample.payload.split_type) else 1
        workers = setting.workers or max(1, int(setting.cpus or self.so_far.host.logical_cpus))
        held = {point_of(row) for row in _rows_at(self.so_far, setting)}
        return tuple(point for point in section_points(large, workers) if point not in held)

    def _measured(self, setting: Setting, points: Sequence[Point], time_s: float, doing: str) -> list[str]:
        """Measure the points at the setting, each kept as it comes; what went wrong, in words."""
        if not points:
            return []
        opening = self.so_far
        self.progress(self._step(f"starting the container ({setting})"))
        container = self.open_at(setting.cpus, setting.environment)
        try:
            generator = opening.load_generator or calibrate(self.sample.first_body(1))
            open_session(container, self.sample, opening.host, generator)
            self.progress(self._step(doing))

            def keep(row: Measurement) -> None:
                self._keep(row, doing)

            outcomes = measure_points(container, self.sample, opening, points, time_s=time_s, keep=keep)
        except (*TRIED_ERRORS, TooFewRequestsError) as error:
            reason = str(error).partition("\n")[0]
            return [f"not measured with {setting}: {reason}"]
        finally:
            container.stop()
        skipped = [outcome for outcome in outcomes if isinstance(outcome, Skipped)]
        return [f"not measured with {setting}: {omission.point}: {omission.reason}" for omission in skipped]

    def _keep(self, row: Measurement, doing: str) -> None:
        """Into the profile and its file."""
        grown = replace(self.so_far, measurements=with_row(self.so_far.measurements, row))
        if self.output is not None:
            write_document(self.output, grown)
        self.so_far = grown
        self.progress(replaced(self._step(doing), measurement=row))

    def _step(self, doing: str) -> Progress:
        measured = len(self.so_far.measurements)
        missing = sum(len(self._missing(setting)) for setting in self.plan.others)
        return Progress(doing=doing, measured=measured, planned=measured + missing)

    def _warn(self, warnings: Sequence[str]) -> None:
        self.so_far = replace(self.so_far, warnings=(*self.so_far.warnings, *warnings))

    def _best_at(self, setting: Setting) -> Measurement | None:
        """The point of most throughput at the setting."""
        comparable = replace(self.so_far, measurements=tuple(at_one_speed(self.so_far.measurements)))
        rows = _rows_at(comparable, setting)
        return max(rows, key=lambda row: row.throughput_records_per_s, default=None)

    def _lead(self, setting: Setting) -> float:
        """By what factor the setting's best point is faster than the base's; 0 without a point."""
        own, other = self._best_at(self.plan.base), self._best_at(setting)
        return other.throughput_records_per_s / own.throughput_records_per_s if own and other else 0.0

    def _challenger(self) -> Setting | None:
        """The worker count that measured best, if that is better than the base."""
        counts = [other for other in self.plan.others if other.workers != self.plan.base.workers]
        first = max(counts, key=self._lead, default=None)
        return first if first is not None and self._lead(first) > 1 else None

    def _verify(self, challenger: Setting, each_s: float) -> None:
        """Both best points measured again, longer; the challenger is recommended where it is better beyond noise."""
        for setting in (self.plan.base, challenger):
            row = self._best_at(setting)
            if row is not None:
                self._warn(self._measured(setting, (point_of(row),), each_s, f"measuring again ({setting})"))
        row, own, base = self._best_at(challenger), self._best_at(self.plan.base), self.plan.base
        if row is None or own is None or repeat_interval(row).low <= own.throughput_records_per_s:
            return
        lead = row.throughput_records_per_s / own.throughput_records_per_s
        variables = " ".join(f"--env {name}={value}" for name, value in challenger.environment.items())
        told = (
            f"{challenger.workers} workers measured {lead - 1:.0%} faster than the {base.workers} that most points "
            f"were measured with, also when both were measured again: profile with {variables} for a plan of that"
        )
        self._warn([told])
        if self.so_far.best is not None and self.so_far.best.objective == "throughput":
            self.so_far = replace(self.so_far, best=_recommended(row))


def _recommended(row: Measurement) -> BestPoint:
    """The point as the one to recommend, with its workers."""
    return BestPoint(
        records_per_request=row.records_per_request,
        concurrency=row.concurrency,
        workers=row.workers,
        throughput_records_per_s=row.throughput_interval_records_per_s,
        latency_s=row.mean_latency_s,
        objective="throughput",
    )
