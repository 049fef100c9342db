"""`planner recommend`, from files to files."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from planner.cli.recommend import WORKLOAD_CLASSES, command
from planner.documents import read_document, write_document
from planner.errors import InfeasibleError
from planner.performance.hardware import WORKLOAD_CLASSES as KNOWN_CLASSES
from planner.planning.plan import Plan
from planner.records.layout import describe
from tests.performance.synthetic import synthetic_profile

NUMBERS = ("--records", "20000000", "--record-bytes", "100", "--objects", "200")
FEW = ("--instance-type", "ml.m5.*", "--instance-type", "ml.c7i.xlarge", "--instance-type", "ml.g5.xlarge")


@pytest.fixture(scope="module")
def profile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recommend") / "profile.json"
    write_document(path, synthetic_profile())
    return path


def run(profile: Path, *arguments: str) -> Result:
    return CliRunner().invoke(command, ["--profile", str(profile), *FEW, *arguments], env={"COLUMNS": "200"})


def test_the_text_lets_a_reader_repeat_the_arithmetic(profile: Path) -> None:
    shown = run(profile, *NUMBERS, "--deadline", "20m")
    assert shown.exit_code == 0, shown.output
    number = r"([\d,.]+)"
    work = re.search(
        rf"work +{number} records(?: x {number} on the busiest of \d+)? / {number} records/s", shown.stdout
    )
    time = re.search(rf"time +{number} s start-up \+ {number} s = {number} s", shown.stdout)
    cost = re.search(rf"cost +{number} x \${number}/h x {number} s / 3600 = \${number}", shown.stdout)
    assert work is not None
    assert time is not None
    assert cost is not None
    records, share, rate = (float((text or "1").replace(",", "")) for text in work.groups())
    startup, makespan, finish = (float(text.replace(",", "")) for text in time.groups())
    count, price, billed, usd = (float(text.replace(",", "")) for text in cost.groups())
    assert records * share / rate == pytest.approx(makespan, rel=0.02)
    assert startup + makespan == pytest.approx(finish, abs=0.11)
    assert count * price * billed / 3600 == pytest.approx(usd, rel=0.01)


def test_the_text_shows_what_lost_and_what_was_refused(profile: Path) -> None:
    shown = run(profile, *NUMBERS).stdout
    assert "Runners-up" in shown
    assert "service defaults" in shown
    assert "accelerator: ml.g5.xlarge" in shown
    assert "What this rests on" in shown


def test_the_document_goes_to_the_file_and_json_to_stdout(profile: Path, tmp_path: Path) -> None:
    shown = run(profile, *NUMBERS, "--format", "json", "-o", str(tmp_path / "plan.json"))
    assert shown.exit_code == 0, shown.output
    assert json.loads(shown.stdout)["kind"] == "plan"
    plan = read_document(tmp_path / "plan.json", Plan)
    assert plan.transform_job["TransformResources"]["InstanceType"] == plan.configuration.instance_type


def test_a_dataset_file_and_its_numbers_give_the_same_plan(profile: Path, tmp_path: Path) -> None:
    write_document(tmp_path / "dataset.json", describe(20_000_000, 100, 200))
    by_file = json.loads(run(profile, "--dataset", str(tmp_path / "dataset.json"), "--format", "json").stdout)
    by_numbers = json.loads(run(profile, *NUMBERS, "--format", "json").stdout)
    assert {**by_file, "created_at": None} == {**by_numbers, "created_at": None}


def test_a_folder_is_inspected_and_repeated(profile: Path, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.jsonl").write_text('{"x": 1}\n' * 50)
    shown = run(profile, "--input", str(tmp_path / "in"), "--repeat", "1000", "--format", "json")
    assert shown.exit_code == 0, shown.output
    work = json.loads(shown.stdout)["workload"]
    assert (work["records"], work["objects"], work["repeat"]) == (50_000, 1000, 1000)


@pytest.mark.parametrize("text", ["5m", "4m,5m,8m"])
def test_a_start_up_is_one_time_or_three(profile: Path, text: str) -> None:
    shown = json.loads(run(profile, *NUMBERS, "--startup", text, "--format", "json").stdout)
    assert shown["estimate"]["startup_s"]["mid"] == 300


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "exactly one of --dataset, --input, or --records"),
        (("--input", "x", *NUMBERS), "exactly one of --dataset, --input, or --records"),
        (("--records", "5"), "go together"),
        ((*NUMBERS, "--startup", "8m,5m"), "three, ascending"),
        ((*NUMBERS, "--startup", "8m,5m,3m"), "three, ascending"),
        ((*NUMBERS, "--confidence", "1"), "0.5<=x<1"),
        ((*NUMBERS, "--max-instance-count", "101"), "1<=x<=100"),
    ],
)
def test_wrong_usage_is_named(profile: Path, arguments: tuple[str, ...], said: str) -> None:
    shown = run(profile, *arguments)
    assert shown.exit_code == 2
    assert said in shown.output


def test_nothing_feasible_leaves_no_file_and_its_own_exit_code(profile: Path, tmp_path: Path) -> None:
    output = tmp_path / "plan.json"
    arguments = ["recommend", "--profile", str(profile), *NUMBERS, "--deadline", "1m", "-o", str(output)]
    ended = subprocess.run(  # the exit code is made in main
        [sys.executable, "-m", "planner", *arguments], capture_output=True, text=True, check=False
    )
    assert ended.returncode == InfeasibleError.exit_code
    assert "meets the deadline of 1 m 00 s at 95% confidence; the fastest needs" in ended.stderr
    assert ended.stdout == ""
    assert not output.exists()


def test_the_workload_classes_are_those_of_the_benchmarks() -> None:
    assert set(WORKLOAD_CLASSES) == set(KNOWN_CLASSES)
