"""Which measured point to measure once more, so that the best one is recommended and what it does is known.

    symbol   meaning                                                                  unit
    m, s     ln X of a measured point and its standard deviation, between windows too   1
    m*       the largest m                                                            1
    EI       expected improvement, E[max(0, N(m - m*, s^2 + s*^2))]                    1

What is at stake in another point than the leader is EI: how much better it is expected to be, where it is better. In
the leader itself it is s phi(0), as if it were matched with an equal that is known.
"""

import math
from collections.abc import Callable, Sequence
from statistics import NormalDist
from typing import Final

from planner.campaign.bench import point_of
from planner.campaign.points import Point
from planner.profiling.profile import Measurement

SETTLED: Final = 0.007
"""No point is measured again for less: a leader without rivals comes to three windows where they agree, of equals each
to four or five."""
MOST_WINDOWS: Final = 3
"""Of a point that is measured again only because it surprises."""
_APART: Final = 0.05
"""Standard deviation of a point's rate from which its windows are said to disagree."""
_NORMAL: Final = NormalDist()


def expected_improvement(lead: float, sd: float) -> float:
    """E[max(0, lead + sd N(0, 1))]; `lead` is the mean's lead over the best known, below 0 where it is behind."""
    z = lead / sd
    return sd * (z * _NORMAL.cdf(z) + _NORMAL.pdf(z))


def in_doubt(
    rows: Sequence[Measurement], contenders: Sequence[Point], seconds: Callable[[Measurement], float]
) -> list[Measurement]:
    """The rows worth measuring once more, the most at stake for its time first.

    contenders: points that the recommendation is taken from, where any was measured; else it is taken from all.
    """
    asked = [row for row in rows if point_of(row) in set(contenders)] or list(rows)
    if not asked:
        return []
    leader = max(asked, key=lambda row: row.throughput_records_per_s)
    stakes = [(_stake(row, leader), row) for row in asked]
    worth = [(stake / seconds(row), row) for stake, row in stakes if stake >= SETTLED]
    return [row for _, row in sorted(worth, key=lambda pair: -pair[0])]


def _stake(row: Measurement, leader: Measurement) -> float:
    """Expected gain, as a share of throughput, from knowing the point."""
    sd = row.repeat_log_sd
    if row is leader:
        return expected_improvement(0.0, sd)
    lead = math.log(row.throughput_records_per_s / leader.throughput_records_per_s)
    return expected_improvement(lead, math.hypot(sd, leader.repeat_log_sd))


def unexplained(rows: Sequence[Measurement], surprising: Sequence[Point]) -> list[Measurement]:
    """The rows to measure once more because the model, or one window of theirs, speaks against them.

    surprising: points, the strangest first. Each gets a second window, and a third where the two disagree.
    """
    strange = [row for point in surprising for row in rows if point_of(row) == point and row.windows == 1]
    apart = [row for row in rows if 1 < row.windows < MOST_WINDOWS and row.repeat_log_sd > _APART]
    return [*strange, *apart]
