from pathlib import Path

import pytest
from click.testing import CliRunner

from planner.cli.explain import command
from planner.documents import write_document
from planner.errors import CatalogueError, InputMissingError
from planner.planning.recommend import recommend
from planner.records.layout import describe
from tests.performance.synthetic import synthetic_profile


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("explain") / "plan.json"
    types = ("ml.m5.*", "ml.c7i.xlarge")
    write_document(path, recommend(synthetic_profile(), describe(10_000_000, 100, 50), instance_types=types))
    return path


def test_a_plan_is_explained_with_what_would_change_it(plan: Path) -> None:
    shown = CliRunner().invoke(command, [str(plan)])
    assert shown.exit_code == 0
    assert "is the cheapest of" in shown.stdout
    assert "If it were otherwise:\n  start-up, its lower bound" in shown.stdout


def test_each_type_asked_for_is_answered(plan: Path) -> None:
    shown = CliRunner().invoke(command, [str(plan), "--why-not", "ml.m5.large", "--why-not", "m5.24xlarge"])
    assert shown.exit_code == 0
    assert "x ml.m5.large" in shown.stdout
    assert "x ml.m5.24xlarge" in shown.stdout


def test_settings_are_answered_like_types(plan: Path) -> None:
    asked = ("--why-not", "MaxPayloadInMB=100", "--why-not", "SingleRecord")
    shown = CliRunner().invoke(command, [str(plan), *asked])
    assert shown.exit_code == 0
    assert "With MaxPayloadInMB=100, the best on" in shown.stdout
    assert "With BatchStrategy=SingleRecord, the best on" in shown.stdout


def test_what_is_no_plan_or_no_type_is_an_error_of_its_own(plan: Path, tmp_path: Path) -> None:
    assert isinstance(CliRunner().invoke(command, [str(tmp_path / "none.json")]).exception, InputMissingError)
    assert isinstance(CliRunner().invoke(command, [str(plan), "--why-not", "ml.x1.big"]).exception, CatalogueError)
