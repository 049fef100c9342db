"""The fitted server on the host it was profiled on, tabulated for speed.

symbol   meaning                                                           unit
S, Q, n  service time, spacing and sharpness, averaged over the committee  s, s, 1
E(b, c)  ln X of committee and correction together, less ln X of (S, Q, n) 1
h(b, c)  half width of the 90 % interval on the log scale                  1
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from planner.performance.committee import Committee, fit_committee
from planner.performance.curves import CurveTable, mean_times, served, tabulate
from planner.performance.intervals import (
    GROWTH_CONCURRENCY,
    GROWTH_RECORDS,
    Axis,
    Hull,
    gap_error,
    half_width,
    inflation,
    session_doubt,
    shared_doubt,
)
from planner.performance.points import FEWEST_POINTS, Points
from planner.performance.prediction import Floats
from planner.performance.residual import Residual, Surface, fit_residual, places
from planner.performance.scaling import seconds_per_request
from planner.performance.service import Demand, fit_demand
from planner.performance.turns import Parallelism

_TABLE: Final = (57, 65)


@dataclass(frozen=True, slots=True, kw_only=True)
class HostModel:
    """Everything fitted from one profile's throughput."""

    points: Points
    committee: Committee
    residual: Residual
    hull: Hull
    cpus: float
    capacity_cores: float
    """Throughput of the host with all its CPUs busy, in units of one busy thread: below `cpus` where its CPUs are
    hyperthreads or share what the server needs."""
    workers: float | None
    sharpness: float
    serial_share: float | None
    """σ over CPU limits; None where CPUs were not varied."""
    contention: float
    """σ, where it says what more CPUs than were measured bring: between limits of a CPU and more. 0 else, since a
    quota of less than a CPU runs everything in turn anyway."""
    cpu_alone: Demand | None
    cpu_loaded: Demand | None
    factor: float
    """q of planner.performance.intervals."""
    left_out_errors: Floats
    """Of every fold's points: ln X measured - predicted by the whole model without the fold."""
    parallelism: Parallelism
    """CPUs that it can keep busy however many there are."""
    table: CurveTable
    correction: Surface
    slower: Surface
    """h downwards: beyond the measured concurrency it reaches down to no growth at all."""
    faster: Surface
    """h upwards."""

    @property
    def growth_is_known(self) -> bool:
        """Whether the profile leaves nothing open of what more CPUs bring, besides what always widens with them."""
        return self.parallelism.is_known and self.parallelism.handover == 1 and not self.contention


def fit_host(points: Points, workers: float | None, parallelism: Parallelism) -> HostModel:
    """The server's model on its own host, from its measured points and what its threads said."""
    committee = fit_committee(points)
    residual = fit_residual(points, committee.residuals)
    left_out = _left_out(committee, residual)
    between = [alone for alone, corner in zip(left_out, _corners(points), strict=False) if not corner]
    factor = inflation(*(np.concatenate(column) for column in zip(*between, strict=True)))
    hull = _hull(points, committee, left_out)
    demands = _demands(points)
    scaled = [float(law.serial_share[0]) for law in committee.laws if law.form.scaled]
    share = float(committee.weights @ scaled) if scaled else None
    correction, slower, faster = _surfaces(points, committee, residual, hull, factor, alone=demands[0])
    cpus = float(points.cpus.max())
    return HostModel(
        points=points,
        committee=committee,
        residual=residual,
        hull=hull,
        cpus=cpus,
        capacity_cores=_capacity_cores(points, committee, demands, cpus),
        workers=workers,
        sharpness=_mean_sharpness(committee),
        serial_share=share,
        contention=share if share is not None and np.sum(np.unique(points.cpus) >= 1) > 1 else 0.0,
        cpu_alone=demands[0],
        cpu_loaded=demands[1],
        factor=factor,
        left_out_errors=np.concatenate([errors for errors, _ in left_out]),
        parallelism=parallelism,
        table=tabulate(committee, demands, cpus=cpus, workers=workers, slack=_slack(points), parallelism=parallelism),
        correction=correction,
        slower=slower,
        faster=faster,
    )


def _corners(points: Points) -> list[bool]:
    """For each point, whether it is extreme in b and in c; none where fewer than four points would be left.

    The rest extrapolates to a corner, which says little about going between.
    """
    extreme = [(x == x.min()) | (x == x.max()) for x in (points.records_per_request, points.concurrency)]
    corner = extreme[0] & extreme[1]
    return [bool(extreme_in_both) and np.sum(~corner) >= FEWEST_POINTS for extreme_in_both in corner]


def _left_out(committee: Committee, residual: Residual) -> list[tuple[Floats, Floats]]:
    """For each fold, errors of the whole model at its points and the standard deviations it claimed there."""
    found = []
    for fold, row in zip(committee.folds, committee.left_out_residuals, strict=True):
        mean, sd = residual.without(row, fold)
        found.append((row[fold] - mean, sd))
    return found


def _hull(points: Points, committee: Committee, left_out: list[tuple[Floats, Floats]]) -> Hull:
    """The measured ranges, with the errors between their values from the folds that leave one out whole.

    The noise of the points left out is no error of going between.
    """
    axes = []
    for column, growth in ((points.records_per_request, GROWTH_RECORDS), (points.concurrency, GROWTH_CONCURRENCY)):
        values = np.log(column)
        whole = [
            (float(values[fold][0]), np.sqrt(np.maximum(errors**2 - points.noise[fold] ** 2, 0.0)))
            for fold, (errors, _) in list(zip(committee.folds, left_out, strict=True))[len(points) :]
            if np.array_equal(fold, values == values[fold][0])
        ]
        distinct = np.unique(values)
        axes.append(Axis(values=distinct, gap=gap_error(distinct, whole), growth=growth))
    return Hull(records=axes[0], concurrency=axes[1])


