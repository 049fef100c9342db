import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from planner.cli.simulate import command
from planner.documents import read_document, replace, write_document
from planner.errors import DocumentError, InputMissingError, ProfileError
from planner.jobs.simulation.document import Simulation
from planner.planning.plan import Plan
from planner.planning.recommend import recommend
from planner.records.layout import describe, repeated
from tests.performance.synthetic import synthetic_profile

ONCE = describe(8_000_000, 1000, 30)


@pytest.fixture(name="folder")
def _folder(tmp_path: Path) -> Path:
    """A profile, a dataset, and the plan for it twice over."""
    profile = synthetic_profile()
    plan = recommend(
        profile, repeated(ONCE, 2), repeat=2, deadline_s=1200.0, instance_types=("ml.c5.xlarge",), max_instance_count=4
    )
    write_document(tmp_path / "profile.json", profile)
    write_document(tmp_path / "dataset.json", ONCE)
    write_document(tmp_path / "plan.json", plan)
    return tmp_path


def invoked(folder: Path, *options: str) -> Result:
    asked = [str(folder / "plan.json"), "--worlds", "50", *options]
    return CliRunner().invoke(command, asked, catch_exceptions=False)


def files(folder: Path) -> tuple[str, ...]:
    return "--profile", str(folder / "profile.json"), "--dataset", str(folder / "dataset.json")


def test_the_text_shows_quantiles_beside_the_plan_chances_and_instances(folder: Path) -> None:
    shown = invoked(folder, *files(folder), "--record-failure-rate", "1e-7", "--budget", "2")
    assert shown.exit_code == 0
    for words in ("95% below", "the plan's mid", "Ends within 20 m 00 s:", "Costs at most $2.00:", "instance", "bad"):
        assert words in shown.stdout
    assert "50 worlds" in shown.stderr
    assert "playing 50 worlds, seed 1" in shown.stderr


def test_json_is_the_document_that_is_written(folder: Path) -> None:
    shown = invoked(folder, *files(folder), "--format", "json", "-o", str(folder / "simulation.json"))
    document = json.loads(shown.stdout)
    assert document["kind"] == "simulation"
    found = read_document(folder / "simulation.json", Simulation)
    assert found.finish_s.mean == document["finish_s"]["mean"]
    assert found.objects == 60


def test_options_change_what_they_say(folder: Path) -> None:
    def document(*options: str) -> Simulation:
        invoked(folder, "-o", str(folder / "s.json"), *options)
        return replace(read_document(folder / "s.json", Simulation), created_at="")

    plain = document()
    assert document() == plain
    assert document("--seed", "2").makespan_s != plain.makespan_s
    hours = document("--deadline", "10h").deadline
    assert hours is not None
    assert (hours.limit, hours.probability) == (36000.0, 1.0)
    assert document("--random-assignment", "1").random_assignment == 1.0
    assert document(*files(folder)).assumptions != plain.assumptions


def test_here_plays_the_profiled_host(folder: Path) -> None:
    shown = invoked(
        folder, *files(folder), "--here", "--instance-count", "2", "--cpus", "1", "--record-failure-rate", "1e-7"
    )
    assert "With 1 bad record in 10,000,000" in shown.stdout
    assert "2 x here" in shown.stdout
    assert "1 CPU of its host" in shown.stdout
    assert "times what it took in the profile" in " ".join(shown.stdout.split())
    assert "start-up" not in shown.stdout.split("What this rests on")[0]


def test_here_tries_the_container_that_is_named(folder: Path) -> None:
    (folder / "rows.txt").write_bytes((b"x" * 999 + b"\n") * 3000)
    server = Path(__file__).parent.parent / "jobs" / "local_server.py"
    command_line = f"{sys.executable} {server}"
    shown = invoked(
        folder, *files(folder), "--here", "--instance-count", "1", "--cpus", "1", "--command", command_line,
        "--payload", str(folder / "rows.txt"),
    )  # fmt: skip
    assert "trying the container here" in shown.stderr
    assert "to the containers themselves" in " ".join(shown.stdout.split())


@pytest.mark.parametrize(
    "options",
    [
        ("--here",),
        ("--instance-count", "2"),
        ("--cpus", "1"),
        ("--closes-connections",),
        ("--command", "serve"),
        ("some-image",),
        ("--here", "--budget", "2"),
        ("--here", "--random-assignment", "0"),
    ],
)
def test_half_a_question_is_a_usage_error(folder: Path, options: tuple[str, ...]) -> None:
    shown = invoked(folder, *options)
    assert shown.exit_code == 2
    assert "--here" in shown.stderr


def test_a_container_to_try_needs_records_and_records_a_container(folder: Path) -> None:
    assert "--payload" in invoked(folder, *files(folder), "--here", "--command", "serve").stderr
    shown = invoked(folder, *files(folder), "--here", "--payload", str(folder / "plan.json"))
    assert shown.exit_code == 2
    assert "Say which container" in shown.stderr


def test_what_does_not_belong_to_the_plan_is_refused(folder: Path) -> None:
    write_document(folder / "profile.json", synthetic_profile(seed=1))
    with pytest.raises(ProfileError, match="digest"):
        invoked(folder, "--profile", str(folder / "profile.json"))
    with pytest.raises(DocumentError, match="taken 2 times over"):
        invoked(folder, "--dataset", str(folder / "dataset.json"), "--repeat", "3")
    plan = read_document(folder / "plan.json", Plan)
    write_document(folder / "plan.json", replace(plan, workload=replace(plan.workload, input="input/")))
    with pytest.raises(InputMissingError, match="--dataset"):
        invoked(folder)
