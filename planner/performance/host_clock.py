"""What stress-ng's div16, run on a host, says beside the same run on the processors of the catalogue.

    symbol   meaning
    r1, rn   operations per second of one thread, and of one on every CPU
    g        r of two threads on one core over one of them: 1.0 to 1.3, by processor (`benchmark_scores.dividers`)

Inside one processor design r1 is in proportion to the clock, so ln(r1 / r1 of the reference) is how much faster or
slower this host runs than the machines of its design that were benchmarked. rn / r1 lies between n/2 · g (every two
CPUs are threads of one core) and n (every CPU is a core), and where tells which.
"""

import math
from collections.abc import Iterable
from statistics import fmean
from typing import Final

from planner.interval import Z90
from planner.performance.benchmark_scores import dividers
from planner.profiling.profile import Host

CATALOGUE_TOOL: Final = "stress-ng 0.17.08"
"""What the catalogue's rates were measured with. Another build may divide with other instructions: its rates are not
set beside them (Debian's 0.15.06 was seen at half the rate of the same generation elsewhere, for reasons not told
apart), and only the ratio of its own two is read."""
CLOCK_SD: Final = 0.05
"""Of ln speed of one busy thread, placed by div16 within its design: of one processor from the others of its
generation, held out (`benchmarks/hardware.py` prints it)."""
SHIFT_SHARE: Final = 0.25
"""Of the shift itself that is doubtful: memory does not follow the clock."""
_CLEAR: Final = 0.1
"""Part of the gap between cores and hyperthreads that remains open at the clearest rn / r1."""


def clock_shift(host: Host, models: Iterable[str]) -> tuple[float, float] | None:
    """(ln speed of one thread against the references', its sd); None without comparable rates of here and of them.

    `models`: names of the processors that the host is compared with.
    """
    wanted = set(models)
    known = [each.per_s for each in dividers() if each.cpu_model in wanted and each.per_s is not None]
    if host.benchmark is None or host.benchmark.tool != CATALOGUE_TOOL or not known:
        return None
    shift = math.log(host.benchmark.one_thread_per_s.mid) - fmean(map(math.log, known))
    runs = host.benchmark.one_thread_per_s
    run_sd = math.log(runs.high / runs.low) / (2 * Z90)
    return shift, math.hypot(CLOCK_SD, SHIFT_SHARE * shift, run_sd)


def cores_share(host: Host, generation: str | None) -> float | None:
    """Where rn / r1 lies between all hyperthreads (0) and all cores (1), on the log scale; None without a benchmark.

    With the generation's g, or the largest of all generations where its own is not known.
    """
    if host.benchmark is None or host.logical_cpus < 2:
        return None
    pairs = [each.pair_speedup for each in dividers() if each.pair_speedup and each.generation == generation]
    g = fmean(pairs) if pairs else max(each.pair_speedup for each in dividers() if each.pair_speedup)
    paired, cores = math.log(max(1.0, host.logical_cpus / 2 * g)), math.log(host.logical_cpus)
    seen = math.log(host.benchmark.all_cpus_per_s.mid / host.benchmark.one_thread_per_s.mid)
    return min(1.0, max(0.0, (seen - paired) / (cores - paired)))


def gap_shift(gap_ln: float, share: float | None) -> tuple[float, float]:
    """(shift, sd) of ln throughput of a full host above what paired CPUs give, where `gap_ln` is what cores give more.

    Without a measured share the two possibilities bound a 90 % interval.
    """
    if share is None:
        return gap_ln / 2, gap_ln / (2 * Z90)
    open_part = max(_CLEAR, 2 * min(share, 1 - share))
    return share * gap_ln, open_part * gap_ln / (2 * Z90)