def _demands(points: Points) -> tuple[Demand | None, Demand | None]:
    """CPU seconds of a request at the lowest and at the highest concurrency of each number of records."""
    seen = points.keep(~np.isnan(points.cpu_s_per_request) & (points.cpu_s_per_request > 0))
    if len(seen) < 2:
        return None, None
    lines = []
    for pick in (np.min, np.max):
        extreme = np.zeros(len(seen), dtype=np.bool_)
        for records in np.unique(seen.records_per_request):
            same = seen.records_per_request == records
            extreme |= same & (seen.concurrency == pick(seen.concurrency[same]))
        chosen = seen.keep(extreme)
        lines.append(fit_demand(chosen.records_per_request, chosen.cpu_s_per_request))
    return lines[0], lines[1]


def _slack(points: Points) -> float:
    """Median doubt upwards of the most loaded point of each number of records: how much shorter the spacing may be."""
    records = np.unique(points.records_per_request)
    most = [np.max(points.concurrency[points.records_per_request == value]) for value in records]
    loaded = points.concurrency == np.array(most)[np.searchsorted(records, points.records_per_request)]
    return float(np.median(points.above[loaded]))


def _mean_sharpness(committee: Committee) -> float:
    """n: geometric mean over the committee."""
    return float(np.exp(committee.weights @ [np.log(float(law.sharpness[0])) for law in committee.laws]))


def _capacity_cores(
    points: Points, committee: Committee, demands: tuple[Demand | None, Demand | None], cpus: float
) -> float:
    """D alone over Q where the CPUs are the limit: busy threads' worth of work done at once.

    All CPUs where it is within 10 % of that. Between half the CPUs (siblings that gain nothing from each other)
    and all; all of them where the server never kept them busy, or burns less CPU per request under load (it
    merges requests).
    """
    alone, loaded = demands
    if alone is None or loaded is None or cpus <= 1:
        return cpus
    records = np.unique(points.records_per_request)
    spacing = mean_times(committee, records)[1]
    busy = loaded.at(records) >= 0.85 * cpus * spacing
    if not np.any(busy):
        return cpus
    gained = float(np.median((alone.at(records) / spacing)[busy]))
    return cpus if gained > 0.9 * cpus else max(1.0, cpus / 2, gained)


def _surfaces(
    points: Points, committee: Committee, residual: Residual, hull: Hull, factor: float, *, alone: Demand | None
) -> tuple[Surface, Surface, Surface]:
    """E and h, downwards and upwards, on an even grid of (ln b, ln c) that reaches well past the hull."""
    ln_b = np.linspace(0.0, max(hull.records.values[-1] + 4.0, np.log(1e6)), _TABLE[0])
    ln_c = np.linspace(0.0, max(hull.concurrency.values[-1] + 2.5, np.log(200.0)), _TABLE[1])
    grid_b, grid_c = (axis.ravel() for axis in np.meshgrid(ln_b, ln_c, indexing="ij"))
    blank = np.full_like(grid_b, np.nan)
    where = Points(
        records_per_request=np.exp(grid_b),
        concurrency=np.exp(grid_c),
        cpus=np.full_like(grid_b, committee.laws[0].reference_cpus),
        workers=blank,
        log_requests_per_s=blank,
        noise=blank,
        doubt=blank,
        below=blank,
        above=blank,
        session=blank,
        cpu_s_per_request=blank,
        p99_ratio=blank,
    )
    predicted = np.stack([law.log_requests_per_s(where) for law in committee.laws])
    mean = committee.weights @ predicted
    spread = np.sqrt(committee.weights @ (predicted - mean) ** 2)
    shift, sd = residual.at(places(where))
    service, spacing = served(committee, alone, float(points.cpus.max()), where.records_per_request)
    in_flight = where.concurrency
    core = -np.log(seconds_per_request(service / in_flight, spacing, in_flight, _mean_sharpness(committee)))
    claimed = np.hypot(sd, np.median(points.steady_noise))
    shape = (len(ln_b), len(ln_c))
    width = half_width(factor=factor, claimed=claimed, spread=spread, hull=hull, ln_b=grid_b, ln_c=grid_c)
    seen = np.log(points.records_per_request), np.log(points.concurrency)
    width = np.hypot(width, session_doubt(points.session, grid_b, grid_c, *seen)).reshape(shape)
    total = (mean + shift).reshape(shape)
    last = np.array([np.interp(hull.concurrency.values[-1], ln_c, row) for row in total])
    below, above = (shared_doubt(side, grid_b, grid_c, *seen).reshape(shape) for side in (points.below, points.above))
    unseen = np.where(ln_c > hull.concurrency.values[-1], np.maximum(total - last[:, None], 0.0), 0.0)
    return (
        Surface(ln_b, ln_c, total - core.reshape(shape)),
        Surface(ln_b, ln_c, np.hypot(np.hypot(width, below), unseen)),
        Surface(ln_b, ln_c, np.hypot(width, above)),
    )
