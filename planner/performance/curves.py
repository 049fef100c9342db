"""What a server does with a request of b records, tabulated over b for speed.

symbol   meaning                                                           unit
S, Q     service time and spacing, averaged over the committee             s
D        CPU seconds of a request; alone (low c) and loaded (high c)       s
φ        share of the service time spent on the CPU, D/S cut at 1          1
"""

from dataclasses import dataclass, fields
from typing import Final

import numpy as np

from planner.performance.committee import Committee
from planner.performance.limits import split
from planner.performance.prediction import Floats
from planner.performance.service import Demand
from planner.performance.turns import Parallelism

_LARGEST_BATCH: Final = 1e8
"""Records per request that 100 MB of payload could never exceed."""
_ROWS: Final = 700


@dataclass(frozen=True, slots=True, kw_only=True)
class Curves:
    """What depends on records per request alone; arrays of one shape."""

    service_s: Floats
    cpu_limit_s: Floats
    slots_limit_s: Floats
    serial_limit_s: Floats
    turns_limit_s: Floats
    """Spacing where no more CPUs are busy than the server can use (planner.performance.turns): CPU time over those."""
    turns_least_s: Floats
    """... with the most CPUs that it may be able to use."""
    turns_most_s: Floats
    """... with the fewest."""
    on_cpu_share: Floats
    cores: Floats
    """CPUs that one request in service keeps busy, D/S."""

    @property
    def spacing_s(self) -> Floats:
        """Q on the profiled host: the largest part."""
        shared = np.maximum(self.serial_limit_s, self.turns_limit_s)
        return np.maximum(np.maximum(self.cpu_limit_s, self.slots_limit_s), shared)


@dataclass(frozen=True, slots=True, kw_only=True)
class CurveTable:
    """The curves on an even grid of ln b."""

    values: Floats
    """(rows, columns of Curves)."""

    def at(self, records_per_request: Floats) -> Curves:
        """The curves at b, interpolated."""
        step = np.log(_LARGEST_BATCH) / (_ROWS - 1)
        position = np.clip(np.log(records_per_request) / step, 0.0, _ROWS - 1.000001)
        row = position.astype(np.intp)
        part = (position - row)[..., None]
        found = self.values[row] * (1 - part) + self.values[row + 1] * part
        return Curves(**{field.name: found[..., number] for number, field in enumerate(fields(Curves))})


def mean_times(committee: Committee, records_per_request: Floats) -> tuple[Floats, Floats]:
    """S(b) and Q(b): geometric means over the committee."""
    service = np.stack([np.log(law.service_time_s(records_per_request)) for law in committee.laws])
    spacing = np.stack([np.log(law.spacing_s(records_per_request)) for law in committee.laws])
    return np.exp(committee.weights @ service), np.exp(committee.weights @ spacing)


def served(committee: Committee, alone: Demand | None, cpus: float, records: Floats) -> tuple[Floats, Floats]:
    """S(b) and Q(b); S at least the CPU time over the CPUs, which no rate shows where one request fills them."""
    service, spacing = mean_times(committee, records)
    return service if alone is None else np.maximum(service, alone.at(records) / cpus), spacing


def tabulate(
    committee: Committee,
    demands: tuple[Demand | None, Demand | None],
    *,
    cpus: float,
    workers: float | None,
    slack: float,
    parallelism: Parallelism,
) -> CurveTable:
    """The curves at many b; without CPU accounting, service within the CPUs is taken as CPU time."""
    records = np.exp(np.linspace(0.0, np.log(_LARGEST_BATCH), _ROWS))
    service, spacing = served(committee, demands[0], cpus, records)
    assumed = np.minimum(service, cpus * spacing)
    alone, loaded = (assumed if line is None else line.at(records) for line in demands)
    limits = split(spacing_s=spacing, service_s=service, cpu_s=loaded, cpus=cpus, workers=workers, slack=slack)

    def turns(usable: float) -> Floats:
        return np.minimum(loaded / usable, spacing)

    cores = alone / service
    curves = Curves(
        service_s=service,
        cpu_limit_s=limits.cpu_s,
        slots_limit_s=limits.slots_s,
        serial_limit_s=limits.serial_s,
        turns_limit_s=turns(parallelism.likely),
        turns_least_s=turns(parallelism.most),
        turns_most_s=turns(parallelism.least),
        on_cpu_share=np.minimum(cores, 1.0),
        cores=cores,
    )
    return CurveTable(values=np.stack([getattr(curves, field.name) for field in fields(Curves)], axis=1))
