"""What has to fit an instance's volume: the model archive, its extraction, perhaps the output on its way to S3.

The volume has 30 GB and cannot be chosen (AWS developer guide, batch-transform-storage, as of 2023; types with NVMe
disks use these instead, but all of them have accelerators). That archive and extraction both lie there is our reading;
whether responses pass through it before the multipart upload is not documented.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from planner.profiling.profile import Profile
from planner.units import show_bytes

VOLUME_BYTES: Final = 30 * 10**9
"""Taken as decimal gigabytes: the cautious reading."""


def model_bytes_on_disk(profile: Profile) -> int | None:
    """Bytes of the profiled model archive or directory, where it still stands on this machine; else None."""
    if profile.container.backend != "model-dir":
        return None
    path = Path(profile.container.target)
    try:
        if path.is_file():
            return path.stat().st_size
        files = [file for file in path.rglob("*") if file.is_file()] if path.is_dir() else []
        return sum(file.stat().st_size for file in files) or None
    except OSError:
        return None


def too_large(model_bytes: int | None) -> str | None:
    """Why no instance can hold the model; None where one can, or the size is not known."""
    if model_bytes is None or model_bytes < VOLUME_BYTES:
        return None
    return (
        f"the model has {show_bytes(model_bytes)}, and the volume of an instance {show_bytes(VOLUME_BYTES)} "
        "(30 GB, fixed): load it from S3 in the container, or make it smaller"
    )


def volume_warnings(model_bytes: int | None, output_bytes_per_instance: float) -> Iterator[str]:
    """What may not fit, where it is not certain."""
    if model_bytes is not None and VOLUME_BYTES / 2 < model_bytes < VOLUME_BYTES:
        yield (
            f"The model has {show_bytes(model_bytes)}: archive and extraction together may exceed the instance's "
            f"volume of {show_bytes(VOLUME_BYTES)} (30 GB, fixed)."
        )
    if output_bytes_per_instance > VOLUME_BYTES:
        yield (
            f"The busiest instance writes about {show_bytes(output_bytes_per_instance)}, more than its volume of "
            f"{show_bytes(VOLUME_BYTES)} (30 GB, fixed) holds. Whether output passes through it is not documented: "
            "try a part of the input first, or answer with less per record."
        )
