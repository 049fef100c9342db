"""Going on from the partial profile of a session that was killed, if it is of the same thing."""

from collections.abc import Sequence
from pathlib import Path

from planner.campaign.bench import point_of
from planner.campaign.points import Point
from planner.container.contract import ContainerDescription
from planner.documents import read_document
from planner.errors import ProfileError
from planner.profiling.profile import Host, Measurement, Payload, Profile


def same_target(old: ContainerDescription, new: ContainerDescription) -> bool:
    """Whether both are the same image, directory, command or URL: by digest where both have one, else by name."""
    return old.digest == new.digest if old.digest and new.digest else old.target == new.target


def differences(profile: Profile, container: ContainerDescription, payload: Payload, host: Host) -> tuple[str, ...]:
    """Why the profile is not of this container, payload and host; empty when its points may stand beside new ones."""
    old, new = profile.container, container
    pairs: list[tuple[str, object, object]] = [
        ("container", old.backend, new.backend),
        ("container", "its own", "its own" if same_target(old, new) else f"{new.target} instead of {old.target}"),
        ("environment", dict(old.environment), dict(new.environment)),
        ("CPU limit", old.limits.cpus, new.limits.cpus),
        ("memory limit", old.limits.memory_bytes, new.limits.memory_bytes),
        ("sample", profile.payload.digest[:12], payload.digest[:12]),
        ("content type", profile.payload.content_type, payload.content_type),
        ("accept", profile.payload.accept, payload.accept),
        ("split type", profile.payload.split_type, payload.split_type),
        ("CPU model", profile.host.cpu_model, host.cpu_model),
        ("CPUs of the host", profile.host.logical_cpus, host.logical_cpus),
    ]
    return tuple(f"{what} was {before}, is {now}" for what, before, now in pairs if before != now)


def previous_profile(path: Path, container: ContainerDescription, payload: Payload, host: Host) -> Profile | None:
    """The profile in the file, to go on from; None when there is no file yet.

    Raises DocumentError when it is not a profile, ProfileError when it is of something else, with every difference.
    """
    if not path.exists():
        return None
    profile = read_document(path, Profile)
    different = differences(profile, container, payload, host)
    if different:
        raise ProfileError(
            f"{path} cannot be gone on from: {'; '.join(different)}. Write to another file, or leave --resume out."
        )
    return profile


def own_rows(profile: Profile) -> tuple[Measurement, ...]:
    """The measurements under the container's own limit and workers; those of a cross-section stand beside them."""
    most = max((row.cpus for row in profile.measurements), default=0.0)
    own = profile.container.workers
    return tuple(row for row in profile.measurements if row.cpus == most and row.workers in {None, own})


def is_searched(profile: Profile) -> bool:
    """Whether its own session came to its end, the search for the largest body; a cross-section may be missing yet."""
    return profile.largest_body_bytes is not None


def missing_points(planned: Sequence[Point], profile: Profile | None) -> tuple[Point, ...]:
    """The planned points that the profile does not hold under the container's own limit and workers, in order."""
    held = {point_of(row) for row in (own_rows(profile) if profile is not None else ())}
    return tuple(point for point in planned if point not in held)
