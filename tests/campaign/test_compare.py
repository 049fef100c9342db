import math
from pathlib import Path

import numpy as np
import pytest

from planner.campaign.compare import compare, profile_again
from planner.campaign.points import Point
from planner.documents import replace
from planner.errors import ProfileError
from planner.profiling.one_speed import SENSITIVITY
from planner.profiling.profile import Profile
from planner.report.profile_comparison import verdict
from tests.campaign.surfaces import plateau, profile_of, row
from tests.profiling.servers import ServedHere, one_line_each

POINTS = [Point(records_per_request=b, concurrency=c) for b in (1, 16, 256) for c in (1, 2, 4)]


def measured(factor: float = 1.0, *, noise: float = 0.0, seed: int = 0, disturbed: float = 0.0) -> Profile:
    random = np.random.default_rng(seed)
    return profile_of(
        [row(p, plateau(p) * factor * math.exp(noise * random.standard_normal()), disturbed=disturbed) for p in POINTS]
    )


def test_repeated_profiles_are_rarely_called_changed() -> None:
    pairs = [(measured(noise=0.015, seed=2 * i), measured(noise=0.015, seed=2 * i + 1)) for i in range(40)]
    false_alarms = sum(any(change.changed for change in compare(*pair).changes) for pair in pairs)
    assert false_alarms <= 6


def test_what_became_slower_everywhere_is_found_and_sized() -> None:
    found = compare(measured(noise=0.015), measured(0.8, noise=0.015, seed=1))
    assert all(change.changed for change in found.changes)
    assert found.throughput_ratio.low < 0.8 < found.throughput_ratio.high
    assert found.throughput_ratio.high < 0.9
    assert verdict(found).startswith("9 of 9 points changed beyond noise")


def test_one_point_that_changed_is_found_among_the_others() -> None:
    new = measured()
    rows = [row(POINTS[4], 0.7 * plateau(POINTS[4])) if m == new.measurements[4] else m for m in new.measurements]
    found = compare(measured(), replace(new, measurements=tuple(rows)))
    assert [(c.records_per_request, c.concurrency) for c in found.changes if c.changed] == [(16, 2)]
    assert 0.95 < found.throughput_ratio.mid < 1.05


def test_disturbed_measurements_prove_nothing() -> None:
    found = compare(measured(), measured(0.8, disturbed=0.5))
    assert not any(change.changed for change in found.changes)
    assert "9 of 9 points were disturbed" in found.warnings[0]
    assert verdict(found).startswith("No single point changed beyond noise")


def test_a_machine_that_was_slower_itself_is_told() -> None:
    def beside(reference_s: float, profile: Profile) -> Profile:
        rows = tuple(replace(row, reference_s=reference_s) for row in profile.measurements)
        return replace(profile, measurements=rows)

    found = compare(beside(0.010, measured()), beside(0.012, measured(0.8)))
    assert any("the machine itself was slower" in warning and "1.20 times" in warning for warning in found.warnings)
    assert not compare(beside(0.010, measured()), beside(0.0102, measured(0.8))).warnings


def test_what_an_unsteady_machine_does_by_itself_is_no_change() -> None:
    def unsteady(profile: Profile) -> Profile:
        rows = tuple(replace(row, unsteadiness=0.15, cpu_s=None) for row in profile.measurements)
        return replace(profile, measurements=rows)

    found = compare(unsteady(measured()), unsteady(measured(0.8)))
    assert not any(change.changed for change in found.changes)
    assert found.throughput_ratio.high > 0.9
    assert all(change.changed for change in compare(measured(), measured(0.8)).changes)


def beside_neighbours(profile: Profile, speed: float, seed: int) -> Profile:
    """The profile as a machine of that speed on average would have given it, its neighbours coming and going."""
    rows = []
    for one, log in zip(
        profile.measurements, np.random.default_rng(seed).normal(0, 0.15, len(profile.measurements)), strict=True
    ):
        then = speed * math.exp(log)
        rate = one.throughput_records_per_s * then**SENSITIVITY
        at = Point(records_per_request=one.records_per_request, concurrency=one.concurrency)
        rows.append(replace(row(at, rate), core_speed=2e7 * then, unsteadiness=0.12, cpu_s=None))
    return replace(profile, measurements=tuple(rows))


