"""A prediction as people read it: four quantities with their intervals, what limits, and on what it rests."""

from typing import TYPE_CHECKING

from planner.interval import Interval
from planner.performance.prediction import Prediction
from planner.units import show_bytes, show_rate, show_seconds

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import RenderableType

LIMITS = {
    "service time": "service time: one request at a time, and this is how long it takes; more in flight may help",
    "cpu": "cpu: the CPUs are full; only more or faster CPUs help",
    "workers": "workers: every worker process is busy; more workers may help",
    "concurrency": "concurrency: fewer requests in flight than the server could work on; more would help",
    "serial section": "serial section: a lock, interpreter lock or single thread; more CPUs do not help",
    "waiting": "waiting: the server waits on something that is not its CPU, in a limited number of places",
}
"""What a bottleneck means for the one who can change something."""


def render(prediction: Prediction, *, explain: bool = False) -> "RenderableType":
    """The resolved question, a table of quantities with 90 % intervals, the limit, the regime and the warnings."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    where = prediction.instance_type or "the profiled host"
    workers = "workers not known" if prediction.workers is None else f"{prediction.workers} workers"
    question = (
        f"{prediction.records_per_request:,} records per request, {prediction.concurrency} in flight, "
        f"{where}: {prediction.cpus:g} CPUs, {workers}"
    )
    table = Table(box=None, pad_edge=False)
    for heading, justify in (("", "left"), ("low", "right"), ("mid", "right"), ("high", "right")):
        table.add_column(heading, justify="right" if justify == "right" else "left", no_wrap=True)
    for name, interval, show in _rows(prediction):
        table.add_row(name, show(interval.low), show(interval.mid), show(interval.high))
    promise = "extrapolated; no 90 % is promised" if prediction.extrapolated else "90 % intervals"
    parts: list[RenderableType] = [Text(question), Text(), table, Text()]
    parts += [
        Text(f"Limited by {LIMITS.get(prediction.bottleneck, prediction.bottleneck)}."),
        Text(f"Regime ({promise}): {prediction.regime.removesuffix('.')}."),
    ]
    parts += [Text(f"Warning: {warning}.", style="yellow") for warning in prediction.warnings]
    if explain:
        parts += [Text(), _terms(prediction)]
    return Group(*parts)


def _rows(prediction: Prediction) -> "list[tuple[str, Interval, Callable[[float], str]]]":
    rows: list[tuple[str, Interval, Callable[[float], str]]] = [
        ("throughput", prediction.throughput_records_per_s, lambda rate: show_rate(rate, "records")),
        ("latency, mean", prediction.latency_s, show_seconds),
        ("latency, 99th percentile", prediction.latency_p99_s, show_seconds),
    ]
    if prediction.cpu_s_per_record is not None:
        rows.append(("CPU time per record", prediction.cpu_s_per_record, show_seconds))
    if prediction.memory_bytes is not None:
        rows.append(("peak memory", prediction.memory_bytes, show_bytes))
    return rows


def _terms(prediction: Prediction) -> "RenderableType":
    """The terms, one row each."""
    from rich.table import Table
    from rich.text import Text

    table = Table(title="What it is made of", title_justify="left", box=None, pad_edge=False)
    table.add_column("term", no_wrap=True)
    table.add_column("value", justify="right", no_wrap=True)
    table.add_column("meaning")
    for term in prediction.terms:
        shown = show_seconds(term.value) if term.unit == "s" else f"{term.value:.3g} {term.unit}".rstrip()
        table.add_row(term.name, shown, Text(term.meaning))
    return table
