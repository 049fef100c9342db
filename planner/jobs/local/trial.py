"""The job's own containers tried here for some seconds, under the runner, with sample records.

Stand-ins (`side_by_side`) know what containers and runner take from each other, but not how fast this machine is at the
container's work by now: they burn CPU seconds, and on a machine whose cores are shared with strangers, or change their
clock, a request needs a different number of those from minute to minute. The containers themselves know both.

The containers do two small jobs, one of them alone first, then all together, each with the job's own settings and with
requests that are packed from the sample as the job's are. The first quarter of each warms them up: it does not count
for the rates, and by how much longer it takes is told as well, for the job's own first requests will.
"""

import itertools
import math
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Final

from planner.documents import replace as changed
from planner.errors import InputMissingError
from planner.jobs.local.outcome import raise_if_failed
from planner.jobs.local.run import OpenInstance, run_job
from planner.jobs.local.run_document import ObjectRow, RunDocument
from planner.jobs.local.settings import JobSettings
from planner.records.dataset import BatchStrategy, CompressionType, SplitType
from planner.records.payloads import iter_payloads, iter_records

_ALONE_S: Final = 2.0
_TOGETHER_S: Final = 4.0
"""Longer, for most of a job depends on it: the speed of a shared core changes from second to second."""
_WARMING_SHARE: Final = 0.25
_LEAST_ROUNDS: Final = 4
"""Of requests in flight, where they take long: one to warm up, three that count."""
_MOST_REQUESTS: Final = 20_000
_SAMPLE_BYTES: Final = 2**26


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What is tried."""

    open_instance: OpenInstance
    sample: Path
    """Records such as the job's, and no fewer than the container might remember: they are sent in turn."""
    settings: JobSettings
    """The job's; its instances are those that will have something to do."""
    cpus: float
    """Of each."""
    memory_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """What came of it."""

    alone_requests_per_s: float
    together_requests_per_s: float
    """Of one of them."""
    warming_s: float
    """By so much later than at that rate did one of them answer its first requests."""
    records_per_request: float
    requests: int
    """That were counted, of all together."""
    client_cpu_s_per_request: float
    keeps_connections: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layout:
    """The objects that every instance gets: so many pieces of the sample in each."""

    pieces: tuple[int, ...]
    warming: int
    """The first ones of them, which warm up."""


def try_containers(trial: Trial, *, expected_requests_per_s: float) -> Tried:
    """The rates of one container alone and of all at once; takes some ten seconds, or four rounds of requests.

    `expected_requests_per_s` is of one container and sets how many requests are sent. Raises InputMissingError for a
    sample without records, RecordFormatError and RecordTooLargeError for one that is not what the settings say,
    JobFailedError where a request fails, and what `run_job` raises.
    """
    single = replace(trial, settings=changed(trial.settings, instance_count=1))
    alone, alone_layout = _job(single, expected_requests_per_s * _ALONE_S)
    together, layout = alone, alone_layout
    if trial.settings.instance_count > 1:
        together, layout = _job(trial, expected_requests_per_s * _TOGETHER_S)
    counted = _counted(together, layout)
    requests, in_flight = sum(row.requests for row in counted), trial.settings.max_concurrent_transforms or 1
    return Tried(
        alone_requests_per_s=_rate(alone, alone_layout, in_flight),
        together_requests_per_s=(rate := _rate(together, layout, in_flight)),
        warming_s=_warming_s(together, layout, in_flight, rate),
        records_per_request=sum(row.records for row in counted) / requests,
        requests=requests,
        client_cpu_s_per_request=together.client_cpu_s / together.requests,
        keeps_connections=together.connections_opened is None or together.connections_opened < together.requests,
    )


def _job(trial: Trial, wanted: float) -> tuple[RunDocument, _Layout]:
    """One job with about so many requests for each instance."""
    settings = trial.settings
    in_flight = settings.max_concurrent_transforms or 1
    requests = max(_LEAST_ROUNDS * in_flight, min(_MOST_REQUESTS, math.ceil(wanted)))
    layout = _layout(requests, settings.split_type)
    with tempfile.TemporaryDirectory(prefix="batch-transform-planner-") as scratch:
        folder = Path(scratch)
        _write(folder / "in", trial, layout)
        done = run_job(
            folder / "in",
            folder / "out",
            settings,
            trial.open_instance,
            cpus=trial.cpus,
            memory_bytes=trial.memory_bytes,
        )
    raise_if_failed(done)
    return done, layout


