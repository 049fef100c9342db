"""Peak memory against records per request, requests in progress and worker processes.

    symbol   meaning                                                       unit
    m0       in use before any record, however many workers there are      bytes
    mw       ... by each worker process: interpreter, libraries, model     bytes
    m1       held for each record that is being worked on                  bytes
    K        worker processes
    a        requests in progress: min(c, K); c where K is not known

    peak(b, a, K) = m0 + mw · K + m1 · b · a

m0 and mw are told apart where several numbers of workers were measured: a server that loads its model before it forks
(`gunicorn --preload`) has nearly all in m0. Where one number was measured m0 is taken as 0, each worker holding a model
of its own, and the lower bound allows for all of it being shared.
"""

import itertools
from dataclasses import dataclass

import numpy as np

from planner.performance.points import usable
from planner.performance.prediction import Bounds, Floats
from planner.performance.service import fit_line
from planner.profiling.profile import Measurement, Profile

_HEADROOM = 1.1
"""Peaks of longer runs exceed those of a two-second window (fragmentation, caches)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryModel:
    """Fitted peak memory."""

    shared_bytes: float
    """m0; all that is not for records, where workers are not known."""
    worker_bytes: float
    """mw."""
    record_bytes: float
    """m1."""
    measured_workers: tuple[float, ...]
    """Numbers of workers that were measured, ascending; empty where they are not known."""
    log_sd: float
    upper_factor: float
    """Upper bound over the middle: twice the spread, never less than the worst measured point or headroom."""

    @property
    def tells_shared(self) -> bool:
        """Whether what workers share was measured rather than assumed."""
        return len(self.measured_workers) > 1

    @property
    def basis(self) -> str:
        """What the part of the workers rests on, in words."""
        if not self.measured_workers:
            return "the number of workers is not known: what is in use before any record is taken not to grow"
        counts = ", ".join(f"{count:g}" for count in self.measured_workers)
        if self.tells_shared:
            return f"what workers share and what each holds were told apart by measuring {counts} workers"
        return (
            f"measured with {counts} worker{'s' if self.measured_workers[0] > 1 else ''} only: each is taken to hold a "
            "model of its own, which is too much where they share it; profiling with --workers 1,2 tells"
        )

    def predict(self, *, records_per_request: Floats, concurrency: Floats, workers: Floats) -> Bounds:
        """Peak bytes with that many workers; arrays broadcast together."""
        working = self.record_bytes * records_per_request * np.minimum(concurrency, workers)
        mid = self.shared_bytes + self.worker_bytes * workers + working
        if self.tells_shared:
            low = mid * np.exp(-2 * self.log_sd)
        else:
            most = max(self.measured_workers, default=0.0)
            low = self.shared_bytes + self.worker_bytes * np.minimum(workers, most) + working
        return Bounds(low=low, mid=mid, high=mid * self.upper_factor)


def fit_memory(profile: Profile, workers: float | None) -> MemoryModel | None:
    """The memory model, or None where the profile could not see memory; `workers`: of rows that do not say theirs."""
    rows = [row for row in usable(profile) if row.memory_peak_bytes]
    if not rows:
        return None
    counts = np.array([_workers_of(row, workers) for row in rows])
    in_progress = np.fmin(np.array([row.concurrency for row in rows], float), counts)
    held = np.array([row.records_per_request for row in rows]) * in_progress
    peaks = np.array([row.memory_peak_bytes for row in rows], float)
    known = tuple(float(count) for count in np.unique(counts[~np.isnan(counts)]))
    if len(known) > 1 and not np.any(np.isnan(counts)):
        parts = _non_negative(np.stack([np.ones_like(counts), counts, held], axis=1), peaks)
    else:
        fixed, record = _one_setting(held, peaks)
        parts = (fixed, 0.0, record) if len(known) != 1 else (0.0, fixed / known[0], record)
        known = known[:1]
    fitted = parts[0] + parts[1] * np.nan_to_num(counts) + parts[2] * held
    spread = float(1.4826 * np.median(np.abs(np.log(peaks / fitted))))
    return MemoryModel(
        shared_bytes=parts[0],
        worker_bytes=parts[1],
        record_bytes=parts[2],
        measured_workers=known,
        log_sd=spread,
        upper_factor=max(_HEADROOM, float(np.exp(2 * spread)), float(np.max(peaks / fitted))),
    )


def _workers_of(row: Measurement, workers: float | None) -> float:
    """Those of the row, else those given; NaN where neither is known."""
    known = workers if row.workers is None else float(row.workers)
    return float("nan") if known is None else known


def _one_setting(held: Floats, peaks: Floats) -> tuple[float, float]:
    """What is there before any record, and what each record adds."""
    if len(np.unique(held)) == 1:
        return float(np.median(peaks)), 0.0
    line = fit_line(held, peaks)
    return line.fixed, line.per_record


def _non_negative(design: Floats, peaks: Floats) -> tuple[float, float, float]:
    """The three parts of least relative error, none below 0: the best fit among all choices of parts that are 0."""
    relative = design / peaks[:, None]
    scale = np.maximum(relative.max(axis=0), 1e-300)
    best, least = np.zeros(3), np.inf
    for chosen in itertools.product((False, True), repeat=3):
        used = np.array(chosen)
        if not used.any():
            continue
        part = np.zeros(3)
        part[used] = np.linalg.lstsq(relative[:, used] / scale[used], np.ones(len(peaks)), rcond=None)[0] / scale[used]
        loss = float(np.sum((relative @ part - 1) ** 2))
        if np.all(part >= 0) and loss < least:
            best, least = part, loss
    return float(best[0]), float(best[1]), float(best[2])
