"""A second profile of the same container and sample, from another machine: what it says of other hardware.

    symbol   meaning                                                          unit
    D(b)     CPU seconds of a lone request of b records                       s
    Q(b)     spacing of completions with all CPUs busy                        s

Speed of one busy thread on the second host over the first: D1/D2. Throughput of the whole second host in busy threads
of the first: D1/Q2. Both are medians over records per request that both profiles measured.
"""

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from planner.errors import ProfileError
from planner.performance.hardware import Probe
from planner.performance.host import HostModel
from planner.performance.model import PerformanceModel
from planner.performance.prediction import Floats
from planner.profiling.profile import Host, Profile

SESSIONS_SD: Final = 0.05
"""Log standard deviation between two profiling sessions on one machine: another hour, other neighbours."""
_BUSY: Final = 0.85
"""Share of its CPUs that a server keeps busy when they are called the limit."""
_RECORDS: Final = 9
"""Numbers of records per request at which the two are compared."""


def probes(first: Profile, model: PerformanceModel, also: Sequence[Profile]) -> tuple[Probe, ...]:
    """What each of the other profiles says beside the first, whose model is given.

    Raises ProfileError, naming every difference, for one of another container or sample, for one of the same kind of
    machine, and for one without common records per request.
    """
    return tuple(_probe(first, model, other) for other in also)


def _probe(first: Profile, model: PerformanceModel, other: Profile) -> Probe:
    found = [*differences(first, other)]
    if found:
        raise ProfileError(
            f"the second profile is not of the same container and sample ({'; '.join(found)}): profile the same "
            "with the same --payload on the other machine"
        )
    if _kind_of(first.host) == _kind_of(other.host):
        raise ProfileError(
            f"both profiles are from {first.host.cpu_model} with {first.host.logical_cpus} CPUs: a second profile "
            "tells something of other hardware only from another kind of machine"
        )
    there = PerformanceModel.fit(other)
    records = _common_records(model, there)
    thread = np.log(_cpu_s(model.host, records) / _cpu_s(there.host, records))
    cores = _capacity(model.host, there.host, records)
    return Probe(
        host=other.host,
        cpus=there.host_cpus,
        thread_speed=float(np.exp(np.median(thread))),
        capacity_cores=cores,
        log_sd=float(np.sqrt(SESSIONS_SD**2 + _line_sd(model.host) ** 2 + _line_sd(there.host) ** 2 + np.var(thread))),
    )


def differences(first: Profile, other: Profile) -> Iterator[str]:
    """Why two profiles are not of the same thing: container by digest (by name where one has none), sample, settings.

    Workers and CPU limits may differ, as machines do; other variables of the environment may not.
    """
    one, two = first.container, other.container
    same = one.digest == two.digest if one.digest and two.digest else one.target == two.target
    if not same:
        yield f"container {one.target} {(one.digest or '')[:19]}, {two.target} {(two.digest or '')[:19]}"
    of_machine = {one.worker_variable, two.worker_variable}
    settings = [{k: v for k, v in each.environment.items() if k not in of_machine} for each in (one, two)]
    pairs = [
        ("sample", first.payload.digest[:12], other.payload.digest[:12]),
        ("content type", first.payload.content_type, other.payload.content_type),
        ("accept", first.payload.accept, other.payload.accept),
        ("split type", first.payload.split_type, other.payload.split_type),
        ("environment", str(settings[0]), str(settings[1])),
    ]
    yield from (f"{what} {before}, {now}" for what, before, now in pairs if before != now)


def _kind_of(host: Host) -> tuple[object, ...]:
    return host.cpu_model, host.cpu_vendor, host.cpu_family, host.cpu_model_number, host.logical_cpus


def _common_records(model: PerformanceModel, there: PerformanceModel) -> Floats:
    ranges = [model.measured_records_per_request, there.measured_records_per_request]
    least, most = max(low for low, _ in ranges), min(high for _, high in ranges)
    if least > most:
        raise ProfileError(
            f"the second profile has {ranges[1][0]:,} to {ranges[1][1]:,} records per request and the first "
            f"{ranges[0][0]:,} to {ranges[0][1]:,}: measure common ones"
        )
    return np.geomspace(least, most, _RECORDS)


def _cpu_s(host: HostModel, records: Floats) -> Floats:
    """D(b); without CPU accounting the service time that counts as CPU time."""
    if host.cpu_alone is not None:
        return host.cpu_alone.at(records)
    curves = host.table.at(records)
    return curves.service_s * curves.on_cpu_share


def _capacity(first: HostModel, other: HostModel, records: Floats) -> float | None:
    """D1/Q2 where the second host's CPUs were the limit; None where they never were."""
    if other.cpu_loaded is None:
        return None
    curves = other.table.at(records)
    spacing = curves.spacing_s
    busy = other.cpu_loaded.at(records) >= _BUSY * other.cpus * spacing
    if not np.any(busy):
        return None
    return float(np.median((_cpu_s(first, records) / spacing)[busy]))


def _line_sd(host: HostModel) -> float:
    return 0.0 if host.cpu_alone is None else host.cpu_alone.log_sd
