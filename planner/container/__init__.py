"""A model server that keeps the hosting contract, and the ways to have one.

Names load when they are first used: a served model imports planner.container.serving, and what the rest of this
room needs (psutil, msgspec) would count as the model's memory.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from planner.container.contract import Address as Address
    from planner.container.contract import Container as Container
    from planner.container.contract import ContainerDescription as ContainerDescription
    from planner.container.contract import ExecutionParameters as ExecutionParameters
    from planner.container.contract import Limits as Limits
    from planner.container.contract import Response as Response
    from planner.container.contract import Startup as Startup
    from planner.container.contract import Usage as Usage
    from planner.container.docker import DockerContainer as DockerContainer
    from planner.container.model_dir import ModelDirectoryContainer as ModelDirectoryContainer
    from planner.container.opening import open_container as open_container
    from planner.container.process import ProcessContainer as ProcessContainer
    from planner.container.url import UrlContainer as UrlContainer

_CONTRACT = (
    "Address",
    "Container",
    "ContainerDescription",
    "ExecutionParameters",
    "Limits",
    "Response",
    "Startup",
    "Usage",
)
_MODULES = {
    **dict.fromkeys(_CONTRACT, "contract"),
    "DockerContainer": "docker",
    "ModelDirectoryContainer": "model_dir",
    "ProcessContainer": "process",
    "UrlContainer": "url",
    "open_container": "opening",
}

__all__ = [
    "Address",
    "Container",
    "ContainerDescription",
    "DockerContainer",
    "ExecutionParameters",
    "Limits",
    "ModelDirectoryContainer",
    "ProcessContainer",
    "Response",
    "Startup",
    "UrlContainer",
    "Usage",
    "open_container",
]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(import_module(f"planner.container.{_MODULES[name]}"), name)
    raise AttributeError(f"module 'planner.container' has no attribute {name!r}")
