"""The public benchmark that places a host among the processors of the catalogue, run here.

stress-ng's div16 is bound by the integer divider: inside one processor design its rate is in proportion to the clock,
and two threads on one core gain so little from each other that it shows whether CPUs are cores or hyperthreads. Across
designs it says nothing of other code. The options are those with which the catalogue's rates were measured
(SpareCores/sc-inspector-data, stress-ng 0.17.08: ``--metrics --cpu N --cpu-method div16``, operations per second of
real time). Since 0.14.02 stress-ng normalises them alike; whether two builds also divide alike is not known, so that
only rates of that version are set beside the catalogue's (`planner.performance.host_clock`).
"""

import re
import resource
import shutil
import subprocess
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Final

from planner.errors import MissingDependencyError, ProfileError
from planner.interval import Interval
from planner.profiling.host import host_cpu_s
from planner.profiling.profile import HostBenchmark

RUNS: Final = 3
MOST_DISTURBED: Final = 0.10
"""Share of the CPUs taken by others above which the rates are not this machine's."""
OLDEST: Final = (0, 14, 2)
"""From here on the operations of the CPU methods are normalised (stress-ng's manual, --cpu-old-metrics)."""

_RATE: Final = re.compile(r"bogo-ops-per-second-real-time:\s*([0-9.]+)")


def measure_host(cpus: int, *, seconds: float = 3.0) -> HostBenchmark:
    """The rates of one thread and of all `cpus`, measured in turns RUNS times for so many seconds each.

    Raises MissingDependencyError without a stress-ng that counts as the catalogue's, ProfileError where it fails or
    other programs took more than MOST_DISTURBED of the machine.
    """
    program = shutil.which("stress-ng")
    if program is None:
        raise MissingDependencyError(
            "stress-ng is not installed, and the host cannot be placed by it: apt-get install stress-ng (Debian, "
            "Ubuntu), dnf install stress-ng (Fedora, Amazon Linux), and again"
        )
    tool = _version(program)
    before, started = (host_cpu_s(), _children_s()), time.monotonic()
    rates = [[_rate(program, threads, seconds) for threads in (1, cpus)] for _ in range(RUNS)]
    used, elapsed = host_cpu_s() - before[0] - (_children_s() - before[1]), time.monotonic() - started
    disturbed = min(1.0, max(0.0, used / (elapsed * cpus)))
    if disturbed > MOST_DISTURBED:
        raise ProfileError(
            f"other programs or the hypervisor took {disturbed:.0%} of the machine while stress-ng ran, which leaves "
            f"nothing to place it by (at most {MOST_DISTURBED:.0%}): try again when it is quiet"
        )
    one, every = ([row[column] for row in rates] for column in (0, 1))
    return HostBenchmark(
        tool=tool,
        measured_at=datetime.now(UTC).isoformat(timespec="seconds"),
        one_thread_per_s=_between(one),
        all_cpus_per_s=_between(every),
        disturbed_share=disturbed,
    )


def _version(program: str) -> str:
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout  # noqa: S603 - found on PATH
    found = re.search(r"version (\d+)\.(\d+)\.(\d+)", said)
    if found is None or tuple(int(part) for part in found.groups()) < OLDEST:
        oldest = ".".join(f"{part:02d}" for part in OLDEST)
        raise MissingDependencyError(
            f"{said.strip() or program!r} counts its operations otherwise than the catalogue's: stress-ng {oldest} or "
            "later is needed"
        )
    return "stress-ng {}.{}.{}".format(*found.groups())


def _rate(program: str, threads: int, seconds: float) -> float:
    """Operations per second of so many threads together."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "metrics.yaml"
        options = [
            "--metrics",
            "--cpu",
            str(threads),
            "--cpu-method",
            "div16",
            "--timeout",
            f"{max(1, round(seconds))}s",
        ]
        command = [program, *options, "--yaml", str(report), "--temp-path", folder]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own arguments
        found = _RATE.search(report.read_text(encoding="utf-8")) if report.is_file() else None
    if done.returncode or found is None or float(found[1]) <= 0:
        tail = " ".join((done.stderr or done.stdout).split()[-40:])
        raise ProfileError(f"stress-ng ended with status {done.returncode} and no rate: {tail}")
    return float(found[1])


def _children_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _between(values: list[float]) -> Interval:
    return Interval(low=min(values), mid=median(values), high=max(values))
