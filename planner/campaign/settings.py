"""One setting of a container's environment, tried: started, checked, measured at a few points, stopped."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeAlias

from planner.campaign.bench import Bench, Skipped, run_points
from planner.campaign.points import Point, records_ladder
from planner.campaign.session import Subject, open_session, workers_of
from planner.container.contract import Container
from planner.errors import (
    ContainerDiedError,
    ContainerStartError,
    InvocationError,
    ResponseMismatchError,
    TooFewRequestsError,
)
from planner.profiling.checks import divisible
from planner.profiling.host import kept_off
from planner.profiling.payloads import Sample
from planner.profiling.profile import Host, LoadGenerator, Measurement, Profile
from planner.profiling.tuning import Trial

OpenContainer: TypeAlias = Callable[[Mapping[str, str]], Container]
"""Environment variables to add to those that were given -> the container, not yet started."""

TRIED_ERRORS: Final = (ContainerStartError, ContainerDiedError, InvocationError, ResponseMismatchError)
"""What a container may answer a setting with: that setting has then failed, and others may be tried."""
SHORTEST_TRIAL_S: Final = 1.0
SLOW_SHARE: Final = 0.6
"""A large request may take so much of the trial: it is what settings differ in."""


def inner_points(sample: Sample, workers: int) -> tuple[Point, ...]:
    """Where a setting is judged: requests of about 1 MiB with one and two per worker in flight, and smaller ones."""
    sizes = records_ladder(sample.payload.mean_record_bytes) if divisible(sample.payload.split_type) else (1,)
    large = sizes[-2] if len(sizes) > 1 else sizes[-1]
    small = max(1, round(math.sqrt(large)))
    places = [(large, workers), (small, workers), (large, 2 * workers)]
    return tuple(dict.fromkeys(Point(records_per_request=b, concurrency=c) for b, c in places))


def trying(
    open_container: OpenContainer, sample: Sample, host: Host, load_generator: LoadGenerator, time_s: float
) -> Callable[[Mapping[str, str]], Trial]:
    """What tries one setting for `time_s` of load; a container that fails under it is an answer, not an error."""

    def try_setting(setting: Mapping[str, str]) -> Trial:
        container = open_container(setting)
        try:
            opening = open_session(container, sample, host, load_generator)
            points = inner_points(sample, workers_of(container, host))
            outcomes = measure_points(container, sample, opening, points, time_s=max(SHORTEST_TRIAL_S, time_s))
            rows = [outcome for outcome in outcomes if isinstance(outcome, Measurement)]
        except TRIED_ERRORS as error:
            reason = str(error).partition("\n")[0]
            return Trial(environment=dict(setting), throughput_records_per_s=None, reason=reason)
        finally:
            container.stop()
        if not rows:
            return Trial(
                environment=dict(setting), throughput_records_per_s=None, reason="no point fitted into the time"
            )
        best = max(rows, key=lambda row: row.throughput_interval_records_per_s.low)
        return Trial(
            environment=dict(setting),
            throughput_records_per_s=best.throughput_records_per_s,
            records_per_request=best.records_per_request,
            concurrency=best.concurrency,
        )

    return try_setting


def verifying(
    open_container: OpenContainer, sample: Sample, host: Host, load_generator: LoadGenerator, time_s: float
) -> Callable[[Trial], float | None]:
    """What measures a trial's setting anew at the trial's point for `time_s`; None where the container fails."""

    def verify(trial: Trial) -> float | None:
        point = Point(records_per_request=trial.records_per_request or 1, concurrency=trial.concurrency or 1)
        container = open_container(trial.environment)
        try:
            opening = open_session(container, sample, host, load_generator)
            outcomes = measure_points(container, sample, opening, [point], time_s=max(SHORTEST_TRIAL_S, time_s))
        except (*TRIED_ERRORS, TooFewRequestsError):
            return None
        finally:
            container.stop()
        rows = [outcome for outcome in outcomes if isinstance(outcome, Measurement)]
        return rows[-1].throughput_records_per_s if rows else None

    return verify


def measure_points(
    container: Container,
    sample: Sample,
    opening: Profile,
    points: Sequence[Point],
    *,
    time_s: float,
    keep: Callable[[Measurement], None] = lambda _: None,
) -> list[Measurement | Skipped]:
    """The points of a started container, as far as they fit into the time, each handed to `keep` as it comes."""
    deadline_s = time.monotonic() + time_s
    outcomes = []
    with kept_off(container.description.cpu_set or ()) as apart:
        subject = Subject(container, sample, opening, apart=apart)
        bench = Bench(
            workers=workers_of(container, opening.host),
            probe=subject.probe,
            measure=subject.measure,
            seconds_left=lambda: deadline_s - time.monotonic(),
            slow_share=SLOW_SHARE,
        )
        for outcome in run_points(points, bench):
            if isinstance(outcome, Measurement):
                keep(outcome)
            outcomes.append(outcome)
    return outcomes
