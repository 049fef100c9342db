"""Everything that one recommendation is computed from: what may be bought, at which speed, for which input."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import NormalDist
from typing import Final

import numpy as np

from planner.catalogue import instance_type
from planner.errors import InputMissingError, RecordTooLargeError
from planner.performance.benchmark_scores import WorkloadClass
from planner.performance.model import PerformanceModel
from planner.performance.predicting import disturbance
from planner.performance.workload_class import Classified
from planner.planning.evaluate import Problem
from planner.planning.makespan import Layout, layout
from planner.planning.offers import SpeedOf, priced_offers, wanted_offer, with_other_workers
from planner.planning.plan import Goal, Rejection
from planner.planning.rates import LIMITS, LONGEST_INVOCATION_S, Caps, Limit, Model, Offer, column, rates
from planner.planning.search import Bounded, Wish, bounded
from planner.planning.space import (
    MAX_PAYLOAD_MB,
    Packing,
    Settings,
    every_packing,
    settings,
    smallest_payload_mb,
    undominated,
)
from planner.planning.startup import Startup, on_types
from planner.profiling.profile import Profile
from planner.records.dataset import Dataset
from planner.units import MIB, show_bytes, show_seconds

DEFAULT_TYPE: Final = "ml.m5.xlarge"
"""What most examples of Batch Transform start with: always evaluated, whether or not it may be chosen."""
WORKER_TIMEOUT_VARIABLE: Final = "SAGEMAKER_MODEL_SERVER_TIMEOUT"
WORKER_VARIABLE: Final = "SAGEMAKER_MODEL_SERVER_WORKERS"
WORKER_TIMEOUT_S: Final = 60.0
"""After so long the common model servers (gunicorn, MMS and TorchServe under the SageMaker toolkits) end a worker,
unless SAGEMAKER_MODEL_SERVER_TIMEOUT says otherwise. Source: the toolkits' code."""
TIMEOUT_SAFETY: Final = 2.0
"""A worker time-out that the plan sets is this many times the cautious end of the 99th percentile of latency."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One question, posed: the arrays, and what the words of the answer need besides."""

    profile: Profile
    dataset: Dataset
    goal: Goal
    wish: Wish
    times: Startup
    offers: tuple[Offer, ...]
    allowed: frozenset[int]
    """Indices of offers that may be chosen; the others are there to be compared with. A type that memory limits stands
    there once more for each smaller number of workers."""
    packings: tuple[Packing, ...]
    """Every packing that the API accepts for this input, dominated ones included."""
    caps: Caps
    space: Bounded
    rejections: tuple[Rejection, ...]
    """Types that were never offered, and settings that break a limit of the type."""
    points_per_type: int
    """Counts x settings, dominated settings included."""
    model_bytes: int | None
    """Of the model archive, where known."""
    of_class: Classified | None
    """Which benchmarks tell of other types' speed; None: the caller had speeds of its own."""
    also: tuple[Profile, ...]
    """Profiles from other machines that sharpen those speeds."""
    doubts: tuple[str, ...]
    """What the profile's points leave open, in words."""
    candidates: int
    """Size of the space that is decided: every type that was asked for x points_per_type."""

    @property
    def problem(self) -> Problem:
        """The arrays."""
        return self.space.problem

    @property
    def classes(self) -> tuple[WorkloadClass, ...]:
        """The workload classes whose spread bounds what is known of two types; an inferred one does not stand alone."""
        if self.of_class is None:
            return ("unknown",)
        return (self.of_class.workload_class, "unknown") if self.of_class.inferred else (self.of_class.workload_class,)


def pose(
    profile: Profile,
    dataset: Dataset,
    goal: Goal,
    *,
    model: Model,
    speed_of: SpeedOf,
    times: Startup,
    workers_per_cpu: Sequence[float] = (),
    model_bytes: int | None = None,
    of_class: Classified | None = None,
    also: tuple[Profile, ...] = (),
) -> Case:
    """The case of a goal: types matched and priced, settings listed, every (type, setting) predicted.

    `workers_per_cpu` are numbers of workers per vCPU to decide besides the profile's own.

    Raises InputMissingError (no records), RecordTooLargeError (no payload holds the largest), CatalogueError (unknown
    region, glob without a type) and InfeasibleError (every matching type is refused).
    """
    packings = _packings(dataset)
    points = _settings_of(packings) * goal.max_instance_count
    caps = _caps(profile, dataset)
    offers, refused = priced_offers(goal, points, model, speed_of)
    asked = {offer.kind.name for offer in offers}
    if DEFAULT_TYPE not in asked:
        guess = wanted_offer(instance_type(DEFAULT_TYPE), goal, model, speed_of)
        offers = offers if guess is None else (*offers, guess)
    columns, objects = settings(undominated(packings)), layout(dataset.objects, goal.max_instance_count)
    pose_problem = partial(_problem, model, goal, caps, columns=columns, objects=objects, times=times)
    problem = pose_problem(offers)
    if profile.container.worker_variable is not None:
        others = with_other_workers(offers, problem.rates, workers_per_cpu)
        if others:
            offers = (*offers, *others)
            problem = pose_problem(offers)
    allowed = frozenset(t for t, name in enumerate(problem.names) if name in asked)
    return Case(
        profile=profile,
        dataset=dataset,
        goal=goal,
        wish=Wish(
            objective="time" if goal.objective == "time" else "cost",
            deadline_s=goal.deadline_s,
            budget_usd=goal.budget_usd,
            score=NormalDist().inv_cdf(goal.confidence),
        ),
        times=times,
        offers=offers,
        allowed=allowed,
        packings=packings,
        caps=caps,
        space=bounded(problem),
        rejections=(*refused, *_broken_limits(problem, allowed, offers, caps), *_small_payloads(dataset, goal)),
        points_per_type=points,
        model_bytes=model_bytes,
        of_class=of_class,
        also=also,
        doubts=tuple(disturbance(model)) if isinstance(model, PerformanceModel) else (),
        candidates=points * (len(allowed) + len(refused)),
    )


