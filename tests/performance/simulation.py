"""Closed loops played out request by request, on servers whose mechanism is nothing like the model's law.

    part       meaning
    cpu        work shared equally among the requests that are on the CPUs (processor sharing), one CPU each at most
    wait       a pure delay that holds the request's place
    lock       one request at a time, first come first served

At most `places` requests are inside; others queue outside. Other programs may compete for the machine's CPUs, in
steady threads or in bursts: each runnable thread of theirs gets as much as one of the server's. `simulated_profile`
measures such a server at points as the profiler would, `rate` gives what one run of it completes. Deterministic in
the seed.
"""

import heapq
import itertools
import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from planner.documents import replace
from planner.interval import Interval
from planner.profiling.profile import Profile
from tests.performance.synthetic import prefork, synthetic_profile

Part: TypeAlias = tuple[Literal["cpu", "wait", "lock"], float]

HOST_CPUS = 2
TURNAROUND_S = 1e-4
"""Mean time from an answer to the next request of that client."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulated:
    """A server: what a request of b records goes through, and what is shared."""

    parts: Callable[[int, random.Random], Sequence[Part]]
    cpus: float = 1.0
    places: int = 10**9
    workers: int | None = None
    stretch: Callable[[int], float] = lambda _active: 1.0
    """CPU work of a request against the number inside when it begins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contention:
    """Other programs: threads that compute for on_s and pause for off_s, both exponential; off_s = 0: never pause."""

    threads: int = 0
    on_s: float = 1.0
    off_s: float = 0.0


def gamma(source: random.Random, mean: float, variation: float) -> float:
    """A gamma variate with that coefficient of variation."""
    return source.gammavariate(variation**-2, mean * variation**2)


SIMULATED: dict[str, Simulated] = {
    "prefork": Simulated(parts=lambda b, r: [("cpu", gamma(r, 1e-3 + 3e-5 * b, 0.2))], cpus=2, places=2, workers=2),
    "half waiting": Simulated(
        parts=lambda b, r: [("cpu", gamma(r, 5e-4 + 2e-5 * b, 0.3)), ("wait", gamma(r, 3e-3 + 1e-5 * b, 0.4))],
        cpus=2,
        places=4,
        workers=4,
    ),
    "interpreter lock": Simulated(
        parts=lambda b, r: [("cpu", gamma(r, 5e-4 + 2e-5 * b, 0.3))], stretch=lambda active: 1.06 if active > 1 else 1
    ),
    "hidden limit": Simulated(
        parts=lambda b, r: [("cpu", 1.5e-4 + 1e-6 * b), ("wait", gamma(r, 8e-3 + 2e-5 * b, 0.1))], places=4
    ),
    "lock": Simulated(
        parts=lambda b, r: [("cpu", gamma(r, 3e-4 + 4e-6 * b, 0.2)), ("lock", gamma(r, 1e-3 + 3e-5 * b, 0.1))]
    ),
    "padded kernel": Simulated(
        parts=lambda b, r: [("cpu", gamma(r, 4e-4 + 3e-6 * b + 1.2e-3 * math.ceil(b / 64), 0.1))],
        places=2,
        workers=2,
    ),
    "overload": Simulated(
        parts=lambda b, r: [("cpu", gamma(r, 4e-4 + 2e-5 * b, 0.1))],
        stretch=lambda active: 1 + 0.2 * max(0, active - 3),
    ),
    "attention": Simulated(
        parts=lambda b, r: [("cpu", gamma(r, 1e-3 + 2e-5 * b + 2e-8 * b * b, 0.1))], places=2, workers=2
    ),
}


