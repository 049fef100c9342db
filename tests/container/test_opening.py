"""The container that a command line names."""

import pytest

from planner.container import open_container
from planner.container.contract import Limits
from planner.errors import ContainerLimitError, ContainerStartError
from tests.container.traces import MODEL


def test_each_way_gives_its_own_backend() -> None:
    assert open_container(model_dir=MODEL).description.backend == "model-dir"
    assert open_container(command="serve").description.backend == "process"
    assert open_container(url="http://127.0.0.1:8080").description.backend == "url"


def test_none_or_several_ways_are_refused_and_all_are_named() -> None:
    with pytest.raises(ContainerStartError, match=r"IMAGE.*--model-dir.*--command.*--url"):
        open_container()
    with pytest.raises(ContainerStartError, match="exactly one"):
        open_container(command="serve", url="http://127.0.0.1:8080")


def test_a_network_is_only_for_an_image() -> None:
    with pytest.raises(ContainerStartError, match="IMAGE"):
        open_container(command="serve", network=True)


def test_what_the_user_sets_is_recorded() -> None:
    said = open_container(command="serve", environment={"A": "1"}, limits=Limits(cpus=1)).description
    assert said.environment == {"A": "1"}
    assert said.limits == Limits(cpus=1)


def test_limits_on_a_server_that_already_runs_are_refused() -> None:
    with pytest.raises(ContainerLimitError, match="already runs"):
        open_container(url="http://127.0.0.1:8080", limits=Limits(cpus=1))
