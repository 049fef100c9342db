"""The reference profiles that the project carries: each loads, is whole, and can be planned with."""

from pathlib import Path

import pytest

from planner.documents import read_document
from planner.jobs.planned import recommend
from planner.profiling.profile import Profile
from planner.records import describe

PROFILES = sorted((Path(__file__).parent.parent / "profiles").glob("*.json"))


def test_there_are_profiles_of_three_models() -> None:
    assert [path.stem for path in PROFILES] == ["cancer-boosting", "digits-forest", "magika-onnx"]


@pytest.mark.parametrize("path", PROFILES, ids=lambda path: path.stem)
def test_a_reference_profile_is_whole_named_in_the_readme_and_of_a_quiet_machine(path: Path) -> None:
    profile = read_document(path, Profile)
    assert profile.complete
    assert path.name in (path.parent / "README.md").read_text()
    assert len(profile.measurements) >= 8
    assert all((row.disturbed_share or 0) < 0.25 for row in profile.measurements)


@pytest.mark.parametrize("path", PROFILES, ids=lambda path: path.stem)
def test_a_reference_profile_can_be_planned_with(path: Path) -> None:
    profile = read_document(path, Profile)
    dataset = describe(records=1_000_000, record_bytes=round(profile.payload.mean_record_bytes) + 1, objects=100)
    plan = recommend(profile, dataset, deadline_s=4 * 3600)
    assert plan.estimate.finish_s.high >= plan.estimate.finish_s.mid > 0
    assert plan.transform_job["TransformResources"]["InstanceType"] == plan.configuration.instance_type
