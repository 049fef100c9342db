"""What a saturated server is limited by, and how each limit moves to another machine.

At saturation a request completes every Q(b) seconds. On the profiled host Q is the largest of

    symbol       meaning                                            on a target with capacity C', workers K'
    cpu          CPU time of the request over the host's CPUs        × cpus / C'
    slots        service time over the worker processes             × K / K', at the speed of a busy thread
    serial       a lock, or something waited for, shared by all     at the speed of a busy thread, never divided

Which of them it is shows in two ratios, read softly between 0.6 and 0.85 so that a plan does not jump:

    utilization  D(b) / (cpus · Q(b))        near 1: the CPUs are the limit
    occupancy    S(b) / (K · Q(b))           near 1 or above: the worker processes are

and a limit that is neither is serial: the cautious reading, since it does not grow with the machine.
"""

from dataclasses import dataclass

import numpy as np

from planner.performance.prediction import Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Q(b) on the profiled host, split by cause; arrays of one shape; their maximum is Q(b)."""

    cpu_s: Floats
    slots_s: Floats
    """0 where workers are not known."""
    serial_s: Floats


def soft_step(ratio: Floats) -> Floats:
    """0 below 0.6, 1 above 0.85, smooth between."""
    position = np.clip((ratio - 0.6) / 0.25, 0.0, 1.0)
    return position**2 * (3 - 2 * position)


def split(
    *,
    spacing_s: Floats,
    service_s: Floats,
    cpu_s: Floats,
    cpus: float,
    workers: float | None,
    slack: float = 0.0,
) -> Limits:
    """The causes of the spacing: see the module's table.

    slack: by how much ln Q may be too large because other programs held the CPUs while it was measured. A server
    that may have been short of CPU is not called serial: its utilization is read at the upper end.
    """
    on_cpu = soft_step(cpu_s / (cpus * spacing_s) * np.exp(slack))
    cpu = on_cpu * spacing_s + (1 - on_cpu) * np.minimum(spacing_s, cpu_s / cpus)
    if workers is None:
        slots, in_slots = np.zeros_like(spacing_s), np.zeros_like(spacing_s)
    else:
        slots = np.minimum(spacing_s, service_s / workers)
        in_slots = soft_step(service_s / (workers * spacing_s))
    serial = spacing_s * (1 - on_cpu) * (1 - in_slots)
    scale = spacing_s / np.maximum(np.maximum(cpu, slots), serial)
    return Limits(cpu_s=cpu * scale, slots_s=slots * scale, serial_s=serial * scale)


def busy_speed(busy: Floats, *, vcpus: Floats, latency_speed: Floats, capacity_cores: Floats) -> Floats:
    """Speed of each of `busy` threads on a machine, relative to the profiled host.

    Total capacity is concave in busy threads: one thread gives latency_speed; up to half the vCPUs (one thread
    a core) each adds as much, as far as the capacity allows; the siblings fill up linearly to capacity_cores.
    """
    busy = np.minimum(busy, vcpus)
    half = vcpus / 2
    at_half = np.minimum(latency_speed * half, capacity_cores)
    filling = at_half + (capacity_cores - at_half) * np.maximum(busy / half - 1.0, 0.0)
    total = np.where(capacity_cores >= latency_speed * vcpus, latency_speed * busy, filling)
    return np.minimum(latency_speed, total / np.maximum(busy, 1e-9))
