"""What runs in place of an image."""

import shlex
import sys
from pathlib import Path

import pytest

from planner.container import Limits, ModelDirectoryContainer, ProcessContainer
from planner.errors import ContainerStartError, ModelArchiveError
from planner.jobs.endpoint.images import ImageRule, instance_opener, rule_for
from tests.jobs.endpoints import IMAGE, MODEL, write_archive

RULES = tuple(
    ImageRule(image=image, server=server)
    for image, server in (("*", "any"), ("*/model:*", "pattern"), (IMAGE, "exact"))
)


def test_the_exact_name_wins_then_the_first_pattern() -> None:
    assert rule_for(IMAGE, RULES) == RULES[2]
    assert rule_for("x/model:2", RULES) == RULES[0]
    assert rule_for("x/model:2", RULES[1:]) == RULES[1]
    assert rule_for("x/other:2", RULES[1:]) is None


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "model.tar.gz"
    write_archive(path)
    return path


def test_a_command_finds_the_model_unpacked_and_both_environments(archive: Path, tmp_path: Path) -> None:
    command = shlex.join([sys.executable, "serve.py", "a=b"])
    rules = (ImageRule(image="*", server=command),)
    container = {"Image": IMAGE, "Environment": {"A": "model", "B": "model"}}
    opener = instance_opener(container, rules, archive=archive, scratch=tmp_path)
    opened = opener({"B": "job"}, Limits())
    assert isinstance(opened, ProcessContainer)
    assert opened.description.target == command
    environment = dict(opened.description.environment)
    folder = Path(environment.pop("SM_MODEL_DIR"))
    assert environment == {"A": "model", "B": "job"}
    assert (folder / "factor.txt").read_bytes() == (MODEL / "factor.txt").read_bytes()


def test_model_dir_serves_the_models_archive_and_a_folder_instead_of_it(archive: Path, tmp_path: Path) -> None:
    for server in ("model-dir", str(MODEL), str(archive)):
        rules = (ImageRule(image="*", server=server),)
        opener = instance_opener({"Image": IMAGE}, rules, archive=archive, scratch=tmp_path)
        opened = opener({}, Limits())
        assert isinstance(opened, ModelDirectoryContainer)
        opened.stop()


def test_model_dir_without_an_archive_and_a_hostile_archive_are_refused(tmp_path: Path) -> None:
    rules = (ImageRule(image="*", server="model-dir"),)
    with pytest.raises(ContainerStartError, match="no ModelDataUrl"):
        instance_opener({"Image": IMAGE}, rules, archive=None, scratch=tmp_path)
    (tmp_path / "model.tar.gz").write_bytes(b"no archive")
    rules = (ImageRule(image="*", server="command"),)
    with pytest.raises(ModelArchiveError):
        instance_opener({"Image": IMAGE}, rules, archive=tmp_path / "model.tar.gz", scratch=tmp_path)


def test_an_image_that_nothing_runs_says_what_to_map(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent/docker.sock")
    opener = instance_opener({"Image": "a/b:1"}, (), archive=None, scratch=tmp_path)
    with pytest.raises(ContainerStartError, match="map it with --image 'a/b:1=COMMAND' or --image 'a/b:1=model-dir'"):
        opener({}, Limits())
