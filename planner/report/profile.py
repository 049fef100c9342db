"""A profile as people read it: what was measured on what, one row per point, what to be wary of."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from planner.container.contract import ContainerDescription
from planner.profiling.profile import Measurement, Profile
from planner.profiling.replicates import repeat_interval
from planner.units import MIB, show_bytes, show_seconds

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table


def render(profile: Profile) -> "RenderableType":
    """Facts, the table of points, the fastest of them, and the warnings."""
    from rich.console import Group
    from rich.text import Text

    parts: list[RenderableType] = [_facts(profile), Text(), _points(profile)]
    if profile.measurements:
        parts += [Text(), Text(_best(profile))]
    parts += [Text(line) for line in (*_largest_body(profile), *_usual_speed(profile), *_tuning(profile))]
    warnings = [*profile.warnings, *_row_warnings(profile)]
    if not profile.complete:
        warnings.insert(0, "this profile is not complete: go on from it with --resume")
    if warnings:
        parts.append(Text())
    parts += [Text(f"Warning: {warning}", style="yellow") for warning in warnings]
    return Group(*parts)


def _best(profile: Profile) -> str:
    """The point that is recommended, or the fastest where points were given."""
    most = max(row.cpus for row in profile.measurements)
    best = profile.best
    if best is None:
        fastest = max(profile.measurements, key=lambda row: row.throughput_records_per_s)
        return f"Fastest: {one_line(fastest)}"
    workers = best.workers or profile.container.workers
    row = next(
        row
        for row in profile.measurements
        if (row.records_per_request, row.concurrency, row.cpus) == (best.records_per_request, best.concurrency, most)
        and row.workers in {None, workers}
    )
    what = "Best measured point" if best.objective == "throughput" else "Measured where the cheapest plan lies"
    with_ = f" with {best.workers} workers" if best.workers is not None else ""
    return f"{what}{with_}: {one_line(row)}, {show_seconds(best.latency_s)} each"


def _largest_body(profile: Profile) -> list[str]:
    """Up to which size bodies were accepted, and what they took."""
    if profile.largest_body_bytes is None:
        return []
    line = f"Largest body accepted: {show_bytes(profile.largest_body_bytes)}"
    largest = max((b for b in profile.bodies if b.accepted), key=lambda b: b.request_bytes, default=None)
    if largest is not None and largest.response_bytes is not None:
        peak = f", {show_bytes(largest.memory_peak_bytes)} at most" if largest.memory_peak_bytes is not None else ""
        line += f" (answered with {show_bytes(largest.response_bytes)} in {show_seconds(largest.latency_s)}{peak})"
    refused = profile.refused_body_bytes
    return [line + (f"; refused: {show_bytes(refused)}" if refused is not None else "; none was refused")]


def _usual_speed(profile: Profile) -> Iterator[str]:
    """How this session's speed compares with the usual one, where there were others."""
    usual = profile.usual_speed
    if usual is not None and usual.sessions > 1:
        yield (
            f"Usual speed: the CPUs ran {usual.words} than on average in {usual.sessions} sessions like this one; "
            "predictions are for that average, the rates here as measured"
        )


def _tuning(profile: Profile) -> list[str]:
    """The settings tried, best first, and which the profile was measured under."""
    if profile.tuning is None:
        return []
    lines = [f"Tuned: {_setting(profile.tuning.chosen)}. Tried:"]
    for trial in sorted(profile.tuning.trials, key=lambda trial: -(trial.throughput_records_per_s or 0.0)):
        rate = trial.throughput_records_per_s
        came = trial.reason if rate is None else f"{rate:,.4g} records/s"
        if trial.verified_records_per_s is not None:
            came += f", measured again {trial.verified_records_per_s:,.4g}"
        where = "" if rate is None else f" ({trial.records_per_request:,} records x {trial.concurrency} in flight)"
        lines.append(f"  {_setting(trial.environment)}: {came}{where}")
    return lines


def _setting(environment: Mapping[str, str]) -> str:
    return " ".join(f"{name}={value}" for name, value in environment.items()) or "as given"


def _row_warnings(profile: Profile) -> list[str]:
    """The warnings of the points, those that differ in their numbers only as one, with the rows they are about."""
    groups: dict[str, list[tuple[int, str]]] = {}
    for index, row in enumerate(_sorted(profile), start=1):
        for warning in row.warnings:
            groups.setdefault(re.sub(r"[\d.,]+", "", warning), []).append((index, warning))
    texts = []
    for found in groups.values():
        rows = ", ".join(str(index) for index in dict.fromkeys(index for index, _ in found))
        first = found[0][1]
        texts.append(f"rows {rows}: {first} (row {found[0][0]})" if "," in rows else f"row {rows}: {first}")
    return texts


def one_line(row: Measurement) -> str:
    """A point and its throughput: ``512 records x 4 in flight: 12,300 records/s ± 1.2 %``."""
    return (
        f"{row.records_per_request:,} record{'s' if row.records_per_request > 1 else ''} per request x "
        f"{row.concurrency} in flight: {_rate(row)} records/s ± {_half_width(row):.1f} %"
    )


def _rate(row: Measurement) -> str:
    rate = row.throughput_records_per_s
    return f"{rate:,.0f}" if rate >= 100 else f"{rate:.3g}"


