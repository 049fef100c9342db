"""One instance at work: its container, the payloads that are ready for it, and the requests in flight."""

import selectors
from array import array
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from planner.container.contract import Container
from planner.errors import RecordFormatError
from planner.jobs.local.connection import KeepingConnection, request_head, request_with
from planner.jobs.local.data_processing import DataProcessor
from planner.jobs.local.objects import Backlog, Cut, ObjectRun
from planner.jobs.local.settings import EffectiveSettings, JobSettings
from planner.profiling.http1 import Request
from planner.records.pack import ANY_SIZE_MB

READY_BYTES: Final = 2**26
"""While the loop would only wait, payloads are cut ahead: up to one per request in flight, and up to these bytes."""
BACKLOG_BYTES: Final = 2**28
"""No new request goes out while this much waits behind an answer that is late: memory stays bounded."""


@dataclass(slots=True, kw_only=True)
class Flight:
    """One payload as a request, from the first try to the last."""

    run: ObjectRun
    cut: Cut
    request: Request
    tries: int = 0


class Lane:
    """One container with at most `max_concurrent_transforms` requests in flight.

    Its objects follow one another: the next begins when the last payload of the one before is out, not answered, so
    that the container stays busy at the seams and only few objects are open at once.
    """

    def __init__(
        self,
        container: Container,
        objects: Sequence[ObjectRun],
        *,
        backlog: Backlog,
        settings: JobSettings,
        effective: EffectiveSettings,
        processor: DataProcessor,
        selector: selectors.BaseSelector,
        buffer: memoryview,
    ) -> None:
        self.on_cut: Callable[[ObjectRun], None] = lambda _run: None
        """Called when the last payload of an object has been cut."""
        self.container = container
        self.backlog = backlog
        self.concurrency = effective.max_concurrent_transforms
        self.idle = [KeepingConnection(container.address, selector, buffer) for _ in range(self.concurrency)]
        self.flights: dict[KeepingConnection, Flight] = {}
        self.latencies_s: array[float] = array("d")
        self.busy_in_flight_s = 0.0
        """Sum over all requests, failed ones too, of the time they were in flight."""
        self.first_s: float | None = None
        self.last_s: float | None = None
        self.cut_everything = False
        self._head = request_head(container.address, settings.content_type, settings.accept)
        self._in_chunks = effective.max_payload_mb == ANY_SIZE_MB
        self._processor = processor
        self._ready: deque[Flight] = deque()
        self._ready_bytes = 0
        self._cuts = self._all(objects, settings, effective)

    @property
    def is_active(self) -> bool:
        """Whether there is, or may be, anything left to send or to wait for."""
        return bool(self.flights or self._ready) or not self.cut_everything

    @property
    def is_held(self) -> bool:
        """Whether it waits for a late answer before it sends more."""
        return self.backlog.bytes >= BACKLOG_BYTES and bool(self.flights)

    @property
    def wants_cuts(self) -> bool:
        """Whether cutting a payload ahead is of use."""
        return (
            not self.cut_everything
            and len(self._ready) < self.concurrency
            and self._ready_bytes < READY_BYTES
            and not self.is_held
        )

    def cut_ahead(self) -> None:
        """Make one more payload ready."""
        flight = self._cut_next()
        if flight is not None:
            self._ready.append(flight)
            self._ready_bytes += flight.request.wire_bytes

    def take(self) -> Flight | None:
        """The next request to send; None when there is none now. Payloads of objects that have failed are dropped."""
        if self.is_held:
            return None
        while self._ready:
            flight = self._ready.popleft()
            self._ready_bytes -= flight.request.wire_bytes
            if flight.run.failure is None:
                return flight
        return self._cut_next()

    def close(self) -> None:
        """Close every connection."""
        for connection in (*self.idle, *self.flights):
            connection.close()

    def _cut_next(self) -> Flight | None:
        for run, cut in self._cuts:
            try:
                body = self._processor.request_body(cut.payload.body)
            except RecordFormatError as error:
                run.fail(f"{run.stored.key}: {cut.place}: {error}")
                continue
            return Flight(run=run, cut=cut, request=request_with(self._head, body, in_chunks=self._in_chunks))
        self.cut_everything = True
        return None

    def _all(
        self, objects: Sequence[ObjectRun], settings: JobSettings, effective: EffectiveSettings
    ) -> Iterator[tuple[ObjectRun, Cut]]:
        for run in objects:
            for cut in run.cuts(settings, effective):
                yield run, cut
            self.on_cut(run)
