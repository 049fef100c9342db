"""Every instance type that CreateTransformJob accepts: what it has, and how a user names some of them.

The list is that of `TransformInstanceType` in botocore 1.44.5 (116 types; a test compares it with the installed
botocore). It is wider than what an account may start: m4, c4, p2 and p3 are old, and a new account's quota for a
type is often 0 until it is raised (Service Quotas, "ml.<type> for transform job usage").
"""

import difflib
import fnmatch
import functools
from collections.abc import Iterable, Mapping

from planner.catalogue.tables import CC_BY_SA, rows
from planner.documents import Value
from planner.errors import CatalogueError


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
    cpu_models: tuple[str, ...] = ()
    """Names in /proc/cpuinfo seen on the EC2 twin; m4, m5 and c5 are fleets of more than one processor."""

    @property
    def has_accelerator(self) -> bool:
        """Whether part of its price buys a GPU or Neuron chip, which a CPU profile says nothing about."""
        return self.accelerator is not None


def instance_types() -> tuple[InstanceType, ...]:
    """All 116 types, in the API's order of families, small sizes first."""
    return tuple(_by_name().values())


def instance_type(name: str) -> InstanceType:
    """The type of that name, in any case, with or without ``ml.``. Raises CatalogueError naming the nearest ones."""
    found = _by_name().get(_canonical(name))
    if found is None:
        raise CatalogueError(
            f"{name!r} is not an instance type that CreateTransformJob accepts; "
            f"{_nearest(_canonical(name), _by_name())}. `planner instances` lists all {len(_by_name())}"
        )
    return found


def matching(globs: Iterable[str]) -> tuple[InstanceType, ...]:
    """The types that any of the globs names (``ml.c5.*``, ``m7i.*``, ``*.xlarge``), each once; no globs: all types.

    Case and the ``ml.`` prefix do not matter. Raises CatalogueError naming every glob that matches no type.
    """
    asked = tuple(globs)
    if not asked:
        return instance_types()
    chosen: set[str] = set()
    empty: list[str] = []
    for glob in asked:
        found = fnmatch.filter(_by_name(), _canonical(glob))
        chosen.update(found)
        if not found:
            empty.append(glob)
    if empty:
        families = ", ".join(dict.fromkeys(kind.family for kind in instance_types()))
        raise CatalogueError(
            f"no instance type matches {', '.join(map(repr, empty))}; {_nearest(_canonical(empty[0]), _by_name())}. "
            f"Families: {families}"
        )
    return tuple(kind for kind in instance_types() if kind.name in chosen)


def _canonical(name: str) -> str:
    """A name or glob as the table spells names: lower case, ``ml.`` in front unless it stands there or is globbed."""
    lowered = name.strip().lower()
    return lowered if lowered.startswith(("ml.", "*")) else f"ml.{lowered}"


def _nearest(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=3, cutoff=0.5)
    return f"nearest: {', '.join(close)}" if close else "nothing is spelled like it"


@functools.cache
def _by_name() -> Mapping[str, InstanceType]:
    processors = {row["instance_type"]: row for row in rows(f"{CC_BY_SA}processors.csv")}
    return {row["instance_type"]: _parsed(row, processors[row["instance_type"]]) for row in rows("instances.csv")}


def _parsed(row: Mapping[str, str], processor: Mapping[str, str]) -> InstanceType:
    accelerator = None
    if row["accelerator"]:
        memory_gib = _number(row["accelerator_memory_gib_each"])
        accelerator = Accelerator(
            name=row["accelerator"], count=int(row["accelerator_count"]), memory_gib_each=memory_gib
        )
    return InstanceType(
        name=row["instance_type"],
        family=row["family"],
        size=row["size"],
        vcpus=int(row["vcpus"]),
        physical_cores=int(processor["physical_cores"]),
        memory_gib=float(row["memory_gib"]),
        processor=processor["processor"],
        simd=tuple(processor["simd"].split()),
        accelerator=accelerator,
        network_baseline_gbps=_number(row["network_baseline_gbps"]),
        cpu_models=tuple(processor["cpu_models"].split(";")),
    )


def _number(text: str) -> float | None:
    return float(text) if text else None
