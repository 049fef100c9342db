"""What may be bought: types that match, have a price and no accelerator, with their speed and their workers."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TypeAlias

import numpy as np

from planner.catalogue import InstanceType, Price, matching, price
from planner.documents import replace as changed
from planner.errors import InfeasibleError
from planner.interval import Interval
from planner.planning.plan import Goal, Rejection
from planner.planning.rates import LIMITS, Model, Offer, Rates

SpeedOf: TypeAlias = Callable[[InstanceType], tuple[Interval, Interval]]
"""Instance type -> speed of one busy thread, and capacity in host cores, both against the profiled host."""


def offer_of(
    kind: InstanceType, region: str, model: Model, speed_of: SpeedOf, given_usd_per_hour: float | None = None
) -> Offer | None:
    """The type as it can be bought in the region, at the price given if one is; None where no price is known."""
    known = price(kind.name, region)
    if given_usd_per_hour is not None:
        known = Price(
            instance_type=kind.name,
            region=region,
            usd_per_hour=given_usd_per_hour,
            basis="given",
            source="as given",
            date="undated",
        )
    if known is None:
        return None
    speed, cores = speed_of(kind)
    return Offer(
        kind=kind, price=known, latency_speed=speed, capacity_cores=cores, workers=model.workers_on(kind.vcpus)
    )


def wanted_offer(kind: InstanceType, goal: Goal, model: Model, speed_of: SpeedOf) -> Offer | None:
    """The type as the goal lets it be bought: at the price that was given, or the catalogue's less a savings plan."""
    asked = goal.prices.get(kind.name)
    offer = offer_of(kind, goal.region, model, speed_of, given_usd_per_hour=asked)
    if offer is None or asked is not None or not goal.savings_plan:
        return offer
    listed = offer.price
    reduced = changed(
        listed,
        usd_per_hour=listed.usd_per_hour * (1 - goal.savings_plan),
        source=f"{listed.source}; less {goal.savings_plan:.3g} of it for a savings plan",
    )
    return replace(offer, price=reduced)


def priced_offers(
    goal: Goal, points: int, model: Model, speed_of: SpeedOf
) -> tuple[tuple[Offer, ...], tuple[Rejection, ...]]:
    """The types that can be planned, and why each other matching type cannot."""
    offers, refused = [], []
    for kind in matching(goal.instance_types):
        if goal.quotas.get(kind.name) == 0:
            reason = "has a quota of 0 (Service Quotas: 'for transform job usage')"
            refused.append(Rejection(subject=kind.name, limit="quota", reason=reason, candidates=points))
            continue
        if kind.accelerator is not None:
            accelerator = f"{kind.accelerator.count} x {kind.accelerator.name}"
            reason = f"has {accelerator}, and the profile holds no measurement on such a device"
            refused.append(Rejection(subject=kind.name, limit="accelerator", reason=reason, candidates=points))
            continue
        offer = wanted_offer(kind, goal, model, speed_of)
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


def with_other_workers(
    offers: Sequence[Offer], found: Rates, workers_per_cpu: Sequence[float] = ()
) -> tuple[Offer, ...]:
    """Offers again with other numbers of workers.

    Half, a quarter, ... and 1 worker for the types whose memory refuses some setting as they are: fewer are no gain
    where memory allows all. And every other number per vCPU that was measured and that the model foretells (see
    `planner.planning.workers`); a number that was never measured is not offered.
    """
    return tuple(_others(offers, found, workers_per_cpu))


def _others(offers: Sequence[Offer], found: Rates, workers_per_cpu: Sequence[float]) -> Iterator[Offer]:
    limited = np.any(found.limit == LIMITS.index("memory"), axis=1)
    for offer, short_of_memory in zip(offers, limited, strict=True):
        counts = {max(1, round(ratio * offer.kind.vcpus)) for ratio in workers_per_cpu}
        halved = offer.workers // 2
        while short_of_memory and halved >= 1:
            counts.add(halved)
            halved //= 2
        for workers in sorted(counts - {offer.workers}, reverse=True):
            yield replace(offer, workers=workers)
