"""A local run as people read it: what it did, against what was expected, instance by instance, object by object."""

from typing import TYPE_CHECKING, Final

from planner.interval import Interval
from planner.jobs.local.run_document import ObjectRow, RunDocument
from planner.units import show_bytes, show_rate, show_seconds

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

SHOWN_OBJECTS: Final = 20
"""So many rows at most. The document has all."""
_SHOWN_FIRST: Final = {"failed": 0, "unfinished": 1}


def render(run: RunDocument) -> "RenderableType":
    """Totals, expectation beside measurement, instances, objects, warnings."""
    from rich.console import Group
    from rich.text import Text

    parts: list[RenderableType] = [Text(f"{run.state}: {run.input} -> {run.output}")]
    if run.failure is not None:
        parts.append(Text(f"Ended early: {run.failure.splitlines()[0]}", style="red"))
    parts += [Text(), _totals(run)]
    if run.planned is not None or run.predicted is not None:
        parts += [Text(), _expected(run)]
    if run.predicted is not None:
        parts += [Text(f"Prediction: {note}", style="yellow") for note in run.predicted.notes]
    if run.instances:
        parts += [Text(), _instances(run)]
    parts += [Text(), _objects(run)]
    parts += [Text(f"Warning: {warning}", style="yellow") for warning in run.warnings]
    return Group(*parts)


def _table(*headers: str) -> "Table":
    from rich.table import Table

    table = Table(box=None, pad_edge=False, show_header=bool(headers), padding=(0, 2, 0, 0), header_style="")
    for header in headers:
        table.add_column(header, no_wrap=True)
    return table


def _totals(run: RunDocument) -> "Table":
    table = _table()
    states = [row.state for row in run.objects]
    kept, failed = states.count("kept"), states.count("failed")
    left = states.count("unfinished")
    extras = [f"{kept:,} kept from before"] * bool(kept) + [f"{failed:,} failed"] * bool(failed)
    extras += [f"{left:,} not finished"] * bool(left)
    table.add_row("objects", f"{len(run.objects):,}", ", ".join(extras))
    sent = [f"{run.requests_sent:,} sent", f"{run.retried_requests:,} retries", f"{run.failed_requests:,} failed"]
    if run.connections_opened is not None:
        sent.append(f"{run.connections_opened:,} connections opened")
    table.add_row("requests", f"{run.requests:,}", ", ".join(sent))
    table.add_row("records", f"{run.records:,}", f"{run.records / run.requests:,.1f} a request" if run.requests else "")
    table.add_row("bytes", show_bytes(run.payload_bytes), f"in, {show_bytes(run.output_bytes)} out")
    table.add_row("makespan", show_seconds(run.makespan_s), show_rate(run.throughput_records_per_s, "records"))
    if run.latency_s is not None:
        quantiles = dict(run.latency_s.quantiles)
        spread = ", ".join(f"{p * 100:g} %: {show_seconds(quantiles[p])}" for p in (0.5, 0.95, 0.99))
        table.add_row("latency", show_seconds(run.latency_s.mean), f"mean; {spread}")
    if run.effective is not None:
        used = run.effective
        for name, value, origin in (
            ("concurrency", used.max_concurrent_transforms, used.max_concurrent_transforms_from),
            ("payload", f"{used.max_payload_mb} MB" if used.max_payload_mb else "any size", used.max_payload_mb_from),
            ("strategy", used.batch_strategy, used.batch_strategy_from),
        ):
            table.add_row(name, str(value), {"request": "as asked"}.get(origin, f"from the {origin}"))
    return table


def _expected(run: RunDocument) -> "Table":
    planned, predicted = run.planned, run.predicted
    headers = ["", "measured here"]
    headers += ["predicted for here"] * (predicted is not None)
    headers += [f"plan, on {planned.instance_count} x {planned.instance_type}"] if planned else []
    table = _table(*headers)

    def add(name: str, measured: str, here: str, plan: str) -> None:
        table.add_row(name, measured, *[here] * (predicted is not None), *[plan] * (planned is not None))

    requests = f"{planned.requests:,}" if planned else ""
    add("requests", f"{run.requests:,}", "", requests)
    add(
        "makespan",
        show_seconds(run.makespan_s),
        _seconds(predicted.makespan_s) if predicted else "",
        _seconds(planned.makespan_s) if planned else "",
    )
    add(
        "throughput of one",
        show_rate(run.throughput_records_per_s / max(1, len(run.instances)), "records"),
        _rate(predicted.throughput_records_per_s) if predicted else "",
        _rate(planned.throughput_records_per_s) if planned else "",
    )
    add(
        "latency",
        show_seconds(run.latency_s.mean) if run.latency_s else "-",
        _seconds(predicted.latency_s) if predicted else "",
        _seconds(planned.latency_s) if planned else "",
    )
    if planned is not None:
        add("", "", "", "another machine's times, not comparable with these")
    return table


def _seconds(interval: Interval) -> str:
    return f"{show_seconds(interval.mid)} ({show_seconds(interval.low)} to {show_seconds(interval.high)})"


def _rate(interval: Interval) -> str:
    return f"{show_rate(interval.mid, 'records')} ({interval.low:,.0f} to {interval.high:,.0f})"


def _instances(run: RunDocument) -> "Table":
    table = _table("instance", "objects", "requests", "start-up", "busy", "in flight", "CPU", "memory", "CPUs")
    for row in run.instances:
        table.add_row(
            str(row.instance),
            f"{row.objects:,}",
            f"{row.requests:,}",
            show_seconds(row.startup_s),
            show_seconds(row.busy_s),
            f"{row.mean_in_flight:.2f}",
            "-" if row.utilization is None else f"{row.utilization:.0%}",
            "-" if row.memory_peak_bytes is None else show_bytes(row.memory_peak_bytes),
            "all" if row.cpu_set is None else ",".join(str(cpu) for cpu in row.cpu_set),
        )
    return table


def _objects(run: RunDocument) -> "RenderableType":
    from rich.console import Group
    from rich.text import Text

    rows = sorted(run.objects, key=lambda row: _SHOWN_FIRST.get(row.state, len(_SHOWN_FIRST)))[:SHOWN_OBJECTS]
    table = _table("object", "state", "at", "records", "requests", "in", "out", "seconds")
    table.columns[0].no_wrap = False
    table.columns[0].overflow = "fold"
    for row in rows:
        table.add_row(
            Text(row.key),
            Text(row.state, style="red" if row.state == "failed" else ""),
            "-" if row.instance is None else str(row.instance),
            f"{row.records:,}",
            f"{row.requests:,}",
            show_bytes(row.payload_bytes),
            show_bytes(row.output_bytes),
            _span(row),
        )
    left = len(run.objects) - len(rows)
    return Group(table, Text(f"and {left:,} more")) if left else table


def _span(row: ObjectRow) -> str:
    if row.started_s is None or row.finished_s is None:
        return "-"
    return f"{row.started_s:.2f} to {row.finished_s:.2f}"
