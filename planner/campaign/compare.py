"""What changed between two profiles beyond noise, point by common point.

    symbol   meaning
    r        ln(new / old) of throughput at a point
    s        its standard deviation: both windows' own, and for each run what its session is off by as a whole
    n        common points

A point changed when 0 lies outside r ± z s with z so wide that of n unchanged points one or more falls out in one
comparison of twenty (Bonferroni); the interval shown is the plain 90 % one.
"""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import NormalDist, fmean, median
from typing import Any, Final

from planner.campaign.bench import point_of
from planner.campaign.profiler import profile
from planner.campaign.resume import own_rows, same_target
from planner.container.contract import Container, ContainerDescription
from planner.documents import Document, Value
from planner.errors import ProfileError
from planner.interval import Z90, Interval
from planner.profiling.host import read_host
from planner.profiling.one_speed import at_one_speed
from planner.profiling.payloads import read_sample
from planner.profiling.profile import REPEATABILITY, Host, Measurement, Payload, Profile
from planner.records.dataset import SplitType

_OTHER_SPEED: Final = 0.05
"""Of ln CPU seconds of the fixed computation, from which the machine is said to be another than it was."""
FALSE_ALARM: Final = 0.05
"""Probability that a comparison of unchanged profiles calls one point changed, or more."""


class Change(Value, frozen=True, kw_only=True):
    """One common point."""

    records_per_request: int
    concurrency: int
    old_records_per_s: float
    new_records_per_s: float
    throughput_ratio: Interval
    """New / old with its 90 % interval."""
    changed: bool
    """Beyond noise, at all points together."""
    latency_ratio: float
    """Of the medians."""
    cpu_s_per_record_ratio: float | None
    memory_peak_ratio: float | None


class ProfileComparison(Document, frozen=True, kw_only=True, tag="profile_comparison"):
    """Two profiles of one container, sample and kind of host."""

    old_created_at: str
    new_created_at: str
    settings: tuple[str, ...]
    """What was otherwise: content of a rebuilt container, environment, limits, workers."""
    changes: tuple[Change, ...]
    throughput_ratio: Interval
    """Over all common points: their median and the mean's 90 % interval about it."""
    warnings: tuple[str, ...] = ()


def is_rebuilt(old: ContainerDescription, new: ContainerDescription) -> bool:
    """Whether both have one name and different content."""
    return (old.backend, old.target) == (new.backend, new.target) and not same_target(old, new)


def incomparable(
    old: Profile, container: ContainerDescription, payload: Payload, host: Host, *, rebuilt: bool = False
) -> tuple[str, ...]:
    """Why a profile of these cannot be compared with the old one; empty when it can.

    rebuilt: a container of the same name with other content is what is to be compared.
    """
    pairs: list[tuple[str, object, object]] = [
        ("sample", old.payload.digest[:12], payload.digest[:12]),
        ("content type", old.payload.content_type, payload.content_type),
        ("accept", old.payload.accept, payload.accept),
        ("split type", old.payload.split_type, payload.split_type),
        ("CPU", _cpu(old.host), _cpu(host)),
        ("CPUs of the host", old.host.logical_cpus, host.logical_cpus),
    ]
    found = [f"{what} was {before}, is {now}" for what, before, now in pairs if before != now]
    is_new_build = is_rebuilt(old.container, container)
    if not same_target(old.container, container) and not (rebuilt and is_new_build):
        found.insert(0, f"container was {_named(old.container)}, is {_named(container)}")
    return tuple(found)


def check_comparable(
    old: Profile,
    container: ContainerDescription,
    payload: Payload,
    host: Host,
    source: str,
    *,
    rebuilt: bool = False,
) -> None:
    """Raise ProfileError, with every difference, unless a new profile may be compared with the one in `source`."""
    different = incomparable(old, container, payload, host, rebuilt=rebuilt)
    if different:
        way_out = " If it was rebuilt and the change is what you ask for, add --rebuilt."
        raise ProfileError(
            f"{source} is of something else: {'; '.join(different)}. Throughput is compared for one image and one "
            f"sample on one kind of CPU only.{way_out if is_rebuilt(old.container, container) and not rebuilt else ''}"
        )


