"""`planner recommend`, from files to files."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner, Result

from planner.cli.planning_options import WORKLOAD_CLASSES
from planner.cli.recommend import command
from planner.documents import read_document, replace, write_document
from planner.errors import InfeasibleError
from planner.performance.hardware import WORKLOAD_CLASSES as KNOWN_CLASSES
from planner.planning.capacity_plan import CapacityPlan
from planner.planning.explain import why
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
        ((*NUMBERS, "--price", "ml.m5.large=cheap"), "is not TYPE=NUMBER"),
        ((*NUMBERS, "--quota", "ml.m5.large=-1"), "is not TYPE=NUMBER"),
        ((*NUMBERS, "--total-quota", "5"), "goes with --jobs"),
        ((*NUMBERS, "--trials", "5"), "--trials goes with --strategy optuna"),
        ((*NUMBERS, "--seed", "5", "--strategy", "exact"), "--seed goes with --strategy optuna"),
        ((*NUMBERS, "--strategy", "optuna", "--trials", "0"), "x>=1"),
    ],
)
def test_wrong_usage_is_named(profile: Path, arguments: tuple[str, ...], said: str) -> None:
    shown = run(profile, *arguments)
    assert shown.exit_code == 2
    assert said in shown.output


def test_prices_quotas_and_runs_are_those_that_were_given(profile: Path) -> None:
    given = ("--price", "m5.large=0.001", "--quota", "ml.m5.large=2", "--runs-per-month", "30", "--format", "json")
    plan = json.loads(run(profile, *NUMBERS, *given).stdout)
    assert plan["configuration"]["instance_type"] == "ml.m5.large"
    assert plan["configuration"]["instance_count"] <= 2
    assert plan["estimate"]["price"]["basis"] == "given"
    assert plan["estimate"]["price"]["usd_per_hour"] == 0.001
    assert plan["monthly_cost_usd"]["mid"] == pytest.approx(30 * plan["estimate"]["cost_usd"]["mid"])
    assert "a month" in run(profile, *NUMBERS, *given[:-2]).stdout


def test_a_savings_plan_lowers_every_price_of_the_catalogue_alike(profile: Path) -> None:
    full = json.loads(run(profile, *NUMBERS, "--format", "json").stdout)
    less = json.loads(run(profile, *NUMBERS, "--savings-plan", "20", "--format", "json").stdout)
    assert less["configuration"] == full["configuration"]
    assert less["estimate"]["cost_usd"]["mid"] == pytest.approx(0.8 * full["estimate"]["cost_usd"]["mid"])
    assert "savings plan" in less["estimate"]["price"]["source"]


def test_a_type_with_a_quota_of_zero_is_refused(profile: Path) -> None:
    shown = run(profile, *NUMBERS, "--quota", "ml.c7i.xlarge=0")
    assert "quota: ml.c7i.xlarge" in shown.stdout


def test_the_spreadsheet_has_a_row_for_all_that_the_plan_lists(profile: Path, tmp_path: Path) -> None:
    shown = run(profile, *NUMBERS, "--csv", str(tmp_path / "plan.csv"), "--format", "json")
    plan = json.loads(shown.stdout)
    table = pd.read_csv(tmp_path / "plan.csv")
    assert len(table) == 1 + len(plan["alternatives"]) + len(plan["pareto"]) + len(plan["types"])
    assert table.loc[0, "cost_usd_mid"] == pytest.approx(plan["estimate"]["cost_usd"]["mid"])
    assert set(table["kind"]) == {"choice", "alternative", "front", "best of type"}


def test_a_table_of_jobs_is_planned_under_its_quotas(profile: Path, tmp_path: Path) -> None:
    jobs = tmp_path / "jobs.csv"
    jobs.write_text(
        "name,profile,records,record_bytes,objects,deadline\n"
        f"a,{profile},20000000,100,50,2h\nb,{profile},20000000,100,50,2h\n"
    )
    arguments = ["--jobs", str(jobs), "--instance-type", "c7i.xlarge", "--quota", "c7i.xlarge=1"]
    shown = CliRunner().invoke(command, [*arguments, "-o", str(tmp_path / "capacity.json")])
    assert shown.exit_code == 0, shown.output
    assert re.search(r"ml\.c7i\.xlarge +1 +of 1", shown.stdout)
    plan = read_document(tmp_path / "capacity.json", CapacityPlan)
    assert [job.transform_job["TransformResources"]["InstanceCount"] for job in plan.jobs] == [1, 1]
    assert {job.start_s > 0 for job in plan.jobs} == {True, False}
    one = CliRunner().invoke(command, [*arguments, "--deadline", "1h"])
    assert (one.exit_code, "--deadline is for one job" in one.output) == (2, True)
    cut = CliRunner().invoke(command, [*arguments, "--reshard"])
    assert (cut.exit_code, "--reshard is for one job" in cut.output) == (2, True)


def test_a_better_layout_is_the_first_thing_said_with_its_command_and_gain(profile: Path, tmp_path: Path) -> None:
    few = ("--records", "50000000", "--record-bytes", "100", "--objects", "3", "--objective", "time")
    output = tmp_path / "plan.json"
    shown = run(profile, *few, "--reshard", "-o", str(output))
    plan = read_document(output, Plan)
    assert plan.layout is not None
    assert shown.stdout.startswith(f"First: planner reshard INPUT --objects {plan.layout.objects} --output DIR\n")
    assert "sooner than the best for the input as it is" in shown.stdout
    assert re.search(rf"of each of {len(plan.layouts)} layouts", shown.stdout)
    assert f"It needs the input in {plan.layout.objects} objects" in "\n".join(why(plan))
    assert "First:" not in run(profile, *few).stdout


def test_a_sampled_plan_says_so_and_is_the_same_for_the_same_seed(profile: Path, tmp_path: Path) -> None:
    sampled = (*NUMBERS, "--strategy", "optuna", "--trials", "40", "--seed", "3")
    first, again = tmp_path / "first.json", tmp_path / "again.json"
    shown = run(profile, *sampled, "-o", str(first))
    assert shown.exit_code == 0, shown.output
    assert "40 trials by Optuna in" in shown.stdout
    assert re.search(r"Search: the best of 40 trials .* \(seed 3, found at trial \d+\), not proved", shown.stdout)
    run(profile, *sampled, "-o", str(again))
    same = [replace(read_document(path, Plan), created_at="") for path in (first, again)]
    assert same[0] == same[1]


def test_optuna_is_only_loaded_where_it_is_asked_for(profile: Path) -> None:
    program = (
        "import sys; from planner.cli.recommend import command; "
        "command(sys.argv[1:], standalone_mode=False); print('optuna' in sys.modules, file=sys.stderr)"
    )
    for arguments, loaded in ((("--reshard",), "False"), (("--strategy", "optuna", "--trials", "2"), "True")):
        ended = subprocess.run(
            [sys.executable, "-c", program, "--profile", str(profile), *FEW, *NUMBERS, *arguments],
            capture_output=True,
            text=True,
            check=True,
        )
        assert ended.stderr.splitlines()[-1] == loaded


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
