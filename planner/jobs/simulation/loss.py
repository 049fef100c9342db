"""What bad records cost: a file with one has no output, the others keep theirs (AWS guide, batch-transform-errors).

    symbol   meaning
    p        chance of a record to be bad, independent of the others
    r_j      records of object j; q_j = 1 - (1 - p)^r_j, the chance that it is lost
    N        objects lost: a sum of independent indicators, E N = sum q_j

A rerun needs min(n, N) instances, and E min(n, N) = sum over m = 1 .. n of P(N >= m), from the exact distribution of N.
"""

import math
from typing import Final

import numpy as np

from planner.jobs.simulation.document import ExpectedLoss
from planner.jobs.simulation.requests import ObjectRequests
from planner.planning.space import Floats

_MOST_SHAPES: Final = 20_000
"""So many different object sizes enter one by one; more are merged with their neighbours."""


def expected_loss(
    requests: ObjectRequests, rate: float, *, instances: int, startup_usd: float | None, work_usd: float | None
) -> ExpectedLoss:
    """The expectations at failure rate p per record.

    startup_usd: mean billed start-up of one instance. work_usd: mean cost of the job's work without start-up. None:
    no prices.
    """
    records, copies = requests.records, requests.copies
    lost = -np.expm1(records * math.log1p(-rate))
    expected = float(lost @ copies)
    share = float((lost * records) @ copies) / requests.total_records
    rerun = None
    if startup_usd is not None and work_usd is not None:
        rerun = expected_instances(lost, copies.astype(np.float64), instances) * startup_usd + share * work_usd
    return ExpectedLoss(
        record_failure_rate=rate,
        job_fails=-math.expm1(requests.total_records * math.log1p(-rate)),
        objects=expected,
        objects_share=expected / requests.objects,
        records_share=share,
        rerun_usd=rerun,
    )


def expected_instances(lost: Floats, copies: Floats, instances: int) -> float:
    """E min(n, N), N the number of lost objects; lost (runs,) chances and copies (runs,) objects of each.

    The distribution of N up to n - 1 is the product of the binomial distributions of all runs, cut off at n terms.
    """
    chances, counts = _merged(lost, copies)
    few = np.zeros(instances)
    few[0] = 1.0
    for chance, count in zip(chances, counts, strict=True):
        few = np.convolve(few, _binomial(float(count), float(chance), instances))[:instances]
    # P(N >= m) = 1 - P(N < m), m = 1 .. n
    return float(np.sum(1.0 - np.minimum(1.0, np.cumsum(few))))


def _merged(lost: Floats, copies: Floats) -> tuple[Floats, Floats]:
    """Runs of the same chance together; at most _MOST_SHAPES, the rest by groups of neighbours at their mean chance."""
    chances, place = np.unique(lost, return_inverse=True)
    counts = np.bincount(place, weights=copies).astype(np.float64)
    if len(chances) <= _MOST_SHAPES:
        return chances, counts
    starts = np.linspace(0, len(chances), _MOST_SHAPES, endpoint=False).astype(int)
    merged = np.add.reduceat(counts, starts)
    return np.add.reduceat(chances * counts, starts) / merged, merged


def _binomial(count: float, chance: float, terms: int) -> Floats:
    """P(m of count), m = 0 .. terms - 1, from logarithms."""
    m = np.arange(min(terms, int(count) + 1), dtype=np.float64)
    if chance in {0.0, 1.0}:
        return np.asarray(m == count * chance, dtype=np.float64)
    ways = np.concatenate([[0.0], np.cumsum(np.log((count - m[:-1]) / (m[:-1] + 1)))])
    return np.asarray(np.exp(ways + m * math.log(chance) + (count - m) * math.log1p(-chance)), dtype=np.float64)
