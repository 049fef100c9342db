"""All requests of a job: one thread, every connection of every instance in one selector.

As the service's agent, it keeps MaxConcurrentTransforms requests in flight per instance and refills at each
completion. While nothing has arrived it cuts payloads ahead, so that an answer is followed by the next request at
once. Outputs are flushed to disk by a few threads: the loop never waits for a disk.
"""

import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from selectors import BaseSelector
from typing import Final, TypeAlias

from planner.errors import RecordFormatError, ResponseMismatchError
from planner.jobs.local.connection import KeepingConnection, service_words
from planner.jobs.local.data_processing import DataProcessor
from planner.jobs.local.lane import Flight, Lane
from planner.jobs.local.objects import ObjectRun
from planner.jobs.local.retries import is_retried
from planner.profiling.http1 import Failure

LOOK_S: Final = 0.1
"""Longest time between two looks for overdue requests and finished files."""
PUBLISHERS: Final = 4
MOST_UNPUBLISHED: Final = 64
"""So many outputs may wait for the disk before sending pauses: each holds a file open."""
DEATH_NOTICE_S: Final = {"refused": 0.5, "reset": 0.2}
"""How long a connection that was refused, or ended early, waits for the news that its server has ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunProgress:
    """How far the job has come."""

    stored_bytes: int
    """Of the input, done with."""
    requests: int
    objects: int
    failed_objects: int


Progress: TypeAlias = Callable[[RunProgress], None]


class Dispatch:
    """Sends everything, waits for everything; totals stand in its attributes afterwards."""

    def __init__(
        self,
        lanes: Sequence[Lane],
        *,
        selector: BaseSelector,
        processor: DataProcessor,
        timeout_s: float,
        max_retries: int,
        progress: Progress | None = None,
    ) -> None:
        self._lanes = lanes
        self._selector = selector
        self._processor = processor
        self._timeout_s = timeout_s
        self._max_retries = max_retries
        self._progress = progress
        for lane in lanes:
            lane.on_cut = self._end_if_over
        self._lane_of = {connection: lane for lane in lanes for connection in lane.idle}
        self._publisher = ThreadPoolExecutor(PUBLISHERS, thread_name_prefix="publish")
        self._publishing: set[Future[None]] = set()
        self._unstored: deque[tuple[Flight, bytes, float]] = deque()
        """Answers that are stored as soon as the next request is out: the container need not wait for that."""
        self._next_look_s = 0.0
        self._stored_bytes = 0
        self._objects_over = 0
        self._failed_objects = 0
        self.requests_sent = 0
        self.answered = 0
        self.retried = 0
        self.failed = 0

    def run(self) -> None:
        """The whole job. Raises OutputError and ContainerDiedError; then nothing unfinished is published."""
        try:
            while self._publishing or any(lane.is_active for lane in self._lanes):
                self._refill()
                self._step()
            self._report()
        finally:
            for lane in self._lanes:
                lane.close()
            self._publisher.shutdown(wait=True, cancel_futures=True)

    @property
    def connections_opened(self) -> int:
        """TCP connections, of all lanes."""
        return sum(connection.opened for connection in self._lane_of)

    # --- the loop -----------------------------------------------------------------------------------
    def _refill(self) -> None:
        """Put idle connections to work."""
        for lane in self._lanes:
            while lane.idle and (flight := self._next(lane)) is not None:
                self._drive(lane, lane.idle.pop(), flight)

    def _next(self, lane: Lane) -> Flight | None:
        return lane.take() if len(self._publishing) < MOST_UNPUBLISHED else None

    def _step(self) -> None:
        """Wait for the sockets, settle what is over and send the next; cut ahead where there is nothing to do."""
        hungry = [lane for lane in self._lanes if lane.wants_cuts]
        if self._publishing and not any(lane.flights for lane in self._lanes):
            wait(self._publishing, timeout=LOOK_S, return_when=FIRST_COMPLETED)
        pause_s = 0.0 if hungry else max(0.0, min(LOOK_S, self._next_look_s - time.perf_counter()))
        events = self._selector.select(pause_s) if any(lane.flights for lane in self._lanes) else []
        for key, mask in events:
            connection: KeepingConnection = key.data
            if connection.on_ready(mask):
                self._go_on(connection)
        if hungry and not events:
            hungry[0].cut_ahead()
        now_s = time.perf_counter()
        if now_s >= self._next_look_s:
            self._next_look_s = now_s + LOOK_S
            self._time_out_overdue(now_s)
            self._report()
        self._reap()

    def _go_on(self, connection: KeepingConnection) -> None:
        """The connection's request is over: settle it, and put the next on its way."""
        self._drive(self._lane_of[connection], connection, self._settle(connection))

    def _drive(self, lane: Lane, connection: KeepingConnection, flight: Flight | None) -> None:
        """Send the request over a free connection, and if it fails at once the one after it, until one is out."""
        while flight is not None:
            now_s = time.perf_counter()
            flight.tries += 1
            self.requests_sent += 1
            lane.first_s = now_s if lane.first_s is None else lane.first_s
            flight.run.begin(now_s)
            lane.flights[connection] = flight
            if not connection.begin(flight.request, now_s):
                break
            flight = self._settle(connection)
        else:
            lane.idle.append(connection)
        while self._unstored:
            self._store(*self._unstored.popleft())

    def _settle(self, connection: KeepingConnection) -> Flight | None:
        """Account for the connection's request, which is over; what to send next over it, the same again if need be."""
        lane = self._lane_of[connection]
        flight = lane.flights.pop(connection)
        lane.last_s = now_s = time.perf_counter()
        lane.busy_in_flight_s += now_s - connection.started_s
        failure = connection.failure
        if failure is None:
            lane.latencies_s.append(now_s - connection.started_s)
            self._unstored.append((flight, connection.take_body(), now_s))
        elif self._has_tries_left(flight, failure):
            self._check_alive(lane, failure)
            self.retried += 1
            return flight
        else:
            self.failed += 1
            flight.run.fail(f"{flight.run.stored.key}: {flight.cut.place}: {service_words(failure)}")
            self._end_if_over(flight.run)
            self._check_alive(lane, failure)
        return self._next(lane)

    def _has_tries_left(self, flight: Flight, failure: Failure) -> bool:
        return flight.run.failure is None and flight.tries <= self._max_retries and is_retried(failure)

    def _store(self, flight: Flight, answer: bytes, now_s: float) -> None:
        """Bring an answer into its object's output."""
        self.answered += 1
        run, cut = flight.run, flight.cut
        try:
            part = self._processor.response_part(cut.payload.body, answer) if run.failure is None else b""
        except (RecordFormatError, ResponseMismatchError) as error:
            run.fail(f"{run.stored.key}: {cut.place}: {error}")
            part = b""
        run.answer(cut, part, now_s)
        self._stored_bytes += run.credit(cut.stored_position)
        self._end_if_over(run)

    def _end_if_over(self, run: ObjectRun) -> None:
        """Publish an object whose answers are complete; count one that has failed. Each once."""
        if run.is_over or not (run.is_answered or run.failure is not None):
            return
        run.is_over = True
        self._stored_bytes += run.credit(run.stored.stored_bytes)
        self._objects_over += 1
        if run.failure is not None:
            self._failed_objects += 1
            return
        self._publishing.add(self._publisher.submit(run.publish))

    def _time_out_overdue(self, now_s: float) -> None:
        for lane in self._lanes:
            for connection in [c for c in lane.flights if now_s - c.started_s >= self._timeout_s]:
                connection.time_out(self._timeout_s)
                self._go_on(connection)

    def _check_alive(self, lane: Lane, failure: Failure) -> None:
        """Raise ContainerDiedError if no answer came because the server has ended.

        The news of the end may come later than the end of the connection: it is waited for, or further objects would
        fail for the same reason.
        """
        if failure.kind == "status":
            return
        deadline_s = time.perf_counter() + DEATH_NOTICE_S.get(failure.kind, 0.0)
        while True:
            lane.container.check_alive()
            if time.perf_counter() >= deadline_s:
                return
            time.sleep(0.01)

    def _reap(self) -> None:
        """Collect what the publishers have done. Raises OutputError."""
        if not self._publishing:
            return
        for future in [future for future in self._publishing if future.done()]:
            self._publishing.remove(future)
            future.result()

    def _report(self) -> None:
        if self._progress is not None:
            self._progress(
                RunProgress(
                    stored_bytes=self._stored_bytes,
                    requests=self.answered,
                    objects=self._objects_over,
                    failed_objects=self._failed_objects,
                )
            )
