"""Windows as they would have been had the CPUs run at one speed throughout: what core speeds are used for.

    symbol   meaning                                                                          unit
    v        mean speed of the container's CPUs in a window (planner.profiling.core_speed)    1/s
    d        ln v less what the point itself explains of it                                   1
    k        by how much ln of CPU seconds per request falls for each unit of ln v            1
    f        share of the time in which the container computes                                1

A window's CPU seconds per request are multiplied by exp(k d), its rate by exp(-k f d), its latencies by exp(k f d).

What a point does to the speed itself stays: two busy hardware threads of one core slow each other in the job too. So d
is what is left of ln v after its mean and, where the container keeps more than one CPU busy, a line on how many. Of it
that part is believed by which it varies more than samples do anyway (ARTEFACT): nearly all where neighbours halve a
core's speed, nothing on a machine that is nearly steady. k is fitted to the windows' CPU seconds per record, beside how
these depend on records per request and concurrency, with a prior: code that waits for memory or uses wide vectors feels
a neighbour less than a loop does.
"""

import math
from collections.abc import Sequence
from statistics import fmean
from typing import Final

import numpy as np
from numpy.typing import NDArray

from planner.documents import replace
from planner.profiling.profile import Measurement

FEWEST_WINDOWS: Final = 6
"""Of fewer nothing is said about a point's own effect on the speed."""
ARTEFACT: Final = 0.015
"""Standard deviation of ln v between windows that says nothing: at most 0.011, 0.016 and 0.020 in three runs on an
Emerald Rapids, of the means beside five kinds of work and none, which a drifting machine moves as well, and within
windows (48 of 2 s each, benchmarks.warm_caches; in the first the loop was four times as long)."""
RESIDUAL: Final = 0.7
"""Part of the machine's standard deviation between windows that stays: 0.30 to 0.44 of that of CPU seconds per request
(four servers, 38 windows of 2 s each) with the best k of each; a profile of ten windows knows its k less well."""
SENSITIVITY: Final = 0.7
_SENSITIVITY_SD: Final = 0.35
"""Prior of k: 0.41 to 0.54 of four servers (benchmarks.unsteadiness, sampled half as often), 0.5 to 1.1 of three kinds
of work (benchmarks.sampled_loop), on an Emerald Rapids. On an EPYC, by samples of cold caches: 0.63 to 1.36."""
_MOST_SENSITIVE: Final = 1.5
"""Above what any of them had."""
_SEVERAL_BUSY: Final = 0.5
"""CPUs busy beyond the first, from which they are several and not one that was counted a little too long."""
_SCATTER: Final = 0.07
"""Standard deviation of ln CPU seconds per record about the fit, for the weight of the prior."""


def at_one_speed(*sessions: Sequence[Measurement], faster: float = 0.0) -> list[Measurement]:
    """The rows of the sessions brought to their common speed, in order; to one exp(faster) times lower, if said.

    Unchanged are those without a speed, and all on a steady machine, but for `faster`, which all follow. A row that
    was brought there has no `core_speed` any more, and less is `unexplained`.
    """
    rows = [row for session in sessions for row in session]
    session_of = np.repeat(np.arange(len(sessions)), [len(session) for session in sessions])
    known = np.array([bool(row.core_speed) for row in rows], np.bool_)
    seen = [row for row in rows if row.core_speed]
    off = np.zeros(len(rows))
    if len(seen) >= FEWEST_WINDOWS:
        off[known] = _unexplained(seen)
    spread = float(np.std(off[known])) if seen else 0.0
    if spread <= ARTEFACT:
        return [_moved(row, SENSITIVITY * faster, row.unexplained) for row in rows] if faster else rows
    believed = 1 - (ARTEFACT / spread) ** 2
    off *= believed
    slope = _sensitivity(seen, off[known], session_of[known])
    left = math.sqrt(1 - believed * (1 - RESIDUAL**2))
    return [
        _moved(row, slope * (each + faster), left if row.core_speed else row.unexplained)
        for row, each in zip(rows, off.tolist(), strict=True)
    ]


