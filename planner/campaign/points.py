"""Which points to measure, in which order, for how long: a pure rule that is handed `probe` and `measure`.

    symbol   meaning
    b        records per request
    c        requests in flight
    k        workers (or CPUs, where workers are not known)
    S(b)     latency of one request of b records, alone, in seconds

The plane (b, c) is covered where the planner may choose: b = 1 is what SingleRecord sends, b = what fits into 1 MiB
and 6 MiB is what MultiRecord sends at the smallest limit and at the service's default, smaller b are what small
objects give; c goes from 1 to 4 k. Alternate cells of the grid, as on a checkerboard, and its four corners, predict
the rest better than fewer cells measured for longer (ten servers, 12 points of 2 s: median error 2.3 %, a plain grid
that omitted a row and two columns missed knees by 20 to 35 %).
"""

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from planner.profiling.profile import Measurement
from planner.units import MIB, show_seconds

PAYLOAD_RUNGS_MB: Final = (1, 6)
"""The smallest MaxPayloadInMB and the service's default (job logs), where most model servers' limits lie too."""
LARGEST_PRODUCT_MB: Final = 100
"""MaxConcurrentTransforms x MaxPayloadInMB may not exceed it (CreateTransformJob)."""

_STEP: Final = 8
"""Ratio of neighbouring rungs below the 1 MiB count, about: finer hardly predicts better, coarser misses bends."""
_MOST_CONCURRENCY_RUNGS: Final = 5
_COMPLETIONS: Final = 5
"""A point must be able to complete that many requests after its warm-up."""
_SLOW_SHARE: Final = 0.25
"""No point may take more than this share of the time budget."""
_SHORTEST_POINT_S: Final = 0.2
_LONGEST_POINT_S: Final = 8.0
"""Coverage beats long windows: time left over goes to no point in particular."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Point:
    """A place in the plane."""

    records_per_request: int
    concurrency: int

    def __str__(self) -> str:
        return f"{self.records_per_request:,} records per request, {self.concurrency} in flight"


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """A planned point that was not measured."""

    point: Point
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A probe that the container answered with "too large"."""

    reason: str


Probe: TypeAlias = Callable[[int], float | Refused]
"""Records per request -> seconds that one request alone took."""
Measure: TypeAlias = Callable[[Point, float], Measurement]
"""Point and seconds to spend on it -> its measurement."""


