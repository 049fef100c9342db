"""Data sets that are not there to be read: described by numbers, or another data set many times over."""

from planner.documents import replace
from planner.errors import InputMissingError
from planner.records.counting import PROBABILITIES
from planner.records.dataset import CompressionType, Dataset, InputObject, RecordSizes, SplitType
from planner.records.pack import MAX_PAYLOAD_MB, payload_limit_bytes


def describe(
    records: int,
    record_bytes: int,
    objects: int,
    *,
    split_type: SplitType = "Line",
    compression_type: CompressionType = "None",
    content_type: str | None = None,
) -> Dataset:
    """A data set of records of one size (bytes, delimiter included), dealt over objects as evenly as whole records go.

    The first ``records mod objects`` objects hold one record more than the others: two rows, whatever the numbers.
    Raises InputMissingError if there is not at least one record of one byte per object.
    """
    if min(records, record_bytes, objects) < 1 or objects > records:
        raise InputMissingError(
            f"{records:,} records of {record_bytes:,} bytes in {objects:,} objects: every object needs at least one "
            "record, and every record at least one byte. Check --records, --record-bytes and --objects."
        )
    if split_type == "None" and objects != records:
        raise InputMissingError(
            f"{records:,} records in {objects:,} objects with SplitType None: there each object is one record. "
            "Make the two numbers equal, or use --split-type Line."
        )
    each, larger = divmod(records, objects)
    shapes = [(0, each + 1, larger), (larger, each, objects - larger)]
    rows = tuple(_run(first, count, copies, record_bytes) for first, count, copies in shapes if copies)
    return Dataset(
        input="described",
        split_type=split_type,
        compression_type=compression_type,
        content_type=content_type,
        objects=rows,
        record_sizes=RecordSizes(
            count=records,
            total_bytes=records * record_bytes,
            smallest=record_bytes,
            largest=record_bytes,
            quantiles=tuple((p, record_bytes) for p in PROBABILITIES),
        ),
        requests_by_payload_mb=tuple(_requests(rows, record_bytes, m) for m in range(1, MAX_PAYLOAD_MB + 1)),
        warnings=("described, not read: all records are taken to be of one size and objects as even as they can be",),
    )


def _run(first: int, records: int, copies: int, record_bytes: int) -> InputObject:
    size = records * record_bytes
    return InputObject(
        key=f"part-{first:09d}",
        stored_bytes=size,
        payload_bytes=size,
        records=records,
        largest_record_bytes=record_bytes,
        copies=copies,
    )


def _requests(rows: tuple[InputObject, ...], record_bytes: int, max_payload_mb: int) -> int:
    per_request = payload_limit_bytes(max_payload_mb) // record_bytes
    return sum(-(-row.records // per_request) * row.copies for row in rows) if per_request else 0


def repeated(dataset: Dataset, times: int) -> Dataset:
    """The same input many times over: each object stands ``times`` times, its twins next to it in key order.

    That is how keys sort when a twin's key is its original's with something appended; objects dealt in key order then
    spread every shape over all instances. Counts of records and requests are times the original's, exactly, because no
    request spans two objects. Raises ValueError if times is below 1.
    """
    if times < 1:
        raise ValueError(f"an input is repeated 1 time or more, not {times}")
    requests = dataset.requests_by_payload_mb
    sizes = dataset.record_sizes
    return replace(
        dataset,
        objects=tuple(replace(o, copies=o.copies * times) for o in dataset.objects),
        record_sizes=replace(sizes, count=sizes.count * times, total_bytes=sizes.total_bytes * times),
        requests_by_payload_mb=None if requests is None else tuple(count * times for count in requests),
    )