@dataclass(slots=True)
class _Run:
    """One closed loop in progress."""

    server: Simulated
    records: int
    source: random.Random
    now_s: float = 0.0
    updated_s: float = 0.0
    events: list[tuple[float, int, str, int]] = field(default_factory=list)
    numbers: "itertools.count[int]" = field(default_factory=itertools.count)
    on_cpu: dict[int, float] = field(default_factory=dict)
    """Client -> CPU seconds still to do."""
    to_do: dict[int, list[Part]] = field(default_factory=dict)
    outside: list[int] = field(default_factory=list)
    for_lock: list[int] = field(default_factory=list)
    locked: bool = False
    inside: int = 0
    cpu_s: float = 0.0
    ends_s: list[float] = field(default_factory=list)
    contention: Contention = Contention()
    competing: int = 0
    """Threads of other programs that compute now."""
    others_s: float = 0.0
    """CPU seconds that they got."""

    def later(self, delay_s: float, kind: str, client: int) -> None:
        heapq.heappush(self.events, (self.now_s + delay_s, next(self.numbers), kind, client))

    def step(self) -> None:
        """Go to the next event: the first CPU part to end, or the first timed one."""
        active = len(self.on_cpu)
        share = min(1.0, self.server.cpus / active, HOST_CPUS / (active + self.competing)) if active else 0.0
        shortest = min(self.on_cpu, key=self.on_cpu.__getitem__) if self.on_cpu else None
        cpu_end_s = self.updated_s + max(0.0, self.on_cpu[shortest]) / share if shortest is not None else math.inf
        timed = not self.events or cpu_end_s < self.events[0][0]
        self.now_s = cpu_end_s if timed else self.events[0][0]
        elapsed_s = self.now_s - self.updated_s
        for client in self.on_cpu:
            self.on_cpu[client] -= share * elapsed_s
        self.cpu_s += share * elapsed_s * active
        self.others_s += min(self.competing, HOST_CPUS - share * active) * elapsed_s
        self.updated_s = self.now_s
        if timed:
            assert shortest is not None
            del self.on_cpu[shortest]
            self.next_part(shortest)
            return
        _, _, kind, client = heapq.heappop(self.events)
        if kind == "arrive":
            self.outside.append(client)
            self.admit()
            return
        if kind == "others":
            self.let_others_compute(not self.competing)
            return
        if kind == "unlock":
            self.locked = False
            self.take_lock()
        self.next_part(client)

    def let_others_compute(self, on: bool) -> None:
        """Other programs begin or pause; when they change again is drawn."""
        self.competing = self.contention.threads if on else 0
        if self.contention.off_s > 0:
            self.later(
                self.source.expovariate(1 / (self.contention.on_s if on else self.contention.off_s)), "others", -1
            )

    def admit(self) -> None:
        if self.outside and self.inside < self.server.places:
            client = self.outside.pop(0)
            self.inside += 1
            self.to_do[client] = [("wait", 0.0), *self.server.parts(self.records, self.source)]
            self.next_part(client)

    def next_part(self, client: int) -> None:
        """The part at the head is done: begin the one after it, or answer."""
        self.to_do[client].pop(0)
        if not self.to_do[client]:
            self.inside -= 1
            self.ends_s.append(self.now_s)
            self.later(TURNAROUND_S * self.source.expovariate(1), "arrive", client)
            self.admit()
            return
        kind, seconds = self.to_do[client][0]
        if kind == "cpu":
            self.on_cpu[client] = seconds * self.server.stretch(self.inside)
        elif kind == "wait":
            self.later(seconds, "done", client)
        else:
            self.for_lock.append(client)
            self.take_lock()

    def take_lock(self) -> None:
        if self.for_lock and not self.locked:
            self.locked = True
            client = self.for_lock.pop(0)
            self.later(self.to_do[client][0][1], "unlock", client)


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """What a measured window saw."""

    requests_per_s: float
    cpu_s_per_request: float
    requests: int
    disturbed_share: float


def play(server: Simulated, records: int, concurrency: int, seed: int, contention: Contention = Contention()) -> Played:
    """A window of 2 s or 400 completions, after a warm-up."""
    run = _Run(server=server, records=records, source=random.Random(seed), contention=contention)
    for client in range(concurrency):
        run.later(run.source.random() * TURNAROUND_S, "arrive", client)
    if contention.threads:
        run.let_others_compute(True)
    warmup = max(20, 4 * concurrency)
    while len(run.ends_s) < warmup:
        run.step()
    began_s, cpu_before_s, others_before_s = run.now_s, run.cpu_s, run.others_s
    while len(run.ends_s) < warmup + 5 or (run.now_s - began_s < 2 and len(run.ends_s) < warmup + 400):
        run.step()
    count, elapsed_s = len(run.ends_s) - warmup, run.ends_s[-1] - began_s
    return Played(
        requests_per_s=count / elapsed_s,
        cpu_s_per_request=(run.cpu_s - cpu_before_s) / count,
        requests=count,
        disturbed_share=(run.others_s - others_before_s) / (elapsed_s * HOST_CPUS),
    )


def rate(server: Simulated, records: int, concurrency: int, seed: int) -> tuple[float, float, int]:
    """Completions per second, CPU seconds per completion and completions of an undisturbed window."""
    played = play(server, records, concurrency, seed)
    return played.requests_per_s, played.cpu_s_per_request, played.requests


def simulated_profile(
    server: Simulated,
    points: Sequence[tuple[int, int]],
    *,
    seed: int = 0,
    contention: Callable[[random.Random], Contention] = lambda _source: Contention(),
    told: bool = True,
) -> Profile:
    """The profile of a simulated server at the points.

    contention: drawn anew for each point. told: whether the profile says how much other programs took.
    """
    frame = synthetic_profile(prefork(), points=points)
    source = random.Random(seed)
    rows = []
    for index, row in enumerate(frame.measurements):
        played = play(server, row.records_per_request, row.concurrency, seed + index, contention(source))
        throughput = played.requests_per_s * row.records_per_request
        rows.append(
            replace(
                row,
                cpus=server.cpus,
                workers=server.workers,
                requests=played.requests,
                duration_s=played.requests / played.requests_per_s,
                throughput_records_per_s=throughput,
                throughput_interval_records_per_s=Interval.from_log_sd(throughput, 0.3 / math.sqrt(played.requests)),
                latency_s=tuple([row.concurrency / played.requests_per_s] * played.requests),
                cpu_s=played.cpu_s_per_request * played.requests,
                disturbed_share=played.disturbed_share if told else None,
            )
        )
    container = replace(frame.container, workers=server.workers)
    host = replace(frame.host, logical_cpus=HOST_CPUS)
    return replace(frame, host=host, measurements=tuple(rows), container=container)
