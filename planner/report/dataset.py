"""A data set as people read it: how much there is, how evenly it lies, how large the records are."""

from typing import TYPE_CHECKING

from planner.records.dataset import Dataset
from planner.units import show_bytes

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

SHOWN_PAYLOADS_MB = (1, 6, 20, 100)
"""Smallest, default, a frequent limit of model servers, and largest MaxPayloadInMB."""


def render(dataset: Dataset) -> "RenderableType":
    """Totals, record sizes and requests in three small tables, and the warnings below."""
    from rich.console import Group
    from rich.text import Text

    kind = dataset.content_type or "content type not known"
    title = f"{dataset.input}: {kind}, SplitType {dataset.split_type}, CompressionType {dataset.compression_type}"
    parts: list[RenderableType] = [Text(title), Text(), _totals(dataset), Text(), _record_sizes(dataset)]
    if dataset.requests_by_payload_mb is not None:
        parts += [Text(), _requests(dataset, dataset.requests_by_payload_mb)]
    if dataset.warnings:
        parts.append(Text())
        parts += [Text(f"Warning: {warning}", style="yellow") for warning in dataset.warnings]
    return Group(*parts)


def _table() -> "Table":
    from rich.table import Table

    return Table(box=None, pad_edge=False, show_header=False, padding=(0, 3, 0, 0))


def _totals(dataset: Dataset) -> "Table":
    from rich.text import Text

    count, total, records = dataset.object_count, dataset.payload_bytes, dataset.records
    largest = max(dataset.objects, key=lambda o: o.payload_bytes)
    stored = sum(o.stored_bytes * o.copies for o in dataset.objects)
    table = _table()
    table.add_row("objects", f"{count:,}", f"{show_bytes(total / count)} and {records / count:,.1f} records on average")
    size = show_bytes(total) if stored == total else f"{show_bytes(total)} ({show_bytes(stored)} as stored)"
    table.add_row("size", size, f"{total:,} bytes")
    table.add_row("records", f"{records:,}", f"{dataset.record_sizes.mean:,.1f} bytes on average")
    skew = f"{largest.payload_bytes * count / total:.2f} x the mean: " if total else ""
    table.add_row("largest object", show_bytes(largest.payload_bytes), Text(skew + largest.key))
    return table


def _record_sizes(dataset: Dataset) -> "Table":
    from rich.text import Text

    sizes = dataset.record_sizes
    holder = max(dataset.objects, key=lambda o: o.largest_record_bytes)
    table = _table()
    table.add_row("record size", "bytes", "delimiters and frames included, as MultiRecord sends them")
    table.add_row("  smallest", f"{sizes.smallest:,}", "")
    for probability, size in sizes.quantiles:
        table.add_row(f"  {probability * 100:g} %", f"{size:,}", "median" if probability == 0.5 else "")
    table.add_row("  largest", f"{sizes.largest:,}", Text(f"in {holder.key}"))
    return table


def _requests(dataset: Dataset, requests_by_payload_mb: tuple[int, ...]) -> "Table":
    table = _table()
    table.add_row("MaxPayloadInMB", "requests", "with BatchStrategy MultiRecord")
    for payload_mb in SHOWN_PAYLOADS_MB:
        requests = requests_by_payload_mb[payload_mb - 1]
        if requests:
            table.add_row(
                f"  {payload_mb}", f"{requests:,}", f"{dataset.records / requests:,.1f} records each on average"
            )
        else:
            table.add_row(f"  {payload_mb}", "-", "too small for the largest record")
    return table
