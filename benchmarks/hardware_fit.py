"""From the rows of a workload class to its mean speeds and to the spread of workloads around them.

    symbol      meaning                                                            shape
    y           ln(score) of one benchmark on every type, a pseudo-workload        [116]
    m           the class's mean row, ln(speed) of every type                      [116]
    d = y - m   how this pseudo-workload likes the types, up to a constant         [116]
    s, h        ln(vCPUs / 8); max(0, ln(vCPUs / 32))                              [116]

The mean row of a class averages what an independent copy per vCPU ("rate") benchmark scores say, suite by suite,
and one factorial row: speed of one thread times a law of scaling with vCPUs. With a single measured type nothing can
be said about how the workload departs from that row (a flat prior on its level takes up the one number), so the rows'
own departures d give the width: per row, ridge regression of d on generation, s, h and their products with
generation; the squared coefficients, averaged with equal weight per suite, are the variance components.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from hardware_scores import (
    GENERATION,
    GENERATIONS,
    LARGE,
    REFERENCE,
    SIZE,
    TYPES,
    VCPUS,
    ClassRows,
    Floats,
    classes,
    level,
    smooth,
)


def mean_single(rows: ClassRows, without: str = "") -> Floats:
    """Log speed of one busy thread, relative to ml.m5.xlarge [116]; `without` leaves a suite out."""
    suites = [level(each) for suite, each in rows.single.items() if suite != without]
    row = smooth(level(suites) if suites else level([each for r in rows.single.values() for each in r]))
    return np.asarray(row - row[REFERENCE], dtype=np.float64)


def mean_rate(rows: ClassRows, without: str = "") -> Floats:
    """Log throughput with all vCPUs busy, relative to ml.m5.xlarge [116]; `without` leaves a suite out."""
    parts = [smooth(level(each)) for suite, each in rows.rate.items() if suite != without]
    if rows.scalings and any(suite != without for suite in rows.single):
        # Geekbench's own part of the scaling law goes when Geekbench is held out.
        laws = rows.scalings[:1] if without == "geekbench" else rows.scalings
        parts.append(mean_single(rows, without) + smooth(level(laws)))
    row = level(parts)
    return np.asarray(row - row[REFERENCE], dtype=np.float64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Components:
    """Variances of what a workload adds to its class's mean row, in squared logs."""

    generation: Floats
    """Covariance [7, 7] between generations."""
    size: float
    generation_size: float
    large: float
    generation_large: float
    noise: float
    """Per type: fleets, neighbours, run to run."""

    def covariance(self) -> Floats:
        """Between types [116, 116]; only differences of two types mean something."""
        same = GENERATION[:, None] == GENERATION[None, :]
        both_sizes, both_large = np.outer(SIZE, SIZE), np.outer(LARGE, LARGE)
        return np.asarray(
            self.generation[np.ix_(GENERATION, GENERATION)]
            + self.size * both_sizes
            + self.large * both_large
            + same * (self.generation_size * both_sizes + self.generation_large * both_large)
            + self.noise * np.eye(len(TYPES)),
            dtype=np.float64,
        )


def departures(row: Floats) -> tuple[Floats, float, float, float, float, float]:
    """One row's generation offsets [7] and the squares of its slopes and residual.

    Ridge regression of row - m: the products with generation are shrunk (5 pseudo-observations), the rest is free.
    """
    count = len(GENERATIONS)
    member = np.eye(count)[GENERATION]
    design = np.hstack([member, SIZE[:, None], LARGE[:, None], member * SIZE[:, None], member * LARGE[:, None]])
    penalty = np.diag(np.r_[np.full(count + 2, 1e-4), np.full(2 * count, 5.0)])
    coefficients = np.linalg.solve(design.T @ design + penalty, design.T @ row)
    residual = row - design @ coefficients
    offsets = coefficients[:count]
    slopes, hinges = coefficients[count + 2 : 2 * count + 2], coefficients[2 * count + 2 :]
    return (
        offsets - offsets.mean(),
        float(coefficients[count] ** 2),
        float(coefficients[count + 1] ** 2),
        float(np.mean(slopes**2)),
        float(np.mean(hinges**2)),
        float(np.mean(residual**2)),
    )


