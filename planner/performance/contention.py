"""What a window would have shown had other programs left the CPUs alone: bounds from CPU accounting.

    symbol   meaning                                                                            unit
    H        CPUs of the machine                                                                1
    u        CPUs that the container kept busy, X·D                                             1
    o        CPUs that other programs kept busy, H · disturbed_share                            1
    l        CPUs that the load generator kept busy                                             1
    m        CPUs that c requests can keep busy: c times those of one, at most the limit        1
    k        requests in service at once: c, at most the worker processes                       1
    φ        share of its time that a lone request computes                                     1
    P        share of the time that every CPU was taken, ((u + o + l) / H)^H                    1
    σ        how much longer than alone a thread took to get its CPU time                       1
    X₀       rate without the other programs                                                    1/s

Waiting for a CPU is u·(σ - 1) of the k requests in service. Without it the others take that much less time, so by
Little's law

    X₀ / X = 1 / (1 - u·(σ - 1) / k)        never more than m / u: a request still needs its CPU time

At least, the others ran o threads and CPUs are shared fairly, σ = 1 + P·((min(k, H) + o) / H - 1), and no request
waits for another. At most, all that others got would have been the container's, σ = 1 + P·o / u (o / max(u, 1 - φ)
of a server that pauses by itself: its own part is then no measure of what a thread gets), and only max(1, u·σ)
requests were in service in effect, the rest waiting for those. For a server that fills its CPUs this is
X₀ = X·(u + o) / u, with u + o = H the 1 / (1 - disturbed_share) of a fair share. For one that mostly waits for
something else u is small and both bounds come to X.

Where between the bounds: towards the upper one by φ, read from the windows at the lowest concurrency (waiting for
something else would have kept the server from using more), pulled to the utilization u/m of windows nearby in ln b
and ln c, weighted by how well they know theirs. CPU seconds of a request need no correction: accounting counts time
on the CPU, not the wait for it.

A lock that lets one request compute at a time looks the same as full CPUs of which another program has one: a
scheduler that shares by group gives either server one CPU, whatever its concurrency. Only a quiet window tells.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from planner.performance.prediction import Floats

TOWARDS_HIGH: Final = 0.85
"""Expected place between the bounds, 0 to 1, of a server that computes all the time. Set, like SPREAD and the two
after it, on simulated servers that share their CPUs with others; judged there with other seeds."""
SPREAD: Final = 0.3
"""Log standard deviation of X₀ as a share of ln(high / low); 0.29 were it uniform between them."""
DRIFT_RECORDS: Final = 0.05
DRIFT_CONCURRENCY: Final = 0.15
"""By how much ln(u/m) differs for each e-fold of b and of c."""
_ALIKE: Final = 0.03
"""By how much it differs in any case."""
_FAR: Final = 3.0
"""Standard deviations."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Windows:
    """The measured windows; every array has shape (windows,)."""

    ln_b: Floats
    ln_c: Floats
    used: Floats
    """u; NaN where it was not seen."""
    others: Floats
    """o."""
    client: Floats
    """l."""
    most: Floats
    """m."""
    in_service: Floats
    """k."""
    host_cpus: float
    """H."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stolen:
    """ln X₀ - ln X of each window: at least, expected, at most, and its standard deviation; all of one shape."""

    low: Floats
    mid: Floats
    high: Floats
    doubt: Floats

    @property
    def below(self) -> Floats:
        """By how much the expected may be too high: to the lower bound, but no further than _FAR."""
        return np.minimum(self.mid - self.low, _FAR * self.doubt)

    @property
    def above(self) -> Floats:
        """By how much it may be too low; one standard deviation at least, since CPU time rises in contention too."""
        return np.clip(self.high - self.mid, self.doubt, _FAR * self.doubt)


def stolen(windows: Windows) -> Stolen:
    """What other programs took from the rate of each window; 0 where they took nothing or the use was not seen."""
    low, high = _bounds(windows, np.ones_like(windows.ln_b))
    seen = ~np.isnan(windows.used)
    utilization = np.where(seen, np.log(np.where(seen, windows.used, 1.0) / windows.most), 0.0)
    alone = _on_cpu_alone(windows, np.minimum(utilization + (low + high) / 2, 0.0))
    low, high = _bounds(windows, 1 - alone)
    width = high - low
    mid = low + TOWARDS_HIGH * alone * width
    apart_b = DRIFT_RECORDS * (windows.ln_b[:, None] - windows.ln_b[None, :])
    apart_c = DRIFT_CONCURRENCY * (windows.ln_c[:, None] - windows.ln_c[None, :])
    variance = (SPREAD * width) ** 2 + _ALIKE**2 + apart_b**2 + apart_c**2
    weight = np.where(seen, variance**-2, 0.0)
    pooled = weight @ (utilization + mid) / np.maximum(weight.sum(axis=1), 1e-300) - utilization
    known = np.sqrt(np.min(np.where(seen, variance, np.inf), axis=1))
    return Stolen(low=low, mid=np.clip(pooled, low, high), high=high, doubt=np.minimum(SPREAD * width, known))


def _bounds(windows: Windows, pausing: Floats) -> tuple[Floats, Floats]:
    """Bounds of ln X₀ - ln X: the module's table."""
    used, others, in_service, cpus = windows.used, windows.others, windows.in_service, windows.host_cpus
    full = np.minimum((used + others + windows.client) / cpus, 1.0) ** cpus
    fair = full * np.maximum((np.minimum(in_service, cpus) + others) / cpus - 1.0, 0.0)
    greedy = full * others / np.maximum(used, pausing)
    ceiling = np.log(np.maximum(windows.most / used, 1.0))
    waiting = used * greedy / np.maximum(1.0, used * (1.0 + greedy))
    high = np.minimum(-np.log1p(-np.minimum(waiting, 0.99)), ceiling)
    low = np.minimum(-np.log1p(-np.minimum(used * fair / in_service, 0.99)), high)
    return np.nan_to_num(low, nan=0.0), np.nan_to_num(high, nan=0.0)


def _on_cpu_alone(windows: Windows, utilization: Floats) -> Floats:
    """φ at each window's b, from the utilization (a logarithm) at the lowest concurrency."""
    lightest = windows.ln_c == windows.ln_c.min()
    places = np.unique(windows.ln_b[lightest])
    shares = [np.exp(utilization[lightest & (windows.ln_b == place)].max()) for place in places]
    return np.asarray(np.interp(windows.ln_b, places, shares), dtype=np.float64)