def _half_width(row: Measurement) -> float:
    """Half-width, in percent, of where throughput measured once more would lie nine times in ten."""
    interval = repeat_interval(row)
    return 50 * (interval.high - interval.low) / interval.mid


def _quantile(ascending: list[float], probability: float) -> float:
    """The smallest sample that at least this share of the samples does not exceed."""
    return ascending[max(0, -int(-probability * len(ascending) // 1) - 1)]


def _sorted(profile: Profile) -> list[Measurement]:
    """Those of the profile's own setting first, then setting by setting."""

    def place(row: Measurement) -> tuple[float, bool, int, int, int]:
        is_other = row.workers not in {None, profile.container.workers}
        return -row.cpus, is_other, row.workers or 0, row.records_per_request, row.concurrency

    return sorted(profile.measurements, key=place)


def _settings(profile: Profile) -> dict[str, Callable[[Measurement], str]]:
    """Columns for what was varied besides the points: heading -> cell."""
    columns: dict[str, Callable[[Measurement], str]] = {}
    if len({row.cpus for row in profile.measurements}) > 1:
        columns["\nCPUs"] = lambda row: f"{row.cpus:g}"
    if len({row.workers for row in profile.measurements}) > 1:
        columns["\nworkers"] = lambda row: "-" if row.workers is None else f"{row.workers}"
    return columns


def _facts(profile: Profile) -> "Table":
    from rich.table import Table
    from rich.text import Text

    host, about, payload = profile.host, profile.container, profile.payload
    cores = f"{host.logical_cpus} CPUs, {show_bytes(host.memory_bytes)}"
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 3, 0, 0))
    table.add_row("container", Text(f"{about.backend} {about.target}"))
    table.add_row("limits", _limits(about))
    table.add_row("host", Text(f"{host.cpu_model} (family {host.cpu_family}, model {host.cpu_model_number}), {cores}"))
    table.add_row(
        "sample",
        Text(f"{payload.source}: {payload.records:,} records of {payload.mean_record_bytes:,.0f} bytes on average"),
    )
    started = "was running" if profile.startup_s is None else f"ready after {show_seconds(profile.startup_s)}"
    first = f", first request {show_seconds(profile.first_invocation_s)}" if profile.first_invocation_s else ""
    if profile.loading_s is not None and profile.loading_s > 0.5 * (profile.first_invocation_s or 0.0):
        first += f" ({show_seconds(profile.loading_s)} more than later ones: loading)"
    idle = f", {show_bytes(profile.idle_memory_bytes)} when idle" if profile.idle_memory_bytes else ""
    table.add_row("start-up", f"{started}{first}{idle}")
    table.add_row("measured by", _measured_by(profile))
    return table


def _limits(about: ContainerDescription) -> str:
    """CPUs, and whether by pinning or by a quota; memory; workers."""
    cpus = about.limits.cpus
    parts = ["no CPU limit" if cpus is None else f"{cpus:g} CPU{'s' if cpus > 1 else ''}"]
    if cpus is not None and cpus != int(cpus):
        parts[0] += " by a quota"
    if about.cpu_set is not None:
        parts[0] += f" (pinned to CPU {', '.join(map(str, about.cpu_set))})"
    if about.limits.memory_bytes is not None:
        parts.append(show_bytes(about.limits.memory_bytes))
    if about.workers is not None:
        parts.append(f"{about.workers} worker{'s' if about.workers > 1 else ''}")
    return ", ".join(parts)


def _measured_by(profile: Profile) -> str:
    """Where CPU seconds and memory were read, and what the load generator costs."""
    source = profile.usage_source
    told = "CPU and memory not visible" if source is None else f"CPU and memory from {source.replace('-', ' ')}"
    generator = profile.load_generator
    if generator is None:
        return told
    each = f"{show_seconds(generator.cpu_s_per_request)} CPU, {show_seconds(generator.latency_s)} latency"
    return f"{told}; load generator {each} a request"


def _points(profile: Profile) -> "Table":
    """One row per point; narrow enough for 80 columns where one setting was measured."""
    from rich.table import Table

    settings = _settings(profile)
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    for heading in ("", *settings, *_HEADINGS):
        table.add_column(heading, justify="right", no_wrap=True)
    for index, row in enumerate(_sorted(profile), start=1):
        latencies = sorted(row.latency_s)
        cpu_s = row.cpu_s_per_record
        table.add_row(
            f"{index}",
            *(cell(row) for cell in settings.values()),
            f"{row.records_per_request:,}",
            f"{row.concurrency}",
            _rate(row),
            f"{_half_width(row):.1f}",
            f"{1e3 * _quantile(latencies, 0.5):,.1f}",
            f"{1e3 * _quantile(latencies, 0.99):,.1f}",
            "-" if cpu_s is None else f"{1e3 * cpu_s:.3g}",
            "-" if row.cpus_busy is None else f"{100 * row.cpus_busy / row.cpus:.0f}",
            "-" if row.memory_peak_bytes is None else f"{row.memory_peak_bytes / MIB:,.0f}",
            f"{row.requests:,}",
        )
    return table


_HEADINGS = (
    "records/\nrequest",
    "in\nflight",
    "\nrecords/s",
    "\n±%",
    "p50\nms",
    "p99\nms",
    "CPU ms/\nrecord",
    "CPU\n%",
    "peak\nMiB",
    "\nrequests",
)
"""CPU % is of the CPUs that the container could use."""
