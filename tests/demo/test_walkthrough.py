"""The main job, end to end: a real model, real HTTP, real files."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from planner.documents import read_document
from planner.jobs import check_request
from planner.jobs.planned import recommend
from planner.planning.plan import Plan
from planner.profiling.profile import Profile
from planner.records import describe
from tests.performance.synthetic import prefork, synthetic_profile


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("walk") / "left"
    options = ["--folder", str(folder), "--trees", "5", "--time-budget", "4s", "--repeat", "500"]
    ended = subprocess.run(
        [sys.executable, "-m", "planner", "demo", *options], capture_output=True, text=True, check=False, timeout=100
    )
    assert ended.returncode == 0, ended.stderr
    (folder / "shown.txt").write_text(ended.stdout)
    return folder


def _request(folder: Path) -> Any:
    return json.loads((folder / "request.json").read_text())


def test_the_walk_ends_in_a_request_that_passes_every_check(folder: Path) -> None:
    assert [f for f in check_request(_request(folder)) if f.severity == "error"] == []


def test_the_request_is_the_recommended_configuration(folder: Path) -> None:
    chosen, job = read_document(folder / "plan.json", Plan).configuration, _request(folder)
    assert job["TransformResources"] == {
        "InstanceType": chosen.instance_type,
        "InstanceCount": chosen.instance_count,
    }
    assert (job["MaxPayloadInMB"], job["MaxConcurrentTransforms"], job["BatchStrategy"]) == (
        chosen.max_payload_mb,
        chosen.max_concurrent_transforms,
        chosen.batch_strategy,
    )


def test_the_cost_can_be_checked_by_hand_from_the_printed_numbers(folder: Path) -> None:
    plan = read_document(folder / "plan.json", Plan)
    value, count = plan.estimate, plan.configuration.instance_count
    by_hand = count * value.price.usd_per_hour * value.billed_s.mid / 3600
    assert value.cost_usd.mid == pytest.approx(by_hand, rel=1e-6)
    assert "Check it by hand" in (folder / "shown.txt").read_text()


def test_the_profile_holds_real_measurements_of_the_packed_model(folder: Path) -> None:
    profile = read_document(folder / "profile.json", Profile)
    assert profile.complete
    assert profile.container.backend == "model-dir"
    for point in profile.measurements:
        assert point.requests == len(point.latency_s) > 0
        assert point.errors == 0


def test_the_walk_shows_a_prediction_beside_a_measurement_of_it(folder: Path) -> None:
    shown = (folder / "shown.txt").read_text()
    assert "which the profile does not hold" in " ".join(shown.split())
    assert "Measured now:" in shown


def test_a_slower_model_gets_another_plan() -> None:
    dataset = describe(records=50_000_000, record_bytes=160, objects=400)
    fast, slow = (
        recommend(synthetic_profile(prefork(record_s=record_s)), dataset, deadline_s=3600) for record_s in (2e-5, 2e-4)
    )
    assert fast.configuration != slow.configuration
    assert slow.estimate.cost_usd.mid > fast.estimate.cost_usd.mid
    assert slow.configuration.instance_count > fast.configuration.instance_count
    assert slow.transform_job != fast.transform_job