def test_where_the_cpus_speed_was_sampled_a_slower_machine_is_no_change_and_a_slower_container_is() -> None:
    old = beside_neighbours(measured(), 1.0, 0)
    same = compare(old, beside_neighbours(measured(), 0.75, 1))
    assert not any(change.changed for change in same.changes)
    assert same.throughput_ratio.mid == pytest.approx(1, abs=0.07)
    assert any("it was 0.7" in warning and "brought to one speed" in warning for warning in same.warnings)
    other = compare(old, beside_neighbours(measured(0.6), 0.75, 1))
    assert other.throughput_ratio.mid == pytest.approx(0.6, abs=0.06)
    assert all(change.changed for change in other.changes)
    short = replace(old, measurements=(replace(old.measurements[0], core_speed=None), *old.measurements[1:]))
    assert compare(short, beside_neighbours(measured(), 0.75, 1)).throughput_ratio.mid == pytest.approx(1, abs=0.07)
    blind = replace(old, measurements=tuple(replace(one, core_speed=None) for one in old.measurements))
    assert compare(blind, beside_neighbours(measured(), 0.75, 1)).throughput_ratio.mid < 0.85


def test_settings_may_differ_and_are_told() -> None:
    new = replace(profile_of(environment={"OMP_NUM_THREADS": "2"}), measurements=measured().measurements)
    assert compare(measured(), new).settings == ("OMP_NUM_THREADS was not set, is 2",)


def test_a_rebuilt_container_is_compared_when_asked_and_its_contents_are_told() -> None:
    def built(digest: str, profile: Profile) -> Profile:
        return replace(profile, container=replace(profile.container, digest=f"sha256:{digest * 64}"))

    old, new = built("a", measured()), built("b", measured(0.8))
    with pytest.raises(ProfileError, match=r"aaaaaaaaaaaa.*bbbbbbbbbbbb.*--rebuilt"):
        compare(old, new)
    found = compare(old, new, rebuilt=True)
    assert found.settings == ("content was aaaaaaaaaaaa, is bbbbbbbbbbbb: rebuilt under the same name",)
    assert found.throughput_ratio.high < 1
    other = replace(new, container=replace(new.container, target="another"))
    with pytest.raises(ProfileError, match="is process another"):
        compare(old, other, rebuilt=True)


@pytest.mark.parametrize(
    ("other", "told"),
    [
        (profile_of(target="another"), "container was process made up, is process another"),
        (
            replace(profile_of(), payload=replace(profile_of().payload, digest="1" * 64)),
            "sample was 000000000000, is 1111",
        ),
        (replace(profile_of(), host=replace(profile_of().host, cpu_model="faster")), "CPU was made up .*, is faster"),
        (replace(profile_of(), host=replace(profile_of().host, logical_cpus=4)), "CPUs of the host was 2, is 4"),
    ],
)
def test_another_container_sample_or_host_is_refused(other: Profile, told: str) -> None:
    with pytest.raises(ProfileError, match=told):
        compare(measured(), replace(other, measurements=measured().measurements))


def test_profiles_without_a_common_point_are_refused() -> None:
    with pytest.raises(ProfileError, match="no point in common"):
        compare(measured(), profile_of([row(Point(records_per_request=7, concurrency=3), 100)]))


def test_what_cannot_be_compared_is_refused_before_anything_is_started(tmp_path: Path) -> None:
    sample, container = tmp_path / "sample.csv", ServedHere(one_line_each)
    sample.write_bytes(b"1,2\n")
    with pytest.raises(ProfileError, match=r"old.json is of something else: container .* sample was"):
        profile_again(container, measured(), "old.json", payload=sample, content_type="text/csv")
    assert container.starts == 0
