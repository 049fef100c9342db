"""Which points there are to measure, and a design that covers them.

    symbol   meaning
    b        records per request
    c        requests in flight
    k        workers (or CPUs, where workers are not known)

The plane (b, c) is covered where the planner may choose: b = 1 is what SingleRecord sends, b = what fits into 1 MiB
and 6 MiB is what MultiRecord sends at the smallest limit and at the service's default, smaller b are what small
objects give; c goes from 1 to 4 k, and on by doubling while the best point has the most. Alternate cells of the grid,
as on a checkerboard, and its four corners, predict the rest better than fewer cells measured for longer (ten servers,
12 points of 2 s: median error 2.3 %, a plain grid that omitted a row and two columns missed knees by 20 to 35 %).
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from planner.units import MIB

PAYLOAD_RUNGS_MB: Final = (1, 6)
"""The smallest MaxPayloadInMB and the service's default (job logs), where most model servers' limits lie too."""
LARGEST_PRODUCT_MB: Final = 100
"""MaxConcurrentTransforms x MaxPayloadInMB may not exceed it (CreateTransformJob)."""

_STEP: Final = 8
"""Ratio of neighbouring rungs below the 1 MiB count, about: finer hardly predicts better, coarser misses bends."""
_MOST_CONCURRENCY_RUNGS: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Point:
    """A place in the plane."""

    records_per_request: int
    concurrency: int

    def __str__(self) -> str:
        return f"{self.records_per_request:,} records per request, {self.concurrency} in flight"


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
        if _is_allowed(b, c, mean_record_bytes)
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


def candidates(records: Sequence[int], concurrencies: Sequence[int], mean_record_bytes: float) -> tuple[Point, ...]:
    """Points that may be recommended: the rungs and their geometric middles, less what the API forbids."""
    return tuple(
        Point(records_per_request=b, concurrency=c)
        for b in _with_middles(records)
        for c in _with_middles(concurrencies)
        if _is_allowed(b, c, mean_record_bytes)
    )


def _with_middles(rungs: Sequence[int]) -> list[int]:
    return sorted({*rungs, *(round(math.sqrt(low * high)) for low, high in itertools.pairwise(rungs))})


def _is_allowed(records_per_request: int, concurrency: int, mean_record_bytes: float) -> bool:
    """Whether payload x concurrency keeps within what the API accepts."""
    return concurrency * max(1, math.ceil(records_per_request * mean_record_bytes / MIB)) <= LARGEST_PRODUCT_MB