def at_mean_speed(windows: Sequence[Measurement]) -> tuple[list[Measurement], float | None]:
    """Windows of one point brought to the geometric mean of their speeds, and that; as they are where one has none."""
    logs = [math.log(row.core_speed) for row in windows if row.core_speed]
    if len(logs) < len(windows):
        return list(windows), None
    middle = fmean(logs)
    moved = [_moved(row, SENSITIVITY * (log - middle), RESIDUAL) for row, log in zip(windows, logs, strict=True)]
    return moved, math.exp(middle)


def speed_of(rows: Sequence[Measurement]) -> float | None:
    """Mean speed of the CPUs in the rows while one is busy, in iterations per CPU second; None where none has a speed.

    The geometric mean; where the container keeps several busy, which slow each other, a line's value at one of them, so
    that it does not matter which points were measured.
    """
    seen = [row for row in rows if row.core_speed]
    if not seen:
        return None
    logs, beside_itself = _logs(seen), _beside_itself(seen)
    if beside_itself.max() < _SEVERAL_BUSY:
        return math.exp(logs.mean())
    design = np.column_stack([np.ones(len(seen)), beside_itself])
    return math.exp(np.linalg.lstsq(design, logs, rcond=None)[0][0])


def _unexplained(rows: Sequence[Measurement]) -> NDArray[np.float64]:
    """Of each row its d: shape (rows,)."""
    return _less(_logs(rows), _beside_itself(rows)[:, None])


def _logs(rows: Sequence[Measurement]) -> NDArray[np.float64]:
    return np.log([row.core_speed or math.nan for row in rows])


def _beside_itself(rows: Sequence[Measurement]) -> NDArray[np.float64]:
    """CPUs that the container kept busy beyond the first: shape (rows,)."""
    return np.array([max(0.0, (row.cpus_busy or 0.0) - 1.0) for row in rows])


def _sensitivity(rows: Sequence[Measurement], off: NDArray[np.float64], session: NDArray[np.int64]) -> float:
    """k, the prior's where CPU time cannot be seen; between sessions the container itself may have changed."""
    used = np.array([row.cpu_s_per_record or math.nan for row in rows])
    seen = np.isfinite(used)
    if seen.sum() < FEWEST_WINDOWS:
        return SENSITIVITY
    records = np.log([row.records_per_request for row in rows])[seen]
    in_flight = np.log([row.concurrency for row in rows])[seen]
    apart = session[seen, None] == np.unique(session)[1:]
    point = np.column_stack([records, records**2, in_flight, apart])
    own, cost = _less(off[seen], point), _less(np.log(used[seen]), point)
    weight, pull = float(own @ own) / _SCATTER**2, 1 / _SENSITIVITY_SD**2
    fitted = -float(own @ cost) / _SCATTER**2
    return min(_MOST_SENSITIVE, max(0.0, (fitted + pull * SENSITIVITY) / (weight + pull)))


def _less(values: NDArray[np.float64], columns: NDArray[np.float64]) -> NDArray[np.float64]:
    """What a linear fit on the columns leaves of the values; their mean goes too."""
    design = np.column_stack([np.ones(len(values)), columns])
    return np.asarray(values - design @ np.linalg.lstsq(design, values, rcond=None)[0], dtype=np.float64)


def _moved(row: Measurement, faster: float, unexplained: float) -> Measurement:
    """The row without what its CPUs' speed did: its CPU seconds were exp(-faster) of what they would have been."""
    time = math.exp(row.computing_share * faster)
    return replace(
        row,
        duration_s=row.duration_s * time,
        throughput_records_per_s=row.throughput_records_per_s / time,
        throughput_interval_records_per_s=row.throughput_interval_records_per_s.scaled(1 / time),
        latency_s=tuple(latency * time for latency in row.latency_s),
        cpu_s=None if row.cpu_s is None else row.cpu_s * math.exp(faster),
        core_speed=None,
        unexplained=unexplained,
    )