def profile_again(
    container: Container,
    old: Profile,
    source: str,
    *,
    payload: Path,
    content_type: str,
    accept: str | None = None,
    split_type: SplitType = "Line",
    time_budget_s: float = 60.0,
    rebuilt: bool = False,
    **session: Any,
) -> tuple[Profile, ProfileComparison]:
    """A new profile at the points of the old one, and what changed; `session` goes to `planner.profile`.

    rebuilt: the container may have other content than the old one under the same name. Raises ProfileError before
    anything is started when the two could not be compared.
    """
    sample = read_sample(payload, content_type=content_type, accept=accept, split_type=split_type)
    check_comparable(old, container.description, sample.payload, read_host(), source, rebuilt=rebuilt)
    session = {name: value for name, value in session.items() if name not in ("records_per_request", "concurrency")}
    new = profile(
        container,
        payload=payload,
        content_type=content_type,
        accept=accept,
        split_type=split_type,
        time_budget_s=time_budget_s,
        points=sorted({point_of(row) for row in own_rows(old)}),
        **session,
    )
    return new, compare(old, new, rebuilt=rebuilt)


def _cpu(host: Host) -> str:
    return f"{host.cpu_model} (family {host.cpu_family}, model {host.cpu_model_number})"


def _named(container: ContainerDescription) -> str:
    digest = f" ({_digest(container)})" if container.digest else ""
    return f"{container.backend} {container.target}{digest}"


def _digest(container: ContainerDescription) -> str:
    return (container.digest or "not known").removeprefix("sha256:")[:12]


def compare(old: Profile, new: Profile, *, rebuilt: bool = False) -> ProfileComparison:
    """What changed from the old profile to the new one.

    Raises ProfileError when they are not comparable or have no point in common.
    """
    check_comparable(old, new.container, new.payload, new.host, "the old profile", rebuilt=rebuilt)
    first, second = own_rows(old), own_rows(new)
    speed_ratio = _speed_ratio(first, second)
    rows = [*first, *second] if speed_ratio is None else at_one_speed(first, second)
    before = {point_of(row): row for row in rows[: len(first)]}
    pairs = [(before[point], row) for row in rows[len(first) :] if (point := point_of(row)) in before]
    if not pairs:
        raise ProfileError("the two profiles have no point in common; give both the same sizes and concurrencies")
    beyond = NormalDist().inv_cdf(1 - FALSE_ALARM / (2 * len(pairs)))
    changes = [_change(one, other, beyond) for one, other in pairs]
    return ProfileComparison(
        old_created_at=old.created_at,
        new_created_at=new.created_at,
        settings=tuple(_settings(old.container, new.container)),
        changes=tuple(sorted(changes, key=lambda change: (change.records_per_request, change.concurrency))),
        throughput_ratio=_overall(changes, [_session_log_sd(row) for pair in pairs for row in pair]),
        warnings=tuple(_warnings(pairs, speed_ratio if any(row.unexplained < 1 for row in rows) else None)),
    )


def _change(old: Measurement, new: Measurement, beyond: float) -> Change:
    log_ratio = math.log(new.throughput_records_per_s / old.throughput_records_per_s)
    sd = math.hypot(_log_sd(old), _log_sd(new))
    both_seen = old.cpu_s_per_record and new.cpu_s_per_record is not None
    peaks_seen = old.memory_peak_bytes and new.memory_peak_bytes is not None
    return Change(
        records_per_request=new.records_per_request,
        concurrency=new.concurrency,
        old_records_per_s=old.throughput_records_per_s,
        new_records_per_s=new.throughput_records_per_s,
        throughput_ratio=Interval.from_log_sd(math.exp(log_ratio), sd),
        changed=abs(log_ratio) > beyond * sd,
        latency_ratio=median(new.latency_s) / median(old.latency_s),
        cpu_s_per_record_ratio=(new.cpu_s_per_record or 0.0) / (old.cpu_s_per_record or 1.0) if both_seen else None,
        memory_peak_ratio=(new.memory_peak_bytes or 0) / (old.memory_peak_bytes or 1) if peaks_seen else None,
    )


