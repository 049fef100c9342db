"""What a closed loop's completions say about the long run: warm-up, throughput with its interval, drift.

    symbol   meaning                                                         unit
    t[i]     time of the i-th completion, ascending                          s
    X        long-run throughput, completions per second                     1/s
    L        mean latency                                                    s
    d[j]     time that the j-th batch of m completions took                  s
    n[j]     requests in the j-th slice of the window, by shares             1
    k        number of batches or slices
    rho1     correlation of neighbouring batches

Completions of a closed loop are correlated (a slow request delays those queued behind it; requests that leave
together come back together), so the scatter of single latencies says nothing about the error of their mean.
Batches long enough to be nearly independent do: Conway (1963); Law, "Simulation Modeling and Analysis", 5th
ed., section 9.5.3; batch sizes doubled until the von Neumann ratio no longer finds correlation: Fishman (1978).

Each edge of a window cuts as many requests as are in flight, and workers that run in step answer together: counting
answers errs by up to a request for each of them, always upwards where a window ends with an answer. A request that is
cut counts by the share of its time that lies inside.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from planner.interval import Z90, Interval

MAX_BATCHES: Final = 32
MIN_BATCHES: Final = 8
"""Batches are merged to lower their correlation, but not below this number: the interval would get wide."""

FEW_LOG_SD: Final = 0.05
FEW_DEGREES: Final = 2
"""What is taken to be known of batches where there are fewer than MIN_BATCHES: their relative standard deviation, and
for how many degrees of freedom that counts. Requests so long are of many records, which average out."""

_MSER_BATCH: Final = 5
_ONE_SIDED_Z95: Final = Z90


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """Throughput of a window of completions."""

    per_s: Interval
    batches: int
    requests: float
    """In the window, those that its edges cut by their shares."""

    @property
    def relative_half_width(self) -> float:
        """Half the width of the interval over its middle; what "known to ±3 %" refers to."""
        return (self.per_s.high - self.per_s.low) / 2 / self.per_s.mid


def student_t95(degrees: int) -> float:
    """The 0.95 quantile of Student's t: half-width of a central 90 % interval in standard errors.

    Exact for 1 and 2 degrees of freedom, else the Cornish-Fisher expansion in 1/degrees (Abramowitz and
    Stegun 26.7.5), within 0.3 % of the true value; scipy would take a second to import.
    """
    if degrees < 1:
        raise ValueError(f"Student's t needs at least 1 degree of freedom, not {degrees}")
    if degrees == 1:
        return math.tan(0.45 * math.pi)
    if degrees == 2:
        return 0.9 * math.sqrt(2 / (1 - 0.9**2))
    z = Z90
    terms = (
        z,
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return sum(term / float(degrees) ** power for power, term in enumerate(terms))


def warmup_length(series: ArrayLike, *, group: int = _MSER_BATCH) -> int:
    """How many of the first values to leave out so that the mean of the rest is known best: MSER-5.

    Minimises ``sum((y[j] - mean)^2) / n^2`` over the truncation point, y being means of `group` consecutive
    values and n the number of those kept (White, "An effective truncation heuristic for bias reduction in
    simulation output", 1997). A minimum in the second half means no steady state was seen; then half is left
    out, which keeps the later half and lets the drift test speak.
    """
    values = np.asarray(series, dtype=float)
    count = len(values) // group
    if count < 4:
        return 0
    means = values[len(values) - count * group :].reshape(count, group).mean(axis=1)
    kept = np.arange(count, 0, -1)
    sums = np.cumsum(means[::-1])[::-1]
    squares = np.cumsum((means**2)[::-1])[::-1]
    statistic = (squares - sums**2 / kept) / kept.astype(float) ** 2
    first = int(np.argmin(statistic[: count // 2 + 1]))
    return 0 if first == 0 else len(values) - count * group + first * group


def steady_from(starts_s: Sequence[float], ends_s: Sequence[float], concurrency: int) -> int:
    """Index of the completion with which the steady state begins; the window is what completes after it.

    The first `concurrency` completions are always left out: they met an idle server. Beyond that, whichever
    truncation is later of those that the latencies and the completion intervals ask for; never more than half.
    """
    ends = np.asarray(ends_s, dtype=float)
    ramp = min(concurrency, len(ends) // 2)
    if len(ends) - ramp < 4 * _MSER_BATCH:
        return max(0, ramp - 1)
    # Requests that leave together come back together: groups of whole waves hide that pattern.
    group = concurrency * max(1, math.ceil(_MSER_BATCH / concurrency))
    latencies = ends[ramp:] - np.asarray(starts_s, dtype=float)[ramp:]
    gaps = np.diff(ends[ramp - 1 :]) if ramp else np.diff(ends, prepend=ends[:1])
    return max(0, ramp - 1) + max(warmup_length(latencies, group=group), warmup_length(gaps, group=group))


def _batch_durations(ends_s: NDArray[np.float64], concurrency: int) -> NDArray[np.float64]:
    """d[j] of equally many completions each, whole waves of `concurrency` where there are enough of them.

    What does not fill a batch is left out at the beginning.
    """
    completions = len(ends_s) - 1
    wave = concurrency if completions >= MIN_BATCHES * concurrency else 1
    size = wave * max(1, math.ceil(completions / wave / MAX_BATCHES))
    while True:
        count = completions // size
        durations = np.diff(ends_s[completions - count * size :: size])
        if count < 2 * MIN_BATCHES or _neighbour_correlation(durations) <= _ONE_SIDED_Z95 / math.sqrt(count):
            return durations
        size *= 2


def _neighbour_correlation(values: NDArray[np.float64]) -> float:
    """rho1 of the values; 0 when they do not vary."""
    centred = values - values.mean()
    total = float(centred @ centred)
    return float(centred[:-1] @ centred[1:]) / total if total > 0 else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Requests:
    """All requests of a closed loop: the answered ones in order of completion, and those in flight at its end."""

    start_s: Sequence[float]
    end_s: Sequence[float]
    open_start_s: Sequence[float] = ()
    """When those that were in flight at the end were sent."""
    open_end_s: Sequence[float] = ()
    """When they were answered after all, with nothing sent any more; infinite where they were not, or not yet."""

    def shares_until(self, times_s: NDArray[np.float64], latency_s: float) -> NDArray[np.float64]:
        """Requests done by each of the times, each of them growing evenly from 0 to 1 over its own time.

        A request that was open at the end is taken to last `latency_s` at least: a server that divides its power over
        the requests hurries the last ones.
        """
        start = np.concatenate([np.asarray(self.start_s, dtype=float), np.asarray(self.open_start_s, dtype=float)])
        open_start = np.asarray(self.open_start_s, dtype=float)
        open_end = np.asarray(self.open_end_s, dtype=float)
        if len(open_end) < len(open_start):
            open_end = np.full(len(open_start), times_s[-1])
        end = np.concatenate([np.asarray(self.end_s, dtype=float), np.maximum(open_end, open_start + latency_s)])
        length = np.maximum(end - start, 1e-9)
        return np.array([np.clip((time_s - start) / length, 0.0, 1.0).sum() for time_s in times_s.tolist()])


def throughput(requests: Requests, first: int, concurrency: int) -> Rate | None:
    """Requests per second with a 90 % interval, in the window from the end of request `first` to the last answer.

    The middle counts requests by their shares in the window. The interval is that of the mean of k batches,
    ``t(0.95, k-1) sd / sqrt(k)`` relative to their mean, applied on the log scale so that a wide one stays positive.
    Fewer than MIN_BATCHES say little about their own spread: FEW_LOG_SD joins in with FEW_DEGREES, as a scaled inverse
    chi-squared prior of the variance does (Gelman et al., "Bayesian Data Analysis", 3rd ed., section 2.6), unless they
    scatter twice as much: then it is not believed. None for fewer than three answers.
    """
    ends = np.asarray(requests.end_s, dtype=float)[first:]
    if len(ends) < 3 or ends[-1] <= ends[0]:
        return None
    latency_s = float(np.mean(ends[1:] - np.asarray(requests.start_s, dtype=float)[first + 1 :]))
    done = requests.shares_until(ends[[0, -1]], latency_s)
    counted = float(done[1] - done[0])
    variance, count = _batch_variance(requests, ends, latency_s, concurrency)
    degrees = count - 1
    if count < MIN_BATCHES and variance <= (2 * FEW_LOG_SD) ** 2:
        variance = (FEW_DEGREES * FEW_LOG_SD**2 + degrees * variance) / (FEW_DEGREES + degrees)
        degrees += FEW_DEGREES
    factor = math.exp(min(student_t95(degrees) * math.sqrt(variance / count), 20.0))
    mid = counted / float(ends[-1] - ends[0])
    return Rate(per_s=Interval(low=mid / factor, mid=mid, high=mid * factor), batches=count, requests=counted)


def _batch_variance(
    requests: Requests, ends: NDArray[np.float64], latency_s: float, concurrency: int
) -> tuple[float, int]:
    """Relative variance of batches, and their number.

    One request in flight: batches of answers, by the time they took. Several: slices of time of a mean latency L at
    least, by the requests in them; shares smooth these, which takes the part L/3 of a slice's length from the variance
    of independent requests (Campbell's theorem for a rectangular pulse of length L), here given back.
    """
    if concurrency == 1:
        durations = _batch_durations(ends, concurrency)
        return (float(durations.var(ddof=1) / durations.mean() ** 2) if len(durations) > 1 else 0.0), len(durations)
    window_s = float(ends[-1] - ends[0])
    waves = window_s / latency_s
    count = max(1, int(min(MAX_BATCHES, max(waves / 2, min(waves, MIN_BATCHES)))))
    while True:
        within = np.diff(requests.shares_until(np.linspace(ends[0], ends[-1], count + 1), latency_s))
        if count < 2 * MIN_BATCHES or _neighbour_correlation(within) <= _ONE_SIDED_Z95 / math.sqrt(count):
            break
        count //= 2
    if count == 1:
        return 0.0, 1
    smoothed = 1 - min(1.0, latency_s * count / window_s) / 3
    return float(within.var(ddof=1) / within.mean() ** 2) / smoothed, count


def drift(ends_s: Sequence[float], concurrency: int) -> float | None:
    """Relative change of throughput over the window, if a straight line through the batches shows one.

    The slope of batch durations on their index must differ from zero at the 1 % level (two-sided, Student's t
    by its normal-tail equivalent 2.58 x t95/z95); None when it does not, or with fewer than eight batches.
    """
    ends = np.asarray(ends_s, dtype=float)
    if len(ends) < MIN_BATCHES + 1:
        return None
    durations = _batch_durations(ends, concurrency)
    count = len(durations)
    if count < MIN_BATCHES:
        return None
    index = np.arange(count) - (count - 1) / 2
    spread = float(index @ index)
    slope = float(index @ durations) / spread
    residual = durations - durations.mean() - slope * index
    error = math.sqrt(float(residual @ residual) / (count - 2) / spread)
    if abs(slope) <= 2.576 * student_t95(count - 2) / Z90 * error:
        return None
    first, last = durations.mean() + slope * index[0], durations.mean() + slope * index[-1]
    return float(first / last - 1) if last > 0 and first > 0 else None