FLOOR: Final = {"noise": 0.03**2, "generation": 0.05**2}
"""No benchmark is a served workload: what is added even where all benchmarks agree."""


def components(
    mean: Floats, spread: Mapping[str, Sequence[Floats]], weights: Mapping[str, float], without: str = ""
) -> Components:
    """Variance components of the pseudo-workloads around the mean row, every suite with its weight."""
    total = 0.0
    generation = np.zeros((len(GENERATIONS), len(GENERATIONS)))
    sums = np.zeros(5)
    for suite, each in spread.items():
        if suite == without:
            continue
        for row in each:
            weight = weights.get(suite, 1.0) / len(each)
            offsets, *squares = departures(row - mean - np.mean((row - mean)[VCPUS <= 32]))
            generation += weight * np.outer(offsets, offsets)
            sums += weight * np.array(squares)
            total += weight
    size, large, generation_size, generation_large, noise = (float(each) for each in sums / total)
    return Components(
        generation=generation / total + FLOOR["generation"] * np.eye(len(GENERATIONS)),
        size=size,
        large=large,
        generation_size=generation_size,
        generation_large=generation_large,
        noise=noise + FLOOR["noise"],
    )


def covered(row: Floats, mean: Floats, covariance: Floats, z: float) -> Floats:
    """Share of the other 115 types inside mean ± z sd, by source type [116]."""
    variance = np.diag(covariance)[:, None] + np.diag(covariance)[None, :] - 2 * covariance
    error = (row[:, None] - row[None, :]) - (mean[:, None] - mean[None, :])
    inside = np.abs(error) <= z * np.sqrt(variance)
    return np.asarray((inside.sum(axis=0) - 1) / (len(TYPES) - 1), dtype=np.float64)


def held_out_coverage(rows: ClassRows, z: float, busy: Literal["thread", "instance"] = "instance") -> dict[str, Floats]:
    """By suite held out of both mean and spread: coverage [rows of the suite, 116 sources]."""
    mean_row, spread = (mean_single, rows.single_spread) if busy == "thread" else (mean_rate, rows.rate_spread)
    result = {}
    for suite in spread:
        if suite in rows.weights:  # of another class: it widens the spread and is not what the class must cover
            continue
        mean = mean_row(rows, suite)
        covariance = components(mean, spread, rows.weights, suite).covariance()
        result[suite] = np.array([covered(row, mean, covariance, z) for row in spread[suite]])
    return result


def calibrated_z(rows: ClassRows) -> float:
    """The smallest multiple of the sd that covers 90 % of the ratios of every held-out suite.

    The worst suite decides, not the mean: errors are shared within a workload, so a suite, not a type, is one draw.
    """
    for z in np.arange(1.65, 3.5, 0.05):
        if min(share.mean() for share in held_out_coverage(rows, float(z)).values()) >= 0.9:
            return round(float(z), 2)
    raise ValueError("no multiple of the standard deviation up to 3.5 covers the held-out benchmarks")


def shared_luck(log: Mapping[str, Floats]) -> tuple[float, float]:
    """(slope, sd) of CoreMark's residuals around its trend on the median residual of six Spare Cores rows.

    CoreMark was run by others on other machines: a slope of 1 would say that a type's residuals are the type's own and
    should be kept, 0 that they are the luck of the machines that Spare Cores got.
    """
    rows = classes(log)["unknown"]
    law = level(rows.scalings)
    same_machines = [*rows.rate["passmark"], *(level(each) + law for each in rows.single.values())]
    shared = np.median([row - smooth(row) for row in same_machines], axis=0)
    coremark = rows.rate["coremark"][0]
    seen = np.isfinite(log["coremark:iterations_per_second:multi"])
    x, y = (shared - shared.mean())[seen], (coremark - smooth(coremark))[seen]
    slope = float(x @ y / (x @ x))
    residual = y - slope * x
    return slope, float(np.sqrt(residual @ residual / (len(x) - 1) / (x @ x)))


FEW_SUITES_Z: Final = 2.4
"""For classes with fewer than three suites holding one out leaves too little to calibrate on: they take the largest
multiple that a class with enough suites needed (scalar)."""


def table_z(rows: ClassRows) -> float:
    """The multiple of the sd that the class's intervals use."""
    return calibrated_z(rows) if len(rows.single) >= 3 else FEW_SUITES_Z
