"""Every instance type that CreateTransformJob accepts: what it has."""

from planner.documents import Value


class Accelerator(Value, frozen=True, kw_only=True):
    """GPUs or Neuron chips of an instance."""

    name: str
    count: int
    memory_gib_each: float | None


class InstanceType(Value, frozen=True, kw_only=True):
    """One row of the catalogue."""

    name: str
    """As the API spells it: ml.m5.xlarge."""
    family: str
    size: str
    vcpus: int
    physical_cores: int
    memory_gib: float
    processor: str
    simd: tuple[str, ...]
    accelerator: Accelerator | None
    network_baseline_gbps: float | None
    """Sustained; None where AWS states only words ("High")."""
