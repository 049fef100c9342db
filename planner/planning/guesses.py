"""What a user would have tried first, evaluated like everything else, with why it lost."""

from collections.abc import Iterator
from dataclasses import dataclass

from planner.planning.case import DEFAULT_TYPE, Case
from planner.planning.compare import why_not
from planner.planning.figures import configuration, estimate
from planner.planning.plan import Alternative, Estimate
from planner.planning.rates import Limit
from planner.planning.search import Candidate
from planner.planning.space import MAX_PAYLOAD_MB, Packing
from planner.records.dataset import BatchStrategy

DEFAULT_PAYLOAD_MB = 6
"""MaxPayloadInMB where neither the request nor the container says otherwise; MaxConcurrentTransforms is 1 then, and
BatchStrategy MultiRecord. Source: CreateTransformJob docs and the agent's log line in public job logs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Guess:
    """A configuration by its numbers, and what it stands for."""

    title: str
    t: int
    n: int
    strategy: BatchStrategy
    max_payload_mb: int
    concurrency: int


def guesses(case: Case, choice: Candidate, chosen: Estimate) -> list[Alternative]:
    """The likely first guesses that the input allows, other than the choice itself."""
    found = []
    for guess in _likely(case, choice):
        place = _place(case, guess)
        if place is None:
            continue
        packing, k = place
        settings = configuration(case, guess.t, guess.n, k, packing)
        if settings == configuration(case, choice.t, choice.n, choice.k):
            continue
        value, limit = estimate(case, guess.t, guess.n, k)
        words, close = why_not(case, choice, chosen, value, guess.t)
        found.append(
            Alternative(
                title=guess.title,
                configuration=settings,
                estimate=value,
                reason=words if limit == "none" else f"{broken(case, limit, value)}; {words}",
                within_noise=close and limit == "none",
            )
        )
    return found


def broken(case: Case, limit: Limit, value: Estimate) -> str:
    """In words: the limit that rejects an estimate."""
    if limit in {"deadline", "budget"}:
        return f"{'misses' if limit == 'deadline' else 'exceeds'} the {limit} (at {case.goal.confidence:.0%})"
    if limit == "quota":
        return f"exceeds the quota of {case.goal.quotas[value.price.instance_type]}"
    if limit == "objects":
        objects = case.problem.layout.objects
        return f"{value.idle_instances} of its instances never get one of the {objects} objects and are paid for"
    return {"memory": "does not fit its memory", "time-out": "may exceed the worker's time-out"}.get(
        limit, "responses exceed the model server's limit"
    )


def _likely(case: Case, choice: Candidate) -> Iterator[Guess]:
    names = case.problem.names
    strategy: BatchStrategy = "SingleRecord" if case.dataset.split_type == "None" else "MultiRecord"
    payload = max(DEFAULT_PAYLOAD_MB, min(p.max_payload_mb for p in case.packings))
    if DEFAULT_TYPE in names:
        t = names.index(DEFAULT_TYPE)
        for n in (1, 10):
            if n <= case.goal.max_instance_count:
                yield Guess(
                    title=f"service defaults, {n} x m5.xlarge",
                    t=t,
                    n=n,
                    strategy=strategy,
                    max_payload_mb=payload,
                    concurrency=1,
                )
    biggest = max(case.allowed, key=lambda i: (case.offers[i].kind.vcpus, -case.problem.usd_per_hour[i], names[i], -i))
    yield Guess(
        title="biggest CPU type",
        t=biggest,
        n=1,
        strategy=strategy,
        max_payload_mb=payload,
        concurrency=min(case.offers[biggest].workers, MAX_PAYLOAD_MB // payload),
    )
    if strategy == "MultiRecord":
        yield Guess(
            title="one record per request",
            t=choice.t,
            n=choice.n,
            strategy="SingleRecord",
            max_payload_mb=payload,
            concurrency=min(case.offers[choice.t].workers, MAX_PAYLOAD_MB // payload),
        )


def _place(case: Case, guess: Guess) -> tuple[Packing, int] | None:
    """The guess's packing, and the setting with its outcome: of the smallest payload with equally many requests."""
    for packing in case.packings:
        if (packing.strategy, packing.max_payload_mb) == (guess.strategy, guess.max_payload_mb):
            kept = next(
                p
                for p in case.problem.settings.packings
                if p.strategy == packing.strategy and p.requests == packing.requests
            )
            k = case.problem.settings.index_of(kept.strategy, kept.max_payload_mb, guess.concurrency)
            return None if k is None else (packing, k)
    return None