def _layout(requests: int, split_type: SplitType) -> _Layout:
    """A warming object and one that counts; with SplitType None, where an object is a request, as many as those."""
    warming = math.ceil(_WARMING_SHARE * requests)
    if split_type == "None":
        return _Layout(pieces=(1,) * requests, warming=warming)
    return _Layout(pieces=(warming, requests - warming), warming=1)


def _write(folder: Path, trial: Trial, layout: _Layout) -> None:
    """The input: in key order, the first object of every instance, then the second of every one, and so on."""
    folder.mkdir()
    pieces = itertools.cycle(_pieces(trial))
    instances = trial.settings.instance_count
    for number, count in enumerate(layout.pieces):
        first = folder / _key(number * instances)
        with first.open("wb") as stream:
            stream.writelines(itertools.islice(pieces, count))
        for other in range(1, instances):
            (folder / _key(number * instances + other)).hardlink_to(first)


def _key(number: int) -> str:
    return f"{number:09d}"


def _pieces(trial: Trial) -> list[bytes]:
    """What makes one request each, as it stands in an object: with the wrapper or line break of every record."""
    split_type, pieces, held = trial.settings.split_type, [], 0
    for piece in _cut(trial.sample, split_type, trial.settings.batch_strategy, trial.settings.max_payload_mb or 1):
        ends = split_type != "Line" or piece.endswith(b"\n")
        pieces.append(piece if ends else piece + b"\n")
        held += len(piece)
        if held >= _SAMPLE_BYTES:
            return pieces
    if not pieces:
        raise InputMissingError(f"{trial.sample}: holds no record to try the containers with")
    # The last request of the sample is as large as what was left of it, which those of a job are not.
    return pieces[:-1] if len(pieces) > 1 and trial.settings.batch_strategy == "MultiRecord" else pieces


def _cut(
    sample: Path, split_type: SplitType, batch_strategy: BatchStrategy | None, max_payload_mb: int
) -> Iterator[bytes]:
    compression_type: CompressionType = "Gzip" if sample.suffix == ".gz" else "None"
    try:
        with sample.open("rb", buffering=0) as stream:
            if batch_strategy == "SingleRecord":
                yield from iter_records(stream, split_type, compression_type=compression_type, source=str(sample))
                return
            for payload in iter_payloads(
                stream,
                split_type=split_type,
                batch_strategy="MultiRecord",
                max_payload_mb=max_payload_mb,
                compression_type=compression_type,
                source=str(sample),
            ):
                yield payload.body
    except OSError as error:
        raise InputMissingError(f"{sample}: cannot be read: {error.strerror}") from error


def _counted(run: RunDocument, layout: _Layout) -> list[ObjectRow]:
    """Rows of the objects that do not warm up."""
    return [row for own in _by_instance(run) for row in own[layout.warming :]]


def _rate(run: RunDocument, layout: _Layout, in_flight: int) -> float:
    """Requests per second of one instance, from the first request of those that count to its last answer.

    With c in flight, c - 1 that warm up are under way then, half done on average, and at the end slots stand empty for
    as much: c - 1 requests are counted for both. From their last answer on would do, if that were never a late one.
    """
    requests, seconds = 0.0, 0.0
    for own in _by_instance(run):
        counted = own[layout.warming :]
        requests += sum(row.requests for row in counted) + in_flight - 1
        seconds += max(row.finished_s or 0.0 for row in counted) - _begun_s(counted)
    return requests / seconds


def _warming_s(run: RunDocument, layout: _Layout, in_flight: int, requests_per_s: float) -> float:
    """Of one instance, on average: when the first request that counts was sent, less what those before take."""
    late = []
    for own in _by_instance(run):
        before = sum(row.requests for row in own[: layout.warming]) - (in_flight - 1) / 2
        late.append(_begun_s(own[layout.warming :]) - _begun_s(own) - before / requests_per_s)
    return max(0.0, fmean(late))


def _by_instance(run: RunDocument) -> Iterator[list[ObjectRow]]:
    """The objects of each instance, in the order in which it was given them."""
    for instance in run.instances:
        yield [row for row in run.objects if row.instance == instance.instance]


def _begun_s(rows: list[ObjectRow]) -> float:
    """When the first request of them was sent."""
    return min(row.started_s or 0.0 for row in rows)
