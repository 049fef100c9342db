"""One machine's speed from those of others that were measured: ordinary kriging with benchmark covariances.

    symbol   meaning
    y_k      ln measured speed of machine k, in any unit, the same for all
    m_k      mean ln speed of the workload class on it
    f_k      this workload's departure there: covariance K from held-out benchmarks
    a        the workload's own level, unknown: y_k = a + m_k + f_k + noise
    c        (z / Z90)^2: from the benchmarks' variance to the width that covered held-out suites

The best linear unbiased prediction of y on another machine weighs the measured ones by w with sum 1, whatever a is:
[C 1; 1' 0] [w; mu] = [t; 1] with C the covariance among the measured and t that towards the goal. Its variance is
c (K_gg + noise) - w't - mu. Source: Cressie, Statistics for Spatial Data (1993), section 3.2.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from planner.interval import Z90
from planner.performance.benchmark_scores import Spread


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One machine whose speed was measured."""

    place: tuple[str, float]
    """(generation, vCPUs)."""
    mean_ln: float
    """m."""
    value_ln: float
    """y."""
    measured_sd: float
    """Of y, for the measurement's repeatability."""
    placed_sd: float
    """Of m, for not knowing exactly what the machine is."""
    one_thread: bool = False
    """Whether y is of one busy thread where the goal is a whole machine: such values share the unknown speed-up of one
    thread to all vCPUs."""


def kriged(
    known: Spread, seen: Sequence[Seen], goal: tuple[str, float], goal_ln: float, *, shared_sd: float = 0.0
) -> tuple[float, float]:
    """(y, its standard deviation) on the goal, a place with mean ln speed `goal_ln`.

    `shared_sd`: of the speed-up of one thread to all vCPUs, which values of one thread have in common. The standard
    deviation never falls below the noise of a single machine.
    """
    import numpy as np

    scale = (known.z / Z90) ** 2
    among = np.array([[scale * known.covariance(a.place, b.place) for b in seen] for a in seen])
    one_thread = np.array([each.one_thread for each in seen])
    among += scale * shared_sd**2 * np.outer(one_thread, one_thread)
    among += np.diag([scale * (known.noise + each.measured_sd**2) + each.placed_sd**2 for each in seen])
    towards = np.array([scale * known.covariance(each.place, goal) for each in seen])
    count = len(seen)
    system = np.zeros((count + 1, count + 1))
    system[:count, :count] = among
    system[count, :count] = system[:count, count] = 1.0
    solution = np.linalg.solve(system, np.append(towards, 1.0))
    weights, multiplier = solution[:count], float(solution[count])
    there = scale * (known.covariance(goal, goal) + known.noise)
    variance = there - float(weights @ towards) - multiplier
    excess = np.array([each.value_ln - each.mean_ln for each in seen])
    return goal_ln + float(weights @ excess), float(np.sqrt(max(variance, scale * known.noise)))
