"""The speed that a container's CPUs usually have here, remembered from one profiling session to the next.

A shared machine is faster for some minutes than for others, and the minute of a session does not average that out.
Sessions alike in everything that is known (container, sample, limits, kind of host) differ by nothing else that their
CPUs' speed would show, so the mean of several is nearer to what the machine does on an average day, and two profiles
that are brought to it nearer to each other.

One line of JSON per session stands in a file of the user's. Nothing in it tells what was profiled: a digest does.
"""

import contextlib
import hashlib
import math
import platform
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import fmean
from typing import Final

import msgspec

from planner.documents import Value, replace, to_json
from planner.profiling.core_speed_sampler import ITERATIONS
from planner.profiling.one_speed import speed_of
from planner.profiling.profile import Payload, Profile, UsualSpeed

REMEMBERED: Final = timedelta(days=30)
"""Sessions older than this say nothing about the machine as it is."""
_SAME_MACHINE: Final = 0.25
"""Of ln speed: a session further from this one is taken to have run on another machine of the same description. Those
of one much disturbed machine had a standard deviation of 0.13 (benchmarks/README.md, Prediction)."""


class Session(Value, frozen=True, kw_only=True):
    """A line of the file."""

    subject: str
    """sha256 of what the session was of."""
    created_at: str
    """Of its profile: UTC, ISO 8601."""
    core_speed: float
    """Mean, in iterations of the sampled loop per CPU second (`planner.profiling.one_speed.speed_of`)."""


def with_usual_speed(profile: Profile, file: Path) -> Profile:
    """The profile with the mean speed of the sessions like it, its own included, which the file then holds.

    Unchanged are profiles that are not complete, that hold no core speeds, or that know the usual speed already. A file
    that cannot be read or written costs the memory, never the profile.
    """
    own = _session(profile)
    if own is None or not profile.complete or profile.usual_speed is not None:
        return profile
    alike = [own, *(earlier for earlier in _remembered(file) if _is_alike(earlier, own))]
    with contextlib.suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("ab", buffering=0) as stream:
            stream.write(msgspec.json.encode(own) + b"\n")
    mean = math.exp(fmean(math.log(session.core_speed) for session in alike))
    usual = UsualSpeed(core_speed=mean, session_core_speed=own.core_speed, sessions=len(alike))
    return replace(profile, usual_speed=usual)


def _session(profile: Profile) -> Session | None:
    """What the file keeps of a profile; None where no speed was sampled."""
    speed = speed_of(profile.measurements)
    if speed is None:
        return None
    return Session(subject=_subject(profile), created_at=profile.created_at, core_speed=speed)


class _Subject(Value, frozen=True, kw_only=True):
    """What two sessions must have in common for their CPUs' speeds to be compared."""

    container: str
    payload: Payload
    cpu: tuple[str, str, int | None, int | None, int]
    cpu_limits: tuple[float, ...]
    sampled_by: str


def _subject(profile: Profile) -> str:
    host, container, limits = profile.host, profile.container, {row.cpus for row in profile.measurements}
    subject = _Subject(
        container=to_json(replace(container, target="") if container.digest else container),
        payload=replace(profile.payload, source=""),
        cpu=(host.cpu_vendor, host.cpu_model, host.cpu_family, host.cpu_model_number, host.logical_cpus),
        cpu_limits=tuple(sorted(limits)),
        sampled_by=f"{ITERATIONS} of {platform.python_implementation()} {platform.python_version()}",
    )
    return hashlib.sha256(to_json(subject).encode()).hexdigest()


def _remembered(file: Path) -> Iterator[Session]:
    """What the file holds; a line that was cut short is no line."""
    try:
        lines = file.read_bytes().splitlines()
    except OSError:
        return
    for line in lines:
        with contextlib.suppress(msgspec.DecodeError):
            yield msgspec.json.decode(line, type=Session)


def _is_alike(earlier: Session, own: Session) -> bool:
    try:
        age = datetime.now(UTC) - datetime.fromisoformat(earlier.created_at)
        apart = abs(math.log(earlier.core_speed / own.core_speed))
    except (ValueError, TypeError, ZeroDivisionError):
        return False
    is_other = (earlier.subject, earlier.created_at) != (own.subject, own.created_at)
    return earlier.subject == own.subject and is_other and apart <= _SAME_MACHINE and age <= REMEMBERED
