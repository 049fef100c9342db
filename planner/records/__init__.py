"""What the input is made of: splitting, packing, data sets."""

from planner.records.dataset import BatchStrategy, CompressionType, Dataset, InputObject, RecordSizes, SplitType
from planner.records.layout import describe, repeated
from planner.records.pack import payload_limit_bytes
from planner.records.payloads import Payload, iter_payloads, iter_records
from planner.records.scan import inspect
from planner.records.sizes import RecordSizeStore
from planner.records.split import record_ends, split_records, unwrapped

__all__ = [
    "BatchStrategy",
    "CompressionType",
    "Dataset",
    "InputObject",
    "Payload",
    "RecordSizeStore",
    "RecordSizes",
    "SplitType",
    "describe",
    "inspect",
    "iter_payloads",
    "iter_records",
    "payload_limit_bytes",
    "record_ends",
    "repeated",
    "split_records",
    "unwrapped",
]
