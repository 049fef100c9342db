"""What one instance does in the steady state: (type, setting) -> throughput, latency, memory, and the limits on them.

symbol   meaning                                   shape
T, K     instance types, settings
X        throughput of one instance, records/s     (T, K)
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, Protocol, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from planner.catalogue.instances import InstanceType
from planner.catalogue.prices import Price
from planner.interval import Interval
from planner.performance.prediction import BOTTLENECKS, Bounds, Columns
from planner.planning.space import Floats, Ints, Settings
from planner.units import GIB

Limit: TypeAlias = Literal["none", "memory", "time-out", "response", "objects", "quota", "deadline", "budget"]
LIMITS: Final[tuple[Limit, ...]] = get_args(Limit)
"""Codes of the rejection columns: 0 is feasible. "objects": more instances than objects, which is idle money: an
object is never divided, so instance K + 1 of K objects never gets one, and the bill grows by it."""

MEMORY_SHARE: Final = 0.9
MEMORY_RESERVE_BYTES: Final = GIB
"""What the service's own agent and the operating system need is not published: a tenth and one GiB stay free."""
LONGEST_INVOCATION_S: Final = 3600.0
"""Largest InvocationsTimeoutInSeconds. Source: ModelClientConfig, CreateTransformJob docs."""

NETWORK_REACHED: Final = Interval(low=0.7, mid=1.0, high=2.0)
"""Part of the published sustained rate that reading from S3 gets. The middle is the baseline that AWS states; above it
instances burst for a while, below it S3 or TLS may be slower. The two ends are ours."""

UNPUBLISHED_GBPS: Final = 0.75
"""Where AWS says only "High" (m4, c4, p2): the lowest sustained rate that it publishes for any other type."""


class Model(Protocol):
    """What the planning needs of a performance model."""

    def predict_columns(
        self,
        *,
        records_per_request: Floats,
        concurrency: Ints,
        vcpus: Ints,
        latency_speed: Bounds,
        capacity_cores: Bounds,
        workers: Ints,
    ) -> Columns:
        """Predictions for every point of the broadcast shape."""
        ...

    def workers_on(self, vcpus: int) -> int:
        """Worker processes that the container is to run on that many vCPUs."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """An instance type that may be chosen: what it has, what it costs, how fast it is beside the profiled host."""

    kind: InstanceType
    price: Price
    latency_speed: Interval
    capacity_cores: Interval
    workers: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Caps:
    """Limits of the container that candidates must keep."""

    longest_request_s: float
    """The worker's own time-out where the plan cannot raise it; at most 3600 s."""
    response_limit_bytes: float | None
    """Largest response that the model server sends; None: no limit known."""
    stored_bytes_per_record: float
    """As the input lies in S3, compressed if it is."""
    response_bytes_per_record: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """The steady state of every (type, setting); arrays are (T, K)."""

    throughput: Bounds
    """records/s of one instance; never above what its network carries."""
    latency: Bounds
    latency_p99: Bounds
    memory: Bounds
    """bytes; NaN where the profile could not see it."""
    bottleneck: NDArray[np.int8]
    extrapolated: NDArray[np.bool_]
    limit: NDArray[np.int8]
    """Index into LIMITS: which limit rejects the setting on the type, whatever the count."""
    slower: Floats
    """ln(mid / low) of throughput: log half-width towards a longer job."""
    faster: Floats
    """ln(high / mid) of throughput."""


def column(intervals: Sequence[Interval]) -> Bounds:
    """(T,) the intervals as one column."""
    return Bounds(
        low=np.array([i.low for i in intervals]),
        mid=np.array([i.mid for i in intervals]),
        high=np.array([i.high for i in intervals]),
    )


def rates(model: Model, offers: Sequence[Offer], settings: Settings, caps: Caps) -> Rates:
    """The predictions for every offer and setting, capped by the network, with the limits that they break."""
    predicted = model.predict_columns(
        records_per_request=settings.records_per_request[None, :],
        concurrency=settings.concurrency[None, :],
        vcpus=np.array([offer.kind.vcpus for offer in offers])[:, None],
        latency_speed=_rows(column([offer.latency_speed for offer in offers])),
        capacity_cores=_rows(column([offer.capacity_cores for offer in offers])),
        workers=np.array([offer.workers for offer in offers])[:, None],
    )
    throughput, over_network = _network_capped(predicted.throughput_records_per_s, offers, caps)
    return Rates(
        throughput=throughput,
        latency=predicted.latency_s,
        latency_p99=predicted.latency_p99_s,
        memory=predicted.memory_bytes,
        bottleneck=np.where(over_network, np.int8(BOTTLENECKS.index("network")), predicted.bottleneck),
        extrapolated=predicted.extrapolated,
        limit=_limits(predicted, offers, settings, caps),
        slower=np.log(throughput.mid / throughput.low),
        faster=np.log(throughput.high / throughput.mid),
    )


def memory_available_bytes(kind: InstanceType) -> float:
    """What the container may use on the type: its memory less a tenth and one GiB."""
    return kind.memory_gib * GIB * MEMORY_SHARE - MEMORY_RESERVE_BYTES


def _rows(bounds: Bounds) -> Bounds:
    return Bounds(low=bounds.low[:, None], mid=bounds.mid[:, None], high=bounds.high[:, None])


def _network_capped(throughput: Bounds, offers: Sequence[Offer], caps: Caps) -> tuple[Bounds, NDArray[np.bool_]]:
    """Throughput bounded by what the network carries, and where it is.

    Each record is read from S3 as stored and its response written there; the two directions do not share.
    """
    bytes_per_record = max(caps.stored_bytes_per_record, caps.response_bytes_per_record, 1e-9)
    gbps = np.array([offer.kind.network_baseline_gbps or UNPUBLISHED_GBPS for offer in offers])
    cap = gbps[:, None] * 1e9 / 8 / bytes_per_record
    bounded = Bounds(
        low=np.minimum(throughput.low, cap * NETWORK_REACHED.low),
        mid=np.minimum(throughput.mid, cap * NETWORK_REACHED.mid),
        high=np.minimum(throughput.high, cap * NETWORK_REACHED.high),
    )
    return bounded, throughput.mid > cap


def _limits(predicted: Columns, offers: Sequence[Offer], settings: Settings, caps: Caps) -> NDArray[np.int8]:
    """(T, K) the first limit that the cautious end of the prediction breaks; unknown memory breaks none."""
    room = np.array([memory_available_bytes(offer.kind) for offer in offers])[:, None]
    limit = np.zeros(predicted.latency_s.mid.shape, dtype=np.int8)
    if caps.response_limit_bytes is not None:
        too_long = settings.records_per_request * caps.response_bytes_per_record > caps.response_limit_bytes
        limit[:, too_long] = LIMITS.index("response")
    limit[predicted.latency_p99_s.high > caps.longest_request_s] = LIMITS.index("time-out")
    limit[np.nan_to_num(predicted.memory_bytes.high) > room] = LIMITS.index("memory")
    return _inherited(limit, settings)


def _inherited(limit: NDArray[np.int8], settings: Settings) -> NDArray[np.int8]:
    """(T, K) where more concurrency never passes a limit that less of the same packing breaks.

    Latency and memory grow with the concurrency; a fitted model may wiggle, and the search's proof rests on this.
    """
    inside = settings.at_concurrency >= 0
    ladder = np.where(inside, limit[:, settings.at_concurrency], np.int8(0))
    inherited = limit.copy()
    inherited[:, settings.at_concurrency[inside]] = np.maximum.accumulate(ladder, axis=2)[:, inside]
    return inherited
