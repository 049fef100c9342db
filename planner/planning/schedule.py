"""Which option each job takes and when it starts, so that no quota is exceeded at any time, at least cost.

    symbol   meaning
    j, o     job; one of its options: (type, instances, slots, cost)
    s        slot of the start; an option of d slots holds its instances in s, s + 1, ..., s + d - 1
    x_jos    1 where job j takes option o and starts in slot s, else 0
    q        a quota: of one type, or over all of them
    y_q      instances above quota q (only when asked how much is missing)

    minimise   sum cost_o x_jos                    subject to   sum_os x_jos = 1 for every job
                                                                sum of instances held in every slot <= q (+ y_q)

Time-indexed binary programme, solved to optimality by HiGHS (scipy.optimize.milp). Starts and lengths are whole slots,
lengths rounded up: what fits the slots fits real time. Each job is then moved to the earliest start that the others
leave it, which changes no cost.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from planner.errors import InfeasibleError
from planner.planning.space import Floats

TOTAL: Final = "*"
"""The name of the quota over all types."""
SEARCH_S: Final = 60.0
"""Most seconds that the solver may take; what it has then is taken, with its gap, if it has anything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One way to run a job."""

    instance_type: str
    instances: int
    slots: int
    """So many slots it holds its instances, at the confidence."""
    cost_usd: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """One job: its options, and the slots that it may use."""

    options: tuple[Option, ...]
    first_slot: int
    end_slot: int
    """It must have ended by the beginning of this slot."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slotted:
    """What one job does."""

    option: int
    slot: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """What all jobs do, in their order."""

    jobs: tuple[Slotted, ...]
    cost_usd: float
    gap: float
    """How much cheaper, as a fraction, an optimum could still be: 0 when it is proved to be one."""
    above: Mapping[str, int]
    """Instances above each quota; empty unless asked for."""


def cheapest(demands: Sequence[Demand], quotas: Mapping[str, int]) -> Schedule | None:
    """The schedule of least cost under the quotas; None where none keeps them all."""
    return _solved(demands, quotas, slack=False)


def least_increase(demands: Sequence[Demand], quotas: Mapping[str, int]) -> Schedule | None:
    """The schedule that exceeds quotas by the fewest instances in all, then the cheapest; None: no increase helps."""
    return _solved(demands, quotas, slack=True)


def _solved(demands: Sequence[Demand], quotas: Mapping[str, int], *, slack: bool) -> Schedule | None:
    from scipy.optimize import Bounds, LinearConstraint, milp
    from scipy.sparse import csr_array

    places = [
        (j, o, s)
        for j, demand in enumerate(demands)
        for o, option in enumerate(demand.options)
        for s in range(demand.first_slot, demand.end_slot - option.slots + 1)
    ]
    if {j for j, _, _ in places} != set(range(len(demands))):
        return None
    names = sorted(quotas)
    slots = max(demand.end_slot for demand in demands)
    rows, columns, values = _coefficients(demands, places, names, slots)
    width = len(places) + (len(names) if slack else 0)
    upper = np.concatenate([np.ones(len(demands)), np.repeat([float(quotas[n]) for n in names], slots)])
    lower = np.concatenate([np.ones(len(demands)), np.full(len(names) * slots, -np.inf)])
    if slack:
        # Row (quota q, slot) gets -1 in the column of y_q.
        rows = np.concatenate([rows, len(demands) + np.arange(len(names) * slots)])
        columns = np.concatenate([columns, len(places) + np.repeat(np.arange(len(names)), slots)])
        values = np.concatenate([values, np.full(len(names) * slots, -1.0)])
    matrix = csr_array((values, (rows, columns)), shape=(len(demands) + len(names) * slots, width))
    found = milp(
        _weights(demands, places, len(names) if slack else 0),
        constraints=LinearConstraint(matrix, lower, upper),
        integrality=np.ones(width, dtype=np.int64),
        bounds=Bounds(0, np.concatenate([np.ones(len(places)), np.full(width - len(places), np.inf)])),
        options={"time_limit": SEARCH_S, "mip_rel_gap": 1e-7},
    )
    if found.x is None:
        if found.status == 1:
            raise InfeasibleError(
                f"no schedule of {len(demands):,} jobs was found within {SEARCH_S:.0f} s. Plan fewer at a time, or "
                "narrow --instance-type."
            )
        return None
    taken = [place for place, value in zip(places, found.x, strict=False) if value > 0.5]
    above = {name: round(float(y)) for name, y in zip(names, found.x[len(places) :], strict=False)}
    allowed = {name: count + above.get(name, 0) for name, count in quotas.items()}
    return Schedule(
        jobs=_moved_forward(demands, [Slotted(option=o, slot=s) for _, o, s in taken], allowed, slots),
        cost_usd=sum(demands[j].options[o].cost_usd for j, o, _ in taken),
        gap=max(0.0, float(found.mip_gap or 0.0)),
        above=above,
    )


