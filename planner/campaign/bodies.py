"""The largest body that the container takes: a ladder up to the API's limit, then the MiB between yes and no."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

import psutil

from planner.campaign.points import LARGEST_PRODUCT_MB
from planner.campaign.session import REQUEST_TIMEOUT_S, invoke
from planner.container.contract import Container
from planner.documents import replace
from planner.errors import ContainerDiedError, InvocationError, ResponseMismatchError
from planner.profiling.checks import check_response, divisible
from planner.profiling.payloads import Sample
from planner.profiling.profile import BodyProbe, Profile
from planner.units import MIB, show_bytes

LADDER_MB: Final = (1, 2, 6, 16, 32, 64, LARGEST_PRODUCT_MB)
"""MaxPayloadInMB from its least to its most; the limits of most model servers lie at 6 (6,291,456 or 6,553,500 bytes),
5, 16, 20 and 100 MB."""
MEMORY_SHARE: Final = 0.5
"""A body is not sent when the container would take more than this share of the memory that is free by then: the
container would be in danger, and so would the machine."""

Send: TypeAlias = Callable[[int], BodyProbe]
"""Bytes that the body may have -> what came of the largest body of whole records within them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What earlier requests told of the largest one."""

    request_bytes: float
    latency_s: float
    memory_bytes: int | None
    """Its peak, over `idle_bytes` in use when idle."""
    idle_bytes: int | None


def largest_body(
    send: Send,
    *,
    known: Known,
    refused_bytes: int | None,
    record_bytes: int,
    seconds_left: Callable[[], float],
    free_bytes: Callable[[], float],
) -> list[BodyProbe]:
    """Bodies sent to find the largest that is accepted, in order.

    Climbs LADDER_MB from the largest body known to be accepted to the first one refused, then halves the whole MiB
    between. Ends where the next body, in proportion to the last, would take more than the time or the memory left.
    """
    probes: list[BodyProbe] = []
    accepted = known
    low_mb = int((known.request_bytes + record_bytes) // MIB)
    high_mb = None if refused_bytes is None else int(-(-refused_bytes // MIB))
    while True:
        if high_mb is None:
            rung = next((size for size in LADDER_MB if size > low_mb), None)
        else:
            rung = (low_mb + high_mb) // 2 if high_mb - low_mb > 1 else None
        if rung is None or not _affordable(rung * MIB, accepted, seconds_left(), free_bytes()):
            return probes
        probe = send(rung * MIB)
        probes.append(probe)
        if not probe.accepted:
            high_mb = rung
            if probe.status is None:
                return probes
            continue
        low_mb = rung
        accepted = Known(
            request_bytes=probe.request_bytes,
            latency_s=probe.latency_s,
            memory_bytes=probe.memory_peak_bytes,
            idle_bytes=known.idle_bytes,
        )


def _affordable(size: int, last: Known, left_s: float, free_bytes: float) -> bool:
    """Whether time and memory, both in proportion to the last body, suffice for this size."""
    ratio = max(1.0, size / max(last.request_bytes, 1.0))
    if last.latency_s * ratio > min(left_s, REQUEST_TIMEOUT_S):
        return False
    if last.memory_bytes is None or last.idle_bytes is None:
        return True
    return max(0, last.memory_bytes - last.idle_bytes) * (ratio - 1) <= MEMORY_SHARE * free_bytes


def sending(container: Container, sample: Sample) -> Send:
    """What sends a body of at most so many bytes to the container; a container that dies of it is an answer too."""

    def send(limit_bytes: int) -> BodyProbe:
        records = max(1, int(limit_bytes // sample.payload.mean_record_bytes))
        while records > 1 and len(sample.first_body(records)) > limit_bytes:
            records = min(records - 1, int(records * 0.999))
        size = len(sample.first_body(records))
        container.reset_memory_peak()
        try:
            latency_s, response = invoke(container, sample, records)
        except (InvocationError, ContainerDiedError) as error:
            reason = str(error).partition("\n")[0]
            return BodyProbe(request_bytes=size, records=records, accepted=False, reason=reason)
        reason = ""
        try:
            check_response(container, response, records=records, request_bytes=size)
        except (InvocationError, ResponseMismatchError, ContainerDiedError) as error:
            reason = str(error).partition("\n")[0]
        usage = container.usage()
        return BodyProbe(
            request_bytes=size,
            records=records,
            accepted=not reason,
            status=response.status,
            reason=reason,
            latency_s=latency_s,
            response_bytes=len(response.body),
            memory_peak_bytes=usage.memory_peak_bytes if usage is not None else None,
        )

    return send


def free_memory_bytes(limit_bytes: int | None) -> float:
    """Memory that a container may still take: of the machine, and of its own limit."""
    free = float(psutil.virtual_memory().available)
    return free if limit_bytes is None else min(free, float(limit_bytes))


def with_largest_body(
    container: Container,
    sample: Sample,
    profile: Profile,
    *,
    refused_bytes: int | None,
    seconds_left: Callable[[], float],
) -> Profile:
    """The profile with the bodies tried, the largest accepted and the smallest refused, and a warning of the latter.

    A sample whose objects go whole has no larger body than its largest object, which was sent.
    """
    if not profile.measurements:
        return profile
    row = max(profile.measurements, key=lambda row: (row.request_bytes, -row.concurrency))
    largest = Known(
        request_bytes=row.request_bytes,
        latency_s=row.mean_latency_s,
        memory_bytes=row.memory_peak_bytes,
        idle_bytes=profile.idle_memory_bytes,
    )
    probes: list[BodyProbe] = []
    if divisible(sample.payload.split_type):
        probes = largest_body(
            sending(container, sample),
            known=largest,
            refused_bytes=refused_bytes,
            record_bytes=sample.payload.largest_record_bytes,
            seconds_left=seconds_left,
            free_bytes=lambda: free_memory_bytes(container.description.limits.memory_bytes),
        )
    accepted = [probe.request_bytes for probe in probes if probe.accepted]
    refused = min((probe for probe in probes if not probe.accepted), key=lambda p: p.request_bytes, default=None)
    status = refused.status if refused is not None else (413 if refused_bytes else None)
    return replace(
        profile,
        bodies=tuple(probes),
        largest_body_bytes=max([int(row.request_bytes), *accepted]),
        refused_body_bytes=refused.request_bytes if refused is not None else refused_bytes,
        refused_body_status=status,
        warnings=(*profile.warnings, *([_refusal_warning(refused)] if refused is not None else [])),
    )


def _refusal_warning(probe: BodyProbe) -> str:
    """What the plan has to mind."""
    return (
        f"a body of {show_bytes(probe.request_bytes)} ({probe.records:,} records) is refused: {probe.reason}. "
        "Keep MaxPayloadInMB below, or raise the server's limit"
    )
