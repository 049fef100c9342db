"""The space of decisions: what CreateTransformJob lets one choose, and the API's own limits on it."""

from collections.abc import Mapping
from typing import Final, Literal, TypeAlias

from planner.documents import Value

BatchStrategy: TypeAlias = Literal["MultiRecord", "SingleRecord"]

MAX_PAYLOAD_MB: Final = 100
"""Largest MaxPayloadInMB, and largest MaxPayloadInMB x MaxConcurrentTransforms. Source: CreateTransformJob docs."""
MAX_INSTANCE_COUNT: Final = 100
"""Largest InstanceCount. Source: TransformResources docs; an account's quota is usually lower."""


class Configuration(Value, frozen=True, kw_only=True):
    """One point of the space: everything the user would otherwise guess."""

    instance_type: str
    instance_count: int
    batch_strategy: BatchStrategy
    max_payload_mb: int
    max_concurrent_transforms: int
    environment: Mapping[str, str]
    """Set in the container: worker and thread counts, time-outs."""
