"""The machine that measures: what decides whether two profiles may be compared, and which CPUs the client may use."""

import contextlib
import os
import platform
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import psutil

from planner.profiling.profile import Host

_CPUINFO: Final = Path("/proc/cpuinfo")

INFERENCE_FLAGS: Final = (
    "avx",
    "avx2",
    "fma",
    "f16c",
    "avx_vnni",
    "avx512f",
    "avx512bw",
    "avx512vl",
    "avx512_vnni",
    "avx512_bf16",
    "avx512_fp16",
    "amx_tile",
    "amx_int8",
    "amx_bf16",
    "asimd",
    "asimddp",
    "asimdhp",
    "bf16",
    "i8mm",
    "sve",
    "sve2",
)
"""Instruction sets that matrix kernels choose between, x86 and Arm, as Linux spells them."""

_BUSY: Final = ("user", "nice", "system", "irq", "softirq", "steal")


def _first_cpu(text: str) -> dict[str, str]:
    """The fields of the first CPU in the text of /proc/cpuinfo."""
    fields: dict[str, str] = {}
    for line in text.splitlines():
        if not line.strip():
            break
        name, _, value = line.partition(":")
        fields[name.strip()] = value.strip()
    return fields


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdigit() else None


def read_host(cpuinfo: Path = _CPUINFO) -> Host:
    """The machine we are on, from /proc/cpuinfo; elsewhere than on Linux from what Python and psutil know."""
    try:
        fields = _first_cpu(cpuinfo.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        fields = {}
    flags = set(fields.get("flags", fields.get("Features", "")).split())
    return Host(
        cpu_model=fields.get("model name") or platform.processor() or platform.machine() or "unknown",
        cpu_vendor=fields.get("vendor_id") or fields.get("CPU implementer", ""),
        cpu_family=_number(fields.get("cpu family")),
        cpu_model_number=_number(fields.get("model")),
        cpu_flags=tuple(flag for flag in INFERENCE_FLAGS if flag in flags),
        logical_cpus=psutil.cpu_count() or 1,
        physical_cores=psutil.cpu_count(logical=False),
        memory_bytes=psutil.virtual_memory().total,
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
    )


def host_cpu_s() -> float:
    """CPU seconds used on this machine since it started, by all programs, and taken from it by its hypervisor."""
    times = psutil.cpu_times()
    return float(sum(getattr(times, part, 0.0) for part in _BUSY))


@contextlib.contextmanager
def kept_off(cpus: Sequence[int]) -> Iterator[bool]:
    """Keep the calling thread off these CPUs; yields whether that was possible. The old mask is restored."""
    if not cpus or not hasattr(os, "sched_setaffinity"):
        yield False
        return
    before = os.sched_getaffinity(0)
    left = before - set(cpus)
    if not left:
        yield False
        return
    os.sched_setaffinity(0, left)
    try:
        yield True
    finally:
        os.sched_setaffinity(0, before)
