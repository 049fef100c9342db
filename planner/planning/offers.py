"""What may be bought: types that match, have a price and no accelerator, with their speed and their workers."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TypeAlias

import numpy as np

from planner.catalogue import InstanceType, matching, price
from planner.errors import InfeasibleError
from planner.interval import Interval
from planner.planning.plan import Goal, Rejection
from planner.planning.rates import LIMITS, Model, Offer, Rates

SpeedOf: TypeAlias = Callable[[InstanceType], tuple[Interval, Interval]]
"""Instance type -> speed of one busy thread, and capacity in host cores, both against the profiled host."""


def offer_of(kind: InstanceType, region: str, model: Model, speed_of: SpeedOf) -> Offer | None:
    """The type as it can be bought in the region; None where no price is known."""
    known = price(kind.name, region)
    if known is None:
        return None
    speed, cores = speed_of(kind)
    return Offer(
        kind=kind, price=known, latency_speed=speed, capacity_cores=cores, workers=model.workers_on(kind.vcpus)
    )


def priced_offers(
    goal: Goal, points: int, model: Model, speed_of: SpeedOf
) -> tuple[tuple[Offer, ...], tuple[Rejection, ...]]:
    """The types that can be planned, and why each other matching type cannot."""
    offers, refused = [], []
    for kind in matching(goal.instance_types):
        if kind.accelerator is not None:
            accelerator = f"{kind.accelerator.count} x {kind.accelerator.name}"
            reason = f"has {accelerator}, and the profile holds no measurement on such a device"
            refused.append(Rejection(subject=kind.name, limit="accelerator", reason=reason, candidates=points))
            continue
        offer = offer_of(kind, goal.region, model, speed_of)
        if offer is None:
            reason = f"no price is known in {goal.region}, which mostly means that it is not offered there"
            refused.append(Rejection(subject=kind.name, limit="price", reason=reason, candidates=points))
        else:
            offers.append(offer)
    if not offers:
        reasons = "; ".join(f"{r.subject} {r.reason}" for r in refused[:3])
        raise InfeasibleError(
            f"none of the {len(refused)} matching instance types can be planned: {reasons}. "
            "Widen --instance-type, or change --region."
        )
    return tuple(offers), tuple(refused)


def with_fewer_workers(offers: Sequence[Offer], found: Rates) -> tuple[Offer, ...]:
    """Offers again with half, a quarter, ... and 1 worker, of the types whose memory refuses some setting as they are.

    More workers than the profile had per vCPU were never seen, and fewer are no gain where memory allows all; so these
    are the only other counts that are worth deciding.
    """
    return tuple(_halved(offers, found))


def _halved(offers: Sequence[Offer], found: Rates) -> Iterator[Offer]:
    limited = np.any(found.limit == LIMITS.index("memory"), axis=1)
    for offer, short_of_memory in zip(offers, limited, strict=True):
        workers = offer.workers // 2
        while short_of_memory and workers >= 1:
            yield replace(offer, workers=workers)
            workers //= 2