def _problem(
    model: Model,
    goal: Goal,
    caps: Caps,
    offers: tuple[Offer, ...],
    *,
    columns: Settings,
    objects: Layout,
    times: Startup,
) -> Problem:
    before, billed = on_types(times, column([offer.latency_speed for offer in offers]))
    return Problem(
        names=tuple(offer.kind.name for offer in offers),
        workers=np.array([offer.workers for offer in offers]),
        usd_per_hour=np.array([offer.price.usd_per_hour for offer in offers]),
        startup=before,
        billed_startup=billed,
        settings=columns,
        rates=rates(model, offers, columns, caps),
        layout=objects,
        quota=np.array([goal.quotas.get(offer.kind.name, goal.max_instance_count) for offer in offers]),
    )


def raises_worker_timeout(profile: Profile) -> bool:
    """Whether the plan may set the worker's own time-out: its variable belongs to the stack, and the user left it."""
    container = profile.container
    return container.worker_variable == WORKER_VARIABLE and WORKER_TIMEOUT_VARIABLE not in container.environment


def _settings_of(packings: tuple[Packing, ...]) -> int:
    return sum(MAX_PAYLOAD_MB // packing.max_payload_mb for packing in packings)


def _packings(dataset: Dataset) -> tuple[Packing, ...]:
    if not dataset.records:
        raise InputMissingError(f"{dataset.input}: no records in {dataset.object_count:,} objects; nothing to plan")
    packings = every_packing(dataset)
    if not packings:
        unit = "object" if dataset.split_type == "None" else "record"
        largest = max(o.payload_bytes if unit == "object" else o.largest_record_bytes for o in dataset.objects)
        raise RecordTooLargeError(
            f"{dataset.input}: the largest {unit} has {largest:,} bytes ({show_bytes(largest)}), and no request may "
            f"exceed {MAX_PAYLOAD_MB} MB (2**20 bytes each) with 1 % to spare. Split it, or set another --split-type."
        )
    return packings


def _caps(profile: Profile, dataset: Dataset) -> Caps:
    environment: Mapping[str, str] = profile.container.environment
    slowest = max((max(m.latency_s, default=0.0) for m in profile.measurements), default=0.0)
    given = environment.get(WORKER_TIMEOUT_VARIABLE, "")
    if raises_worker_timeout(profile):
        longest = LONGEST_INVOCATION_S / TIMEOUT_SAFETY
    elif given.isdigit() and int(given) > 0:
        longest = min(float(given), LONGEST_INVOCATION_S)
    else:
        # Requests that were seen to take longer than the usual time-out prove that this server has a later one.
        longest = min(max(WORKER_TIMEOUT_S, slowest), LONGEST_INVOCATION_S)
    return Caps(
        longest_request_s=longest,
        response_limit_bytes=_response_limit_bytes(environment),
        stored_bytes_per_record=sum(o.stored_bytes * o.copies for o in dataset.objects) / dataset.records,
        response_bytes_per_record=_response_bytes_per_record(profile),
    )


def _response_limit_bytes(environment: Mapping[str, str]) -> float | None:
    """The largest response that MMS and TorchServe send, where the profile's environment sets it."""
    for name in ("TS_MAX_RESPONSE_SIZE", "MMS_MAX_RESPONSE_SIZE"):
        if environment.get(name, "").isdigit():
            return float(environment[name])
    return None


def _response_bytes_per_record(profile: Profile) -> float:
    largest = max(profile.measurements, key=lambda m: m.records_per_request)
    return largest.response_bytes / largest.records_per_request


def _broken_limits(problem: Problem, allowed: frozenset[int], offers: tuple[Offer, ...], caps: Caps) -> list[Rejection]:
    """One rejection per type and limit that settings of it break, whatever the count, with its usual workers."""
    found = []
    for t in (problem.names.index(name) for name in dict.fromkeys(problem.names[t] for t in sorted(allowed))):
        for code, settings_refused in Counter(problem.rates.limit[t].tolist()).items():
            if code:
                limit = LIMITS[code]
                found.append(
                    Rejection(
                        subject=offers[t].kind.name,
                        limit=limit,
                        reason=_limit_reason(limit, offers[t], caps),
                        candidates=settings_refused * problem.max_count,
                    )
                )
    return found


def _limit_reason(limit: Limit, offer: Offer, caps: Caps) -> str:
    if limit == "memory":
        return f"{offer.workers} workers need more than 90 % of its {offer.kind.memory_gib:g} GiB less 1 GiB"
    if limit == "time-out":
        return f"99th percentile of latency may exceed {show_seconds(caps.longest_request_s)}"
    assert caps.response_limit_bytes is not None
    return f"responses would exceed {show_bytes(caps.response_limit_bytes)}, the model server's limit"


def _small_payloads(dataset: Dataset, goal: Goal) -> list[Rejection]:
    smallest = smallest_payload_mb(dataset)
    if smallest == 1:
        return []
    unit = "object" if dataset.split_type == "None" else "record"
    return [
        Rejection(
            subject=f"MaxPayloadInMB below {smallest}",
            limit="payload",
            reason=f"the largest {unit} needs {smallest} MB (of {MIB:,} bytes) with 1 % to spare",
            candidates=sum(MAX_PAYLOAD_MB // p for p in range(1, smallest)) * goal.max_instance_count,
        )
    ]