def _moved_forward(
    demands: Sequence[Demand], jobs: list[Slotted], quotas: Mapping[str, int], slots: int
) -> tuple[Slotted, ...]:
    """Every job, in order of its start, at the earliest start that the quotas leave it beside all others."""
    moved = list(jobs)
    for j in sorted(range(len(jobs)), key=lambda number: (jobs[number].slot, number)):
        demand, option = demands[j], demands[j].options[jobs[j].option]
        others = [d for i, d in enumerate(demands) if i != j], [m for i, m in enumerate(moved) if i != j]
        held = usage(*others, slots)
        names = [name for name in (option.instance_type, TOTAL) if name in quotas]
        for slot in range(demand.first_slot, moved[j].slot):
            span = slice(slot, slot + option.slots)
            if all(max(held.get(n, [0] * slots)[span]) + option.instances <= quotas[n] for n in names):
                moved[j] = Slotted(option=jobs[j].option, slot=slot)
                break
    return tuple(moved)


def _weights(demands: Sequence[Demand], places: Sequence[tuple[int, int, int]], slack: int) -> Floats:
    """The objective: cost and, for each instance above a quota, more than all costs."""
    costs = np.array([demands[j].options[o].cost_usd for j, o, _ in places])
    dearest = sum(max(option.cost_usd for option in demand.options) for demand in demands)
    # Scaled to at most 1, so that the solver's tolerances hold for cents and thousands of dollars alike.
    scale = max(dearest, 1e-12)
    return np.concatenate([costs / scale, np.full(slack, 2.0)])


def _coefficients(
    demands: Sequence[Demand], places: Sequence[tuple[int, int, int]], names: Sequence[str], slots: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows, columns and values: each job takes one place; each place holds instances of its quotas in its slots."""
    rows, columns, values = [], [], []
    for column, (j, o, s) in enumerate(places):
        option = demands[j].options[o]
        rows.append([j])
        columns.append([column])
        values.append([1.0])
        for number, name in enumerate(names):
            if name in {option.instance_type, TOTAL}:
                held = len(demands) + number * slots + np.arange(s, s + option.slots)
                rows.append(held.tolist())
                columns.append([column] * option.slots)
                values.append([float(option.instances)] * option.slots)
    return (
        np.concatenate([np.array(part, dtype=np.int64) for part in rows]),
        np.concatenate([np.array(part, dtype=np.int64) for part in columns]),
        np.concatenate([np.array(part) for part in values]),
    )


def usage(demands: Sequence[Demand], jobs: Sequence[Slotted], slots: int) -> dict[str, list[int]]:
    """Instances of each type in each slot, and of all types under TOTAL."""
    held: dict[str, list[int]] = {TOTAL: [0] * slots}
    for demand, job in zip(demands, jobs, strict=True):
        option = demand.options[job.option]
        for name in (option.instance_type, TOTAL):
            row = held.setdefault(name, [0] * slots)
            for slot in range(job.slot, job.slot + option.slots):
                row[slot] += option.instances
    return held
