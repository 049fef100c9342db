"""What the input of a job is made of: objects, their sizes, and the sizes of the records inside them."""

from typing import Literal, TypeAlias

from planner.documents import Document, Value

SplitType: TypeAlias = Literal["None", "Line", "RecordIO", "TFRecord"]
CompressionType: TypeAlias = Literal["None", "Gzip"]
BatchStrategy: TypeAlias = Literal["MultiRecord", "SingleRecord"]


class InputObject(Value, frozen=True, kw_only=True):
    """One object of the input, or a run of consecutive objects of the same shape (in key order).

    An object is never divided between instances, so it is the grain of parallelism over instances.
    """

    key: str
    """Key below the input prefix, '/'-separated; of the first object of the run."""
    stored_bytes: int
    """Size as stored: of the compressed object when CompressionType is Gzip."""
    payload_bytes: int
    """Sum of the bytes of its records as the container gets them, after decompression."""
    records: int
    largest_record_bytes: int
    copies: int = 1
    """How many consecutive objects have this shape; a scanned object has 1, a described layout many."""


class RecordSizes(Value, frozen=True, kw_only=True):
    """Distribution of record sizes over the whole input, in bytes (delimiters included, as sent)."""

    count: int
    total_bytes: int
    smallest: int
    largest: int
    quantiles: tuple[tuple[float, int], ...]
    """(probability, bytes) pairs, ascending: at least 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99."""

    @property
    def mean(self) -> float:
        """Mean record size in bytes; 0 when there are no records."""
        return self.total_bytes / self.count if self.count else 0.0


class Dataset(Document, frozen=True, kw_only=True, tag="dataset"):
    """The input of one transform job."""

    input: str
    """Where it came from: a folder, an S3 URI, or "described" when only numbers were given."""
    split_type: SplitType
    compression_type: CompressionType = "None"
    content_type: str | None = None
    objects: tuple[InputObject, ...]
    """In key order (UTF-8 binary order, as S3 lists)."""
    record_sizes: RecordSizes
    requests_by_payload_mb: tuple[int, ...] | None = None
    """Exact number of MultiRecord requests over the whole input at MaxPayloadInMB 1, 2, ..., 100 (greedy
    packing, one object at a time); None where it was not counted. 0 at a limit that some record exceeds."""
    warnings: tuple[str, ...] = ()

    @property
    def object_count(self) -> int:
        """Number of objects, runs unrolled."""
        return sum(o.copies for o in self.objects)

    @property
    def records(self) -> int:
        """Number of records in the whole input."""
        return sum(o.records * o.copies for o in self.objects)

    @property
    def payload_bytes(self) -> int:
        """Bytes of all records, as the containers get them."""
        return sum(o.payload_bytes * o.copies for o in self.objects)
