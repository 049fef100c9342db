"""Windows of one point, apart in time, made one measurement; and what measuring it once more would show.

    symbol   meaning                                                                     unit
    r[i]     throughput of window i of n                                                 1/s
    s[i]     standard deviation of ln r[i] by its own interval                           1
    tau      standard deviation of ln r between windows that no single one can see      1
    w[i]     1 / (s[i]^2 + tau^2); of three windows and more less for those far from the median, by Huber's weight

The middle is exp(sum w ln r / sum w), the random-effects mean (DerSimonian and Laird, "Meta-analysis in clinical
trials", 1986, eq. 6). Two or three windows cannot tell tau, so it is taken as known, `between_windows_log_sd`, with
REPEATABILITY_DEGREES, and widened by what they disagree at one speed of the CPUs, where that is known: sd^2 =
(nu + sum w (ln r - mean)^2) / (nu + n - 1) / sum w, at least 1 / sum w, with nu + n - 1 degrees of freedom.
"""

import math
import re
from collections.abc import Sequence
from statistics import median
from typing import Final

from planner.documents import replace
from planner.interval import Interval
from planner.profiling.one_speed import at_mean_speed
from planner.profiling.profile import REPEATABILITY_DEGREES, Measurement
from planner.profiling.statistics import student_t95
from planner.units import show_seconds

HUBER: Final = 1.345
"""Standard deviations beyond which a window counts less: 95 % efficient where all are well (Huber, 1964)."""
ROUGH: Final = 0.1
"""Relative half-width of an interval from which it is called rough."""
_FEW: Final = 20
"""Completions below which roughness is put down to their number."""
_NUMBERS: Final = re.compile(r"[-+]?[\d.,]+")
"""What two warnings of one kind differ in: of these the last one stays."""


def merged(windows: Sequence[Measurement]) -> Measurement:
    """One measurement made of one point's windows, in order; the first, where there is no other."""
    if len(windows) == 1:
        return windows[0]
    told = {few_completions(row) for row in windows}  # as the warnings have it, which do not move
    windows, core_speed = at_mean_speed(windows)
    logs = [math.log(row.throughput_records_per_s) for row in windows]
    weights = _weights(logs, [row.repeat_log_sd for row in windows])
    total = sum(weights)
    mean = sum(w * x for w, x in zip(weights, logs, strict=True)) / total
    scatter = sum(w * (x - mean) ** 2 for w, x in zip(weights, logs, strict=True))
    degrees = REPEATABILITY_DEGREES + len(windows) - 1
    variance = max(1.0, (REPEATABILITY_DEGREES + scatter) / degrees) / total
    factor = math.exp(student_t95(degrees) * math.sqrt(variance))
    mid = math.exp(mean)
    requests = sum(row.requests for row in windows)
    first, seconds = windows[0], sum(row.duration_s for row in windows)
    duration_s = requests * first.records_per_request / mid
    texts = [text for row in windows for text in row.warnings if text not in told]
    row = replace(
        first,
        windows=sum(row.windows for row in windows),
        duration_s=duration_s,
        warmup_s=sum(row.warmup_s for row in windows),
        warmup_requests=sum(row.warmup_requests for row in windows),
        requests=requests,
        errors=sum(row.errors for row in windows),
        throughput_records_per_s=mid,
        throughput_interval_records_per_s=Interval(low=mid / factor, mid=mid, high=mid * factor),
        latency_s=tuple(latency for row in windows for latency in row.latency_s),
        cpu_s=_scaled([row.cpu_s for row in windows], duration_s / seconds),
        memory_peak_bytes=max((row.memory_peak_bytes or 0 for row in windows), default=0) or None,
        request_bytes=_mean(windows, [row.request_bytes for row in windows]),
        response_bytes=_mean(windows, [row.response_bytes for row in windows]),
        disturbed_share=_scaled([_times(row.disturbed_share, row.duration_s) for row in windows], 1 / seconds),
        ready_threads=_scaled([_times(row.ready_threads, row.duration_s) for row in windows], 1 / seconds),
        active_threads=max((row.active_threads or 0 for row in windows), default=0) or None,
        active_processes=max((row.active_processes or 0 for row in windows), default=0) or None,
        throttled_s=_scaled([row.throttled_s for row in windows], duration_s / seconds),
        reference_s=_scaled([_times(row.reference_s, row.duration_s) for row in windows], 1 / seconds),
        unsteadiness=max(row.unsteadiness for row in windows),
        unexplained=1.0,
        core_speed=core_speed,
        warnings=tuple({_NUMBERS.sub("", text): text for text in texts}.values()),
    )
    few = few_completions(row)
    return row if few is None else replace(row, warnings=(*row.warnings, few))


def _weights(logs: Sequence[float], sds: Sequence[float]) -> list[float]:
    """w; of two windows that disagree nobody knows which is the odd one."""
    weights = [1 / sd**2 for sd in sds]
    if len(logs) < 3:
        return weights
    middle = median(logs)
    away = [max(abs(x - middle) / sd, HUBER) for x, sd in zip(logs, sds, strict=True)]
    return [w * HUBER / far for w, far in zip(weights, away, strict=True)]


def _scaled(parts: Sequence[float | None], factor: float) -> float | None:
    """The sum, scaled; None where one is not known."""
    known = [part for part in parts if part is not None]
    return sum(known) * factor if len(known) == len(parts) else None


def _times(value: float | None, seconds: float) -> float | None:
    return None if value is None else value * seconds


def _mean(windows: Sequence[Measurement], values: Sequence[float]) -> float:
    """Over the requests."""
    requests = [row.requests for row in windows]
    return sum(n * value for n, value in zip(requests, values, strict=True)) / sum(requests)


def few_completions(row: Measurement) -> str | None:
    """The warning of an interval that is wide because too few requests completed; None where it is not."""
    interval = row.throughput_interval_records_per_s
    width = (interval.high - interval.low) / 2 / interval.mid
    if row.requests >= _FEW or width <= ROUGH:
        return None
    return (
        f"only {row.requests} requests of {show_seconds(row.mean_latency_s)} completed, so throughput is known to "
        f"±{width:.0%}; a larger --time-budget would narrow that"
    )


def repeat_interval(row: Measurement) -> Interval:
    """Where the throughput of the same point, measured once more in the same way, lies nine times in ten.

    In another session: both measurements err, and both sessions. sd^2 = 2 (s^2 + tau^2 + session_log_sd^2).
    """
    sd = math.hypot(row.repeat_log_sd, row.session_log_sd)
    return Interval.from_log_sd(row.throughput_records_per_s, math.sqrt(2) * sd)
