"""Closed-loop load: a fixed number of requests in flight, each answer at once followed by the next request.

That is what the service's agent does with MaxConcurrentTransforms, so throughput here is throughput there; an
open loop (a fixed arrival rate) would measure another system. One thread drives all connections: it costs the
machine little, and nothing of ours waits for anything of ours.
"""

import itertools
import math
import selectors
import time
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from planner.buffers import page_aligned
from planner.container.contract import Address, Usage
from planner.profiling.host import host_cpu_s
from planner.profiling.http1 import RECEIVE_BUFFER_BYTES, Connection, Failure, Request

OVERLOAD_STATUSES: Final = frozenset({429, 502, 503, 504})
"""What servers and proxies answer when they are too busy; anything else from 300 up is about the request."""

_USAGE_SHARE: Final = 0.01
"""Reading CPU use stalls the loop: at most this share of the time goes into it."""
_LOOKS_PER_TIMEOUT: Final = 20
"""How often, per time-out, the loop looks for requests that are overdue."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """What had been used up at one moment of the run; taken right after a completion."""

    at_s: float
    completions: int
    usage: Usage | None
    client_cpu_s: float
    """CPU seconds of the loop's own thread."""
    host_cpu_s: float
    """CPU seconds that were used on the whole machine, by anyone; on a virtual one also those taken from it."""


@dataclass(slots=True, kw_only=True)
class Trace:
    """Everything that was seen in one run; times are of `time.perf_counter`."""

    began_s: float = 0.0
    start_s: "array[float]" = field(default_factory=lambda: array("d"))
    """When each answered request was sent, in order of completion."""
    end_s: "array[float]" = field(default_factory=lambda: array("d"))
    """When its answer was complete."""
    request_bytes: "array[int]" = field(default_factory=lambda: array("q"))
    response_bytes: "array[int]" = field(default_factory=lambda: array("q"))
    failures: list[tuple[float, Failure]] = field(default_factory=list)
    """When, and what, in order of occurrence."""
    open_start_s: list[float] = field(default_factory=list)
    """When each request was sent that was in flight at the last checkpoint; after the run: at its end."""
    open_end_s: list[float] = field(default_factory=list)
    """After the run: when those were answered, with no others sent any more; infinite where they were not."""
    checkpoints: list[Checkpoint] = field(default_factory=list)
    broken_off: bool = False
    """The run ended early because going on would only have repeated the failures."""


