"""How long a job takes before its first request, and how much of that is paid for.

Neither is published. Public job logs of an XGBoost notebook on ml.m4.xlarge show 3 m 24 s and 3 m 22 s (2020) and
6 m 41 s (2024) from CreateTransformJob to the container's first line, and 21 s, 31 s and 6 s from there to the first
/ping that succeeds; users report 3-5 minutes and, for large images, 7-8. The bill covers TransformStartTime to
TransformEndTime (DescribeTransformJob); what happens before TransformStartTime is not documented, so the billed part
reaches from the container's own start alone to everything.
"""

from typing import Final

import numpy as np

from planner.documents import Value
from planner.interval import Interval
from planner.performance.prediction import Bounds

PREPARATION_S: Final = Interval(low=180.0, mid=270.0, high=480.0)
"""From CreateTransformJob to the start of the container: machines, image, model."""
BILLED_PREPARATION_S: Final = Interval(low=0.0, mid=60.0, high=480.0)
"""The part of it that is billed; the middle is our guess: image and model arrive on a machine that is paid for."""
CONTAINER_START_S: Final = Interval(low=6.0, mid=21.0, high=31.0)
"""From the container's start to the first successful /ping where it was not measured: the three logs above."""


class Startup(Value, frozen=True, kw_only=True):
    """Start-up times of a job, before and after what the instance type changes."""

    preparation_s: Interval = PREPARATION_S
    """From creating the job to the start of the container; the same on every instance type."""
    billed_preparation_s: Interval = BILLED_PREPARATION_S
    container_s: Interval = CONTAINER_START_S
    """From the container's start to its first successful /ping, on the profiled host."""
    source: str
    """Where the numbers come from, for the plan's assumptions."""


def startup(container_start_s: float | None = None, given_s: Interval | None = None) -> Startup:
    """The start-up that a plan counts with: measured container start, published waiting, or what the user gave.

    `given_s` is the whole time from creating the job to the first request; all of it, at most, is billed.
    """
    if given_s is not None:
        billed = Interval(low=min(BILLED_PREPARATION_S.low, given_s.low), mid=min(60.0, given_s.mid), high=given_s.high)
        return Startup(
            preparation_s=given_s,
            billed_preparation_s=billed,
            container_s=Interval.exactly(0.0),
            source="start-up as given",
        )
    if container_start_s is None:
        return Startup(source="container start not measured: 6 to 31 s as in public job logs")
    return Startup(
        container_s=Interval.exactly(container_start_s),
        source=f"container start of {container_start_s:.1f} s measured here and scaled by the type's speed",
    )


def on_types(times: Startup, latency_speed: Bounds) -> tuple[Bounds, Bounds]:
    """(T,) seconds to the first request, and (T,) billed seconds of those, on types of these single-request speeds."""
    container = Bounds(
        low=times.container_s.low / latency_speed.high,
        mid=times.container_s.mid / latency_speed.mid,
        high=times.container_s.high / latency_speed.low,
    )
    return _plus(container, times.preparation_s), _plus(container, times.billed_preparation_s)


def _plus(column: Bounds, constant: Interval) -> Bounds:
    """Independent times: the sum of the middles, half-widths in quadrature."""
    mid = column.mid + constant.mid
    return Bounds(
        low=mid - np.hypot(column.mid - column.low, constant.mid - constant.low),
        mid=mid,
        high=mid + np.hypot(column.high - column.mid, constant.high - constant.mid),
    )
