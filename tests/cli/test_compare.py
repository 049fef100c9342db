import json
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

from planner.cli.compare import command
from planner.documents import read_document, write_document
from planner.planning.comparison import Comparison
from planner.planning.recommend import recommend
from planner.records.layout import describe
from tests.performance.synthetic import synthetic_profile


@pytest.fixture(scope="module")
def plans(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("compare")
    for name, region in (("east", "us-east-1"), ("west", "eu-west-1")):
        plan = recommend(synthetic_profile(), describe(10_000_000, 100, 50), instance_types=("m5.*",), region=region)
        write_document(folder / f"{name}.json", plan)
    return [str(folder / "east.json"), str(folder / "west.json")]


def test_two_plans_are_shown_side_by_side(plans: list[str], tmp_path: Path) -> None:
    output, table = tmp_path / "comparison.json", tmp_path / "plans.csv"
    shown = CliRunner().invoke(command, [*plans, "-o", str(output), "--csv", str(table)])
    assert shown.exit_code == 0, shown.output
    assert "against the first" in shown.stdout
    assert "eu-west-1" in shown.stdout
    assert [row.name for row in read_document(output, Comparison).plans] == plans
    assert set(pd.read_csv(table)["plan"]) == set(plans)
    as_json = CliRunner().invoke(command, [*plans, "--format", "json"])
    assert json.loads(as_json.stdout)["kind"] == "comparison"


def test_a_plan_beside_itself_is_wrong_usage(plans: list[str]) -> None:
    assert CliRunner().invoke(command, [plans[0], plans[0]]).exit_code == 2
    assert CliRunner().invoke(command, [plans[0]]).exit_code == 2
