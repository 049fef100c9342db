"""Which point to measure next, chosen for what it tells about the recommendation: a pure rule over a `Bench`.

Start with a few points that cover the plane; then ask `decide`, which fits a model and recommends, where the answer
may lie and where the model is least sure, measure there, and ask again; then the two points that are about to be
recommended. A better *measured* point is what is reported: ten servers lost 0.6 % on average that way, and 1.2 % to
4.4 % without these two. What is left of the time goes into those that may be the best, measured again and again: one
window does not see what changes from one to the next.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from planner.campaign.bench import Bench, Skipped, point_of, with_row
from planner.campaign.points import Point
from planner.campaign.settling import in_doubt, unexplained
from planner.profiling.one_speed import at_one_speed
from planner.profiling.profile import Measurement

START_POINTS: Final = 7
"""The four corners and three cells between them; a model takes four."""
POINTS: Final = 16
"""In all; fewer where the time budget is short or nothing is to be gained."""
VERIFIED: Final = 2
_FOREMOST: Final = 2 * VERIFIED
"""The points to verify are among so many best."""
_A_POINT_S: Final = 0.5
"""A time budget buys a point for each of these, as warm-up and window go; 16 of them from 8 s on."""
_GAIN: Final = 0.001
"""Measuring ends early when no point is expected to be better than the best by more than this share."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """What the measurements so far say."""

    recommended: tuple[Point, ...]
    """The points to recommend, best first."""
    telling: tuple[Point, ...]
    """Points worth measuring before recommending, the most telling first."""
    gain: float
    """By what share the best of them is expected to be better than the best known one."""
    contenders: tuple[Point, ...] = ()
    """Points that the recommendation is to be taken from, where one of them was measured; none: from all."""
    surprising: tuple[Point, ...] = ()
    """Measured points that the model does not understand, the strangest first."""


Decide: TypeAlias = Callable[[Sequence[Measurement], Sequence[Point]], Advice | None]
"""Measurements so far and the points to choose from -> advice; None where a model cannot be made of them yet."""

Wider: TypeAlias = Callable[[int], Sequence[Point]]
"""Requests in flight -> candidates with so many; none where the API does not allow it."""


@dataclass(slots=True, kw_only=True)
class _Campaign:
    """The state of one run of the rule."""

    bench: Bench
    decide: Decide
    candidates: tuple[Point, ...]
    rows: tuple[Measurement, ...]
    total: int
    wider: Wider

    @property
    def to_come(self) -> int:
        return max(1, self.total - len(self.rows))

    def held(self) -> set[Point]:
        return {point_of(row) for row in self.rows}

    def take(self, point: Point) -> Measurement | Skipped:
        outcome = self.bench.take(point, self.to_come)
        if isinstance(outcome, Measurement):
            self.put(outcome)
        return outcome

    def row_at(self, point: Point) -> Measurement:
        return next(row for row in self.rows if point_of(row) == point)

    def put(self, row: Measurement) -> None:
        """Put the row in, in the place of the one of its point if there is one."""
        self.rows = with_row(self.rows, row)

    def advice(self) -> Advice | None:
        return self.decide(self.rows, [point for point in self.candidates if self.bench.obstacle(point) is None])

    def widen(self, advice: Advice) -> bool:
        """Whether twice as many requests in flight became candidates: the best point has the most of them.

        How many a server takes at once may not show at few per worker, where workers are not known or it waits.
        """
        top = max(point.concurrency for point in self.candidates)
        if advice.recommended[0].concurrency < top or all(row.concurrency < top for row in self.rows):
            return False
        more = tuple(self.wider(2 * top))
        self.candidates += more
        self.total += bool(more)
        return bool(more)

    def new(self, points: Sequence[Point], most: int) -> list[Point]:
        """The first few of the points that are not measured yet and can be."""
        held, found = self.held(), list[Point]()
        for point in points:
            if len(found) == most:
                break
            if point not in held and point not in found and self._possible(point):
                found.append(point)
        return found

    def quick(self, points: Sequence[Point]) -> list[Point]:
        """The points that take no more than twice their share of the time left: a slow one tells less for it."""
        most_s = 2 * self.bench.seconds_left() / self.to_come
        return [point for point in points if self.bench.needed_s(point) <= most_s]

    def _possible(self, point: Point) -> bool:
        self.bench.learn([point.records_per_request])
        return self.bench.obstacle(point) is None


def run_adaptive(
    design: Sequence[Point],
    candidates: Sequence[Point],
    bench: Bench,
    decide: Decide,
    *,
    held: Sequence[Measurement] = (),
    wider: Wider = lambda _concurrency: (),
) -> Iterator[Measurement | Skipped]:
    """Measure about 16 points, each next one where it tells most, and the best of them again; `held` ones count.

    design: points that cover the plane, in order; the first seven start, the others fill in while `decide` has no
    advice. candidates: what `decide` may choose from; `wider` gives those with more requests in flight, asked while
    the best point has the most of them. A point that comes again takes the place of the one before: it
    is the less disturbed of two measurements, or made of all of them.
    """
    total = min(POINTS, max(START_POINTS, int(bench.seconds_left() / _A_POINT_S)))
    campaign = _Campaign(
        bench=bench, decide=decide, candidates=tuple(candidates), rows=tuple(held), total=total, wider=wider
    )
    yield from _start(campaign, design[:START_POINTS])
    yield from _learn(campaign, design[START_POINTS:])
    yield from _verify(campaign)
    for row in bench.again():
        campaign.put(row)
        yield row
    yield from _settle(campaign)


def _start(campaign: _Campaign, start: Sequence[Point]) -> Iterator[Measurement | Skipped]:
    """The first points; of those of one size only the quickest where the others would take much of the time."""
    held, bench = campaign.held(), campaign.bench
    for row in campaign.rows:
        if row.concurrency == 1:
            bench.times.known_s[row.records_per_request] = row.mean_latency_s
    missing = [point for point in start if point not in held]
    bench.learn(point.records_per_request for point in missing)
    quick = campaign.quick(missing)
    for point in missing:
        sized = [other for other in start if other.records_per_request == point.records_per_request]
        if point not in quick and point != min(sized, key=bench.needed_s):
            continue
        reason = bench.obstacle(point)
        first = point == start[0] and point.records_per_request in bench.times.known_s
        yield campaign.take(point) if reason is None or first else Skipped(point=point, reason=reason)


def _learn(campaign: _Campaign, others: Sequence[Point]) -> Iterator[Measurement]:
    """The points that advice asks for, two for each advice, as long as there is time for them and for verifying."""
    while len(campaign.rows) < campaign.total - VERIFIED:
        advice = campaign.advice()
        if advice is not None and campaign.widen(advice):
            continue
        if advice is not None and advice.gain < _GAIN:
            return
        room = min(2, campaign.total - VERIFIED - len(campaign.rows))
        chosen = campaign.new(campaign.quick(others if advice is None else advice.telling), room)
        kept_s = 0.0
        if advice is not None:
            kept_s = sum(campaign.bench.needed_s(point) for point in campaign.new(advice.recommended, VERIFIED))
        for point in chosen:
            if campaign.bench.seconds_left() < campaign.bench.needed_s(point) + kept_s:
                return
            outcome = campaign.take(point)
            if isinstance(outcome, Measurement):
                yield outcome
        if not chosen:
            return


def _verify(campaign: _Campaign) -> Iterator[Measurement]:
    """Two of the foremost points that were not measured yet, the quickest first; else where more is to be gained.

    Contenders come before others. The second point only where it leaves as much time again: the best is to be measured
    more than once.
    """
    bench = campaign.bench
    advice = campaign.advice() if campaign.rows else None
    if advice is None:
        return
    foremost = sorted(advice.recommended[:_FOREMOST], key=bench.needed_s)
    wanted = (*advice.contenders, *foremost, *(campaign.quick(advice.telling) if advice.gain >= _GAIN else ()))
    for place, point in enumerate(campaign.new(wanted, VERIFIED)):
        if place and 2 * bench.needed_s(point) > bench.seconds_left():
            return
        outcome = campaign.take(point)
        if isinstance(outcome, Measurement):
            yield outcome


def _settle(campaign: _Campaign) -> Iterator[Measurement]:
    """Points that may be the best measured once more, as long as there is time and something at stake.

    Then those that surprise the model, and those whose windows disagree: the machine may have been at something else.
    """
    bench = campaign.bench
    advice = campaign.advice() if campaign.rows else None
    while True:
        rows = at_one_speed(campaign.rows)
        wanted = in_doubt(rows, () if advice is None else advice.contenders, bench.seconds_again)
        strange = unexplained(rows, () if advice is None else advice.surprising)
        left_s = bench.seconds_left()
        row = next((row for row in (*wanted, *strange) if bench.seconds_again(row) <= left_s), None)
        better = None if row is None else bench.once_more(campaign.row_at(point_of(row)))
        if better is None:
            return
        campaign.put(better)
        yield better
