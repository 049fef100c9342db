"""How long points take and which fit into the time: one container, measured point after point until a time is up.

symbol   meaning
b        records per request
c        requests in flight
k        workers (or CPUs, where workers are not known)
S(b)     latency of one request of b records, alone, in seconds
"""

import contextlib
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Final, TypeAlias

from planner.campaign.points import Point
from planner.documents import replace
from planner.errors import TooFewRequestsError
from planner.profiling.profile import Measurement
from planner.profiling.replicates import merged
from planner.units import show_seconds

_COMPLETIONS: Final = 5
"""A point must be able to complete that many requests after its warm-up."""
SLOW_SHARE: Final = 0.25
"""No point may take more than this share of the time budget, unless said otherwise."""
SHORTEST_POINT_S: Final = 0.2
_LONGEST_POINT_S: Final = 8.0
"""Coverage beats long windows: time left over goes to no point in particular."""
_MOST_SLOWDOWN: Final = 4.0
_TRUSTED_RATIO: Final = 16
"""A slope of S is followed over at most this factor of b before another size is probed."""
STRONGLY_DISTURBED: Final = 0.25
"""A point during which others took more than this share of the machine's CPU time is measured again."""

_MOST_AGAIN: Final = 2
"""Time is kept for so many second measurements; where more points are disturbed, all of the machine is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """A planned point that was not measured."""

    point: Point
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A probe that the container answered with "too large"."""

    reason: str
    request_bytes: int = 0


Probe: TypeAlias = Callable[[int], float | Refused]
"""Records per request -> seconds that one request alone took."""
Measure: TypeAlias = Callable[[Point, float], Measurement]
"""Point and seconds to spend on it -> its measurement."""


def point_of(row: Measurement) -> Point:
    """Where it was measured."""
    return Point(records_per_request=row.records_per_request, concurrency=row.concurrency)


def with_row(rows: Sequence[Measurement], row: Measurement) -> tuple[Measurement, ...]:
    """The rows and this one, which takes the place of one of the same point and setting.

    It is the newest and knows best how unsteady the machine is, which goes for all of them.
    """

    def place(other: Measurement) -> tuple[Point, float, int | None]:
        return point_of(other), other.cpus, other.workers

    older = [replace(other, unsteadiness=row.unsteadiness) for other in rows]
    if place(row) not in map(place, older):
        return (*older, row)
    return tuple(row if place(other) == place(row) else other for other in older)


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


