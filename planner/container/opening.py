"""The container that a command line names."""

from collections.abc import Mapping
from pathlib import Path

from planner.container.contract import Container, Limits
from planner.container.model_dir import ModelDirectoryContainer
from planner.container.process import STARTUP_TIMEOUT_S, ProcessContainer
from planner.container.url import UrlContainer
from planner.errors import ContainerLimitError, ContainerStartError


def open_container(
    *,
    model_dir: Path | None = None,
    command: str | None = None,
    url: str | None = None,
    environment: Mapping[str, str] | None = None,
    limits: Limits | None = None,
    startup_timeout_s: float = STARTUP_TIMEOUT_S,
) -> Container:
    """The container, not yet started: a model directory or archive, a command line, or a server that already runs.

    Raises ContainerStartError unless exactly one of the three is given, ContainerLimitError for limits on a server
    that the planner does not start, and what the constructor of each raises.
    """
    if sum(way is not None for way in (model_dir, command, url)) != 1:
        raise ContainerStartError(
            "name exactly one model server: --model-dir DIR|model.tar.gz, --command 'PROGRAM ARGUMENTS', or --url URL"
        )
    limits = limits or Limits()
    if model_dir is not None:
        return ModelDirectoryContainer(
            model_dir, environment=environment, limits=limits, startup_timeout_s=startup_timeout_s
        )
    if command is not None:
        return ProcessContainer(command, environment=environment, limits=limits, startup_timeout_s=startup_timeout_s)
    assert url is not None
    if limits != Limits():
        raise ContainerLimitError(f"{url}: CPU and memory limits cannot be imposed on a server that already runs.")
    return UrlContainer(url, environment=environment, startup_timeout_s=startup_timeout_s)