def records_ladder(mean_record_bytes: float) -> tuple[int, ...]:
    """Records per request worth measuring for records of that size, ascending: 1, then by about 8 to 6 MiB."""
    fitting = [max(1, int(limit * MIB // mean_record_bytes)) for limit in PAYLOAD_RUNGS_MB]
    smallest = fitting[0]
    between = max(0, round(math.log(smallest, _STEP)) - 1)
    geometric = [round(smallest ** (step / (between + 1))) for step in range(1, between + 1)]
    ladder = {1, *geometric, *fitting}
    if len(ladder) == 1 and 2 * mean_record_bytes <= LARGEST_PRODUCT_MB * MIB:
        ladder.add(2)
    return tuple(sorted(ladder))


def concurrency_ladder(workers: int) -> tuple[int, ...]:
    """Requests in flight worth measuring: powers of two from 1 to about 4 x workers, at most five, at most 100."""
    top = max(2, math.floor(math.log2(min(LARGEST_PRODUCT_MB, 4 * workers))))
    rungs = min(top + 1, _MOST_CONCURRENCY_RUNGS)
    return tuple(sorted({2 ** round(top * step / (rungs - 1)) for step in range(rungs)}))


def checkerboard(records: Sequence[int], concurrencies: Sequence[int], mean_record_bytes: float) -> tuple[Point, ...]:
    """Alternate cells and the corners of the grid, the most telling first.

    Cells that the API forbids (payload x concurrency > 100 MiB) are left out. The corners of what remains lead;
    then each next cell is the one farthest from all before it, in rungs.
    """
    cells = {
        (row, column)
        for row, b in enumerate(records)
        for column, c in enumerate(concurrencies)
        if c * max(1, math.ceil(b * mean_record_bytes / MIB)) <= LARGEST_PRODUCT_MB
    }
    corners = _corners(cells)
    left = sorted(cell for cell in cells if sum(cell) % 2 == 0 and cell not in corners)
    order = list(corners)
    while left:
        farthest = max(left, key=lambda cell: min(math.dist(cell, taken) for taken in order))
        left.remove(farthest)
        order.append(farthest)
    return tuple(Point(records_per_request=records[row], concurrency=concurrencies[column]) for row, column in order)


def _corners(cells: set[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """The extreme cells: all (row, column) combinations of least and most, and most c where it excludes most b."""
    least = min(cells)
    most_b = max(cells)
    most_c_of_least = max(cell for cell in cells if cell[0] == least[0])
    least_c_of_most = min(cell for cell in cells if cell[0] == most_b[0])
    most_c = max(cells, key=lambda cell: (cell[1], cell[0]))
    return tuple(dict.fromkeys((least, most_b, most_c_of_least, least_c_of_most, most_c)))


@dataclass(slots=True, kw_only=True)
class ServiceTimes:
    """S(b) as far as it is known: linear between the known points, along the last slope beyond them."""

    known_s: dict[int, float] = field(default_factory=dict)

    def expected_s(self, records_per_request: int) -> float:
        """S(b) by interpolation; beyond the largest known b at most proportional to b."""
        points = sorted(self.known_s.items())
        if not points:
            return 0.0
        for (b1, s1), (b2, s2) in itertools.pairwise(points):
            if b1 <= records_per_request <= b2:
                return s1 + (s2 - s1) * (records_per_request - b1) / (b2 - b1)
        b2, s2 = points[-1]
        slope = s2 / b2
        if len(points) > 1:
            b1, s1 = points[-2]
            slope = min(slope, max(0.0, (s2 - s1) / (b2 - b1)))
        return s2 + slope * max(0, records_per_request - b2)


def time_needed_s(service_time_s: float, concurrency: int, workers: int) -> float:
    """Seconds a point needs: a wave of warm-up, five completions or another wave, and the wave that drains."""
    latency_s = service_time_s * max(1.0, concurrency / workers)
    return latency_s * (2 + max(1.0, _COMPLETIONS / concurrency))


def run_points(
    planned: Sequence[Point],
    *,
    workers: int,
    probe: Probe,
    measure: Measure,
    seconds_left: Callable[[], float],
) -> Iterator[Measurement | Skipped]:
    """Measure the planned points in order until the time is used; say of each other one why it was left out.

    First one request of each size goes alone, smallest first, which tells S(b) and so what a point will take;
    sizes that would take too long, or that the container refuses as too large, end the ladder. The time that is
    left is dealt out evenly, so what a quick point leaves goes to the later ones.
    """
    most_s = seconds_left() * _SLOW_SHARE
    times = ServiceTimes()
    refusal = _probe_all(sorted({p.records_per_request for p in planned}), times, probe, most_s, workers)
    waiting = []
    for point in planned:
        needed_s = time_needed_s(times.expected_s(point.records_per_request), point.concurrency, workers)
        if refusal is not None and point.records_per_request >= refusal[0]:
            yield Skipped(point=point, reason=refusal[1])
        elif needed_s > most_s and point != planned[0]:
            yield Skipped(
                point=point,
                reason=f"it needs about {show_seconds(needed_s)}, more than a quarter of the time budget",
            )
        else:
            waiting.append((point, needed_s))
    for index, (point, needed_s) in enumerate(waiting):
        left_s = seconds_left()
        share_s = min(_LONGEST_POINT_S, max(_SHORTEST_POINT_S, left_s / (len(waiting) - index)))
        shortest_s = max(needed_s, _SHORTEST_POINT_S / 2)
        if index and left_s < shortest_s:
            yield Skipped(point=point, reason=f"it needs {show_seconds(shortest_s)} and the time budget is used")
        else:
            yield measure(point, max(shortest_s, min(share_s, left_s)))


def _probe_all(
    ladder: Sequence[int], times: ServiceTimes, probe: Probe, most_s: float, workers: int
) -> tuple[int, str] | None:
    """Learn S(b) along the ladder; the size from which on nothing can be measured, and why, if there is one.

    Between rungs far apart sizes in between are probed as well: a slope is not to be trusted over a factor of
    more than eight.
    """
    for rung in ladder:
        while True:
            last = max(times.known_s, default=0)
            size = rung if last == 0 or rung <= 2 * _STEP * last else last * _STEP
            expected_s = times.expected_s(size)
            if last and time_needed_s(expected_s, 1, workers) > most_s:
                return rung, f"one request would take about {show_seconds(expected_s)}, too long for the time budget"
            answer = probe(size)
            if isinstance(answer, Refused):
                return rung, answer.reason
            times.known_s[size] = answer
            if size == rung:
                break
    return None