class ClosedLoop:
    """Keeps `concurrency` requests in flight until told to stop, then waits for those in flight to end.

    The requests are sent in turn, round and round. A request without a complete answer after `timeout_s` fails.
    `read_usage` is called between completions, not more often than every `checkpoint_s`; right after each such
    call `should_stop` is asked.
    """

    def __init__(
        self,
        address: Address,
        requests: Sequence[Request],
        *,
        concurrency: int,
        timeout_s: float,
        read_usage: Callable[[], Usage | None] = lambda: None,
    ) -> None:
        self._requests: Iterator[Request] = itertools.cycle(requests)
        self._selector = selectors.DefaultSelector()
        buffer = page_aligned(RECEIVE_BUFFER_BYTES)
        self._idle = [Connection(address, self._selector, buffer) for _ in range(concurrency)]
        self._busy: dict[Connection, Request] = {}
        self._timeout_s = timeout_s
        self._read_usage = read_usage
        self._usage_cost_s = 0.0
        self._next_look_s = 0.0
        self._failures_in_a_row = 0
        self._patience = max(5, 2 * concurrency)

    def run(self, *, should_stop: Callable[[Trace], bool], checkpoint_s: float, at_most_s: float) -> Trace:
        """The trace of one run. Completions after the stop are waited for, so that the server is idle, not counted."""
        trace = Trace(began_s=time.perf_counter())
        try:
            self._checkpoint(trace)
            next_checkpoint_s = trace.began_s + checkpoint_s
            stop_s = trace.began_s + at_most_s
            self._next_look_s = trace.began_s + self._timeout_s
            waiting, self._idle = self._idle, []
            for connection in waiting:
                self._send_next(connection, time.perf_counter(), trace)
            while not trace.broken_off:
                seen = len(trace.end_s)
                now_s = self._step(trace, stop_s)
                if now_s >= next_checkpoint_s and len(trace.end_s) > seen:
                    self._checkpoint(trace)
                    next_checkpoint_s = time.perf_counter() + max(checkpoint_s, self._usage_cost_s / _USAGE_SHARE)
                    if should_stop(trace):
                        break
                if now_s >= stop_s:
                    break
            if not trace.checkpoints or trace.checkpoints[-1].completions < len(trace.end_s):
                self._checkpoint(trace)
            self._drain(trace)
        finally:
            for connection in (*self._idle, *self._busy):
                connection.close()
            self._selector.close()
        return trace

    def _checkpoint(self, trace: Trace) -> None:
        before_s = time.perf_counter()
        usage = self._read_usage()
        self._usage_cost_s = time.perf_counter() - before_s
        trace.open_start_s = [connection.started_s for connection in self._busy]
        trace.checkpoints.append(
            Checkpoint(
                at_s=before_s,
                completions=len(trace.end_s),
                usage=usage,
                client_cpu_s=time.thread_time(),
                host_cpu_s=host_cpu_s(),
            )
        )

    def _step(self, trace: Trace, until_s: float) -> float:
        """Wait for the sockets, move on what is ready, refill; the time of the last look at the clock."""
        now_s = time.perf_counter()
        ready = self._selector.select(max(0.0, min(until_s, self._next_look_s) - now_s))
        # Answers that are ready together came at one moment: the later ones do not wait for our work on the first.
        now_s = time.perf_counter()
        for key, mask in ready:
            connection: Connection = key.data
            if connection.on_ready(mask):
                self._record(connection, now_s, trace)
                self._send_next(connection, time.perf_counter(), trace)
        if now_s >= self._next_look_s or (now_s := time.perf_counter()) >= self._next_look_s:
            self._next_look_s = now_s + self._timeout_s / _LOOKS_PER_TIMEOUT
            for connection in self._overdue(now_s):
                connection.time_out(self._timeout_s)
                self._record(connection, now_s, trace)
                self._send_next(connection, now_s, trace)
        return now_s

    def _send_next(self, connection: Connection, now_s: float, trace: Trace) -> None:
        """Put the next request on its way over the connection, unless the run is over."""
        while not trace.broken_off:
            request = self._busy[connection] = next(self._requests)
            if not connection.begin(request, now_s):
                return
            self._record(connection, now_s, trace)
        self._idle.append(connection)

    def _record(self, connection: Connection, now_s: float, trace: Trace) -> None:
        """Note how the connection's request ended."""
        request = self._busy.pop(connection)
        failure = connection.failure
        if failure is None:
            self._failures_in_a_row = 0
            trace.start_s.append(connection.started_s)
            trace.end_s.append(now_s)
            trace.request_bytes.append(request.body_bytes)
            trace.response_bytes.append(connection.response_bytes)
            return
        self._failures_in_a_row += 1
        trace.failures.append((now_s, failure))
        hopeless = failure.kind == "status" and failure.status not in OVERLOAD_STATUSES
        trace.broken_off = trace.broken_off or hopeless or self._failures_in_a_row >= self._patience

    def _overdue(self, now_s: float) -> list[Connection]:
        return [connection for connection in self._busy if now_s - connection.started_s >= self._timeout_s]

    def _drain(self, trace: Trace) -> None:
        """Wait until nothing is in flight; of answers that come now only their time is noted."""
        trace.open_start_s = [connection.started_s for connection in self._busy]
        ended_s = dict.fromkeys(self._busy, math.inf)
        while self._busy:
            now_s = time.perf_counter()
            for connection in self._overdue(now_s):
                connection.close()
                self._set_idle(connection)
            left_s = min((self._timeout_s - (now_s - c.started_s) for c in self._busy), default=0.0)
            for key, mask in self._selector.select(max(0.0, left_s)) if self._busy else ():
                connection = key.data
                if connection not in self._busy:
                    connection.close()
                elif connection.on_ready(mask):
                    if connection.failure is None:
                        ended_s[connection] = time.perf_counter()
                    self._set_idle(connection)
        trace.open_end_s = list(ended_s.values())

    def _set_idle(self, connection: Connection) -> None:
        del self._busy[connection]
        self._idle.append(connection)