def _log_sd(row: Measurement) -> float:
    """Standard deviation of ln X: within the window, by its 90 % interval, and from run to run.

    Wider by what others took meanwhile: a window in which they had a share d of the CPUs may have been slowed by up to
    1 / (1 - d).
    """
    interval = row.throughput_interval_records_per_s
    window = math.log(interval.high / interval.low) / (2 * Z90)
    disturbed = -math.log1p(-min(0.9, row.disturbed_share or 0.0)) / 2
    between = row.between_windows_log_sd if row.windows == 1 else REPEATABILITY
    return math.hypot(window, disturbed, between, _session_log_sd(row))


def _session_log_sd(row: Measurement) -> float:
    """What its session is off by; less where both sessions were brought to one speed."""
    return row.unexplained * row.session_log_sd


def _overall(changes: list[Change], session_log_sds: list[float]) -> Interval:
    """The median ratio, with the scatter of the points about it as its error."""
    logs = [math.log(change.throughput_ratio.mid) for change in changes]
    middle = median(logs)
    scatter = 1.4826 * median(abs(value - middle) for value in logs)
    own = median(math.log(c.throughput_ratio.high / c.throughput_ratio.low) / (2 * Z90) for c in changes)
    # Runs differ as a whole too (placement, clock): no number of points averages that away.
    run = math.hypot(REPEATABILITY, median(session_log_sds))
    sd = math.hypot(1.2533 * max(scatter, own) / math.sqrt(len(logs)), math.sqrt(2) * run)
    return Interval.from_log_sd(math.exp(middle), sd)


def _settings(old: ContainerDescription, new: ContainerDescription) -> Iterator[str]:
    if is_rebuilt(old, new):
        yield f"content was {_digest(old)}, is {_digest(new)}: rebuilt under the same name"
    for name in sorted({*old.environment, *new.environment}):
        before, now = old.environment.get(name), new.environment.get(name)
        if before != now:
            yield f"{name} was {before or 'not set'}, is {now or 'not set'}"
    pairs: list[tuple[str, object, object]] = [
        ("CPU limit", old.limits.cpus, new.limits.cpus),
        ("memory limit", old.limits.memory_bytes, new.limits.memory_bytes),
        ("workers", old.workers, new.workers),
    ]
    for what, before_, now_ in pairs:
        if before_ != now_:
            yield f"{what} was {before_ or 'none'}, is {now_ or 'none'}"


def _speed_ratio(old: Sequence[Measurement], new: Sequence[Measurement]) -> float | None:
    """Of the CPUs' mean speeds, new over old; None where one profile has none: then the other's are of no use."""
    logs = [[math.log(row.core_speed) for row in rows if row.core_speed] for rows in (old, new)]
    return math.exp(fmean(logs[1]) - fmean(logs[0])) if all(logs) else None


def _warnings(pairs: list[tuple[Measurement, Measurement]], speed_ratio: float | None) -> Iterator[str]:
    """speed_ratio: of the CPUs, new over old, where the pairs are brought to one speed; None: they are not."""
    shares = [max(old.disturbed_share or 0.0, new.disturbed_share or 0.0) for old, new in pairs]
    disturbed = [share for share in shares if share > 0.15]
    if disturbed:
        yield (
            f"{len(disturbed)} of {len(pairs)} points were disturbed by other programs (up to {max(disturbed):.0%} of "
            "the machine's CPU time), which widens their intervals"
        )
    if speed_ratio is not None:
        yield (
            f"the CPUs' own speed changed, unseen by any counter: it was {speed_ratio:.2f} times that of then on "
            "average; rates, latencies and CPU seconds here are brought to one speed, as far as the container computes"
        )
        return
    references = [(old.reference_s, new.reference_s) for old, new in pairs]
    ratios = [after / before for before, after in references if before is not None and after is not None]
    if ratios and abs(math.log(median(ratios))) > _OTHER_SPEED:
        slower = "slower" if median(ratios) > 1 else "faster"
        yield (
            f"the machine itself was {slower}: a fixed computation took {median(ratios):.2f} times the CPU seconds of "
            "then, which throughput may follow"
        )
