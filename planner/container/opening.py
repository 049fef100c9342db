"""The container that a command line names."""

from collections.abc import Mapping
from pathlib import Path

from planner.container.contract import Container, Limits
from planner.container.docker import DockerContainer
from planner.container.model_dir import ModelDirectoryContainer
from planner.container.process import STARTUP_TIMEOUT_S, ProcessContainer
from planner.container.url import UrlContainer
from planner.errors import ContainerLimitError, ContainerStartError


def open_container(
    *,
    image: str | None = None,
    model_dir: Path | None = None,
    command: str | None = None,
    url: str | None = None,
    environment: Mapping[str, str] | None = None,
    limits: Limits | None = None,
    startup_timeout_s: float = STARTUP_TIMEOUT_S,
    network: bool = False,
) -> Container:
    """The container, not yet started: an image, a model directory or archive, a command line, or a running server.

    With an image, `model_dir` is the model to mount into it, and `network` lets it reach one. Raises
    ContainerStartError unless exactly one of the four is given, ContainerLimitError for limits on a server that the
    planner does not start, and what the constructor of each raises.
    """
    own_model = model_dir if image is None else None
    if sum(way is not None for way in (image, own_model, command, url)) != 1:
        raise ContainerStartError(
            "name exactly one model server: IMAGE (with or without --model-dir), --model-dir DIR|model.tar.gz, "
            "--command 'PROGRAM ARGUMENTS', or --url URL"
        )
    if network and image is None:
        raise ContainerStartError("--network is for an IMAGE: any other server has this machine's network as it is.")
    limits = limits or Limits()
    if image is not None:
        return DockerContainer(
            image,
            model=model_dir,
            environment=environment,
            limits=limits,
            network=network,
            startup_timeout_s=startup_timeout_s,
        )
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
