"""How the image of a Model is run on this machine: a command, a model directory, or Docker."""

import fnmatch
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from planner.container.archive import extract_model
from planner.container.contract import Container, Limits
from planner.container.process import STARTUP_TIMEOUT_S
from planner.documents import Json, Value
from planner.errors import ContainerStartError, MissingDependencyError

if TYPE_CHECKING:
    from planner.jobs.local import OpenInstance

MODEL_DIRECTORY: Final = "model-dir"
"""Stands for: serve the Model's own archive with gunicorn and inference-server."""


class ImageRule(Value, frozen=True, kw_only=True):
    """What runs in place of an image."""

    image: str
    """The image's name as CreateModel has it, or a pattern such as ``*/xgboost:*``."""
    server: str
    """``model-dir``; or a folder or model.tar.gz of this machine, served instead of the Model's own; or a command."""


def rule_for(image: str, rules: Sequence[ImageRule]) -> ImageRule | None:
    """The rule that names the image, else the first whose pattern matches it."""
    named = [rule for rule in rules if rule.image == image]
    matching = [rule for rule in rules if fnmatch.fnmatchcase(image, rule.image)]
    return next(iter(named + matching), None)


def instance_opener(
    container: Json,
    rules: Sequence[ImageRule],
    *,
    archive: Path | None,
    scratch: Path,
    startup_timeout_s: float = STARTUP_TIMEOUT_S,
    network: bool = False,
) -> "OpenInstance":
    """Makes the containers of a job from a Model's ContainerDefinition; the Model's Environment is below the job's.

    archive: the Model's model.tar.gz, fetched. A command finds it unpacked in the folder that SM_MODEL_DIR names, where
    a container of the service has /opt/ml/model. An image without a rule is run by Docker; network is for those alone.
    Raises ContainerStartError, ModelArchiveError.
    """
    image = container["Image"]
    own = {str(name): str(value) for name, value in container.get("Environment", {}).items()}
    rule = rule_for(image, rules)
    if rule is None:
        return _docker_opener(image, archive, own, startup_timeout_s=startup_timeout_s, network=network)
    model_dir, command = _served(rule, archive)
    if command is not None and archive is not None:
        folder = scratch / "model"
        folder.mkdir()
        extract_model(archive, folder)
        own["SM_MODEL_DIR"] = str(folder)

    def open_instance(environment: Mapping[str, str], limits: Limits) -> Container:
        from planner.container import open_container

        return open_container(
            model_dir=model_dir,
            command=command,
            environment={**own, **environment},
            limits=limits,
            startup_timeout_s=startup_timeout_s,
        )

    return open_instance


def _docker_opener(
    image: str, archive: Path | None, own: Mapping[str, str], *, startup_timeout_s: float, network: bool
) -> "OpenInstance":
    def open_instance(environment: Mapping[str, str], limits: Limits) -> Container:
        from planner.container import open_container

        try:
            return open_container(
                image=image,
                model_dir=archive,
                environment={**own, **environment},
                limits=limits,
                startup_timeout_s=startup_timeout_s,
                network=network,
            )
        except (ContainerStartError, MissingDependencyError) as error:
            raise ContainerStartError(
                f"nothing runs the image {image} here: map it with --image '{image}=COMMAND' or "
                f"--image '{image}=model-dir'. Docker does not: {error}"
            ) from error

    return open_instance


def _served(rule: ImageRule, archive: Path | None) -> tuple[Path | None, str | None]:
    """(model directory, None) or (None, command). Raises ContainerStartError."""
    if rule.server == MODEL_DIRECTORY:
        if archive is None:
            raise ContainerStartError(f"{rule.image} is mapped to model-dir, and the Model has no ModelDataUrl.")
        return archive, None
    place = Path(rule.server)
    if place.is_dir() or (place.is_file() and rule.server.endswith((".tar.gz", ".tgz"))):
        return place, None
    return None, rule.server