class Bench:
    """One container under test: what it can be asked, what that takes, and what is left of the time."""

    def __init__(
        self,
        *,
        workers: int,
        probe: Probe,
        measure: Measure,
        seconds_left: Callable[[], float],
        slow_share: float = SLOW_SHARE,
    ) -> None:
        self._workers = workers
        self._probe = probe
        self._measure = measure
        self.seconds_left = seconds_left
        self.times = ServiceTimes()
        self._most_s = seconds_left() * slow_share
        self._refusal: tuple[int, str] | None = None
        self.refused_bytes: int | None = None
        """Body size that the container found too large, if one did."""
        self.measured: list[Measurement] = []
        self._windows: dict[Point, list[Measurement]] = {}

    def learn(self, sizes: Iterable[int]) -> None:
        """S(b) up to these sizes: one request of each goes alone, smallest first.

        A size that would take too long, or that the container refuses as too large, ends the ladder. Between rungs
        far apart sizes in between are probed as well.
        """
        for rung in sorted(set(sizes)):
            while self._refusal is None and rung > max(self.times.known_s, default=0):
                self._climb(rung)

    def _climb(self, rung: int) -> None:
        """One probe on the way to the rung."""
        last = max(self.times.known_s, default=0)
        size = rung if last == 0 or rung <= _TRUSTED_RATIO * last else last * _TRUSTED_RATIO // 2
        if last and self._takes_too_long(size):
            # Proportion to the last size is the most that it may take; twice that size tells the slope.
            if size <= 2 * last or self._takes_too_long(2 * last):
                expected_s = show_seconds(self.times.expected_s(size))
                self._refusal = rung, f"one request would take about {expected_s}, too long for the time budget"
                return
            size = 2 * last
        answer = self._probe(size)
        if isinstance(answer, Refused):
            self._refusal = rung, answer.reason
            self.refused_bytes = answer.request_bytes
        else:
            self.times.known_s[size] = answer

    def _takes_too_long(self, size: int) -> bool:
        return time_needed_s(self.times.expected_s(size), 1, self._workers) > self._most_s

    def needed_s(self, point: Point) -> float:
        """Seconds that the point takes at least."""
        expected_s = self.times.expected_s(point.records_per_request) * self._slowdown()
        return max(SHORTEST_POINT_S / 2, time_needed_s(expected_s, point.concurrency, self._workers))

    def _slowdown(self) -> float:
        """By how much requests took longer under load than S(b) let expect; 1 where they did not."""
        ratios = []
        for row in self.measured:
            waves = max(1.0, row.concurrency / self._workers)
            expected_s = self.times.expected_s(row.records_per_request) * waves
            ratios.append(row.mean_latency_s / expected_s if expected_s > 0 else 1.0)
        return min(_MOST_SLOWDOWN, max(1.0, median(ratios))) if ratios else 1.0

    def obstacle(self, point: Point) -> str | None:
        """Why the point cannot be measured at all; None when it can, time permitting."""
        if self._refusal is not None and point.records_per_request >= self._refusal[0]:
            return self._refusal[1]
        needed_s = self.needed_s(point)
        if needed_s > self._most_s:
            return f"it needs about {show_seconds(needed_s)}, too much of the time budget"
        return None

    def take(self, point: Point, to_come: int) -> Measurement | Skipped:
        """The point, measured for its share of the time: `to_come` points, itself counted, share what is left.

        The very first one is measured whatever it takes.
        """
        left_s, needed_s = self.seconds_left(), self.needed_s(point)
        if self.measured and left_s < needed_s:
            return Skipped(point=point, reason=f"it needs {show_seconds(needed_s)} and the time budget is used")
        share_s = left_s / (to_come + min(_MOST_AGAIN, len(self._disturbed())))
        share_s = min(_LONGEST_POINT_S, max(SHORTEST_POINT_S, share_s))
        try:
            row = self._measured(point, max(needed_s, min(share_s, left_s)))
        except TooFewRequestsError as error:
            if not self.measured:
                raise
            return Skipped(point=point, reason=str(error))
        self.measured.append(row)
        self._windows[point] = [row]
        return row

    def _measured(self, point: Point, seconds: float) -> Measurement:
        """The point, in so many seconds, of which the requests in flight at its end take the last."""
        waves = max(1.0, point.concurrency / self._workers)
        drain_s = self.times.expected_s(point.records_per_request) * self._slowdown() * waves
        return self._measure(point, max(SHORTEST_POINT_S / 2, seconds - drain_s))

    def seconds_again(self, row: Measurement) -> float:
        """Time for another window as long as those of this row."""
        return max(self.needed_s(point_of(row)), (row.warmup_s + row.duration_s) / row.windows + row.mean_latency_s)

    def once_more(self, row: Measurement) -> Measurement | None:
        """The row and another window of its point, made one; None where too little completed.

        Of two windows of which one was strongly disturbed the other is kept alone.
        """
        point = point_of(row)
        try:
            new = self._measured(point, self.seconds_again(row))
        except TooFewRequestsError:
            return None
        windows = self._windows.get(point, [row])
        calm = [window for window in (*windows, new) if (window.disturbed_share or 0.0) <= STRONGLY_DISTURBED]
        self._windows[point] = calm or [*windows, new]
        return merged(self._windows[point])

    def _disturbed(self) -> list[Measurement]:
        rows = [row for row in self.measured if (row.disturbed_share or 0.0) > STRONGLY_DISTURBED]
        return sorted(rows, key=lambda row: -(row.disturbed_share or 0.0))

    def again(self) -> Iterator[Measurement]:
        """Strongly disturbed points measured again while the time lasts, the worst first; of each the better one."""
        for row in self._disturbed():
            seconds = self.seconds_again(row)
            if self.seconds_left() >= seconds:
                with contextlib.suppress(TooFewRequestsError):
                    kept = less_disturbed(row, self._measured(point_of(row), seconds))
                    self._windows[point_of(row)] = [kept]
                    yield kept


def less_disturbed(first: Measurement, second: Measurement) -> Measurement:
    """Of two measurements of a point the one that others disturbed less, with a warning that there were two."""
    before, after = first.disturbed_share or 0.0, second.disturbed_share or 0.0
    kept, which = (second, "this is the second") if after < before else (first, "the first is kept")
    told = f"measured twice: others took {before:.0%} of the machine's CPU time at first, {after:.0%} then; {which}"
    return replace(kept, warnings=(*kept.warnings, told))


def run_points(planned: Sequence[Point], bench: Bench) -> Iterator[Measurement | Skipped]:
    """Measure the planned points in order until the time is used; say of each other one why it was left out.

    The time that is left is dealt out evenly, so what a quick point leaves goes to the later ones. A point that
    comes a second time is the better of two measurements of it.
    """
    bench.learn(point.records_per_request for point in planned)
    waiting = []
    for point in planned:
        reason = bench.obstacle(point)
        if reason is None or (point == planned[0] and point.records_per_request in bench.times.known_s):
            waiting.append(point)
        else:
            yield Skipped(point=point, reason=reason)
    for index, point in enumerate(waiting):
        yield bench.take(point, len(waiting) - index)
    yield from bench.again()
