"""The speed that a container's CPUs usually have, over sessions alike."""

import math
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from planner.campaign.usual_speed import REMEMBERED, with_usual_speed
from planner.documents import replace
from planner.profiling.profile import Profile
from tests.campaign.surfaces import profile_of
from tests.profiling.test_one_speed import SPEED, windows

START = datetime.now(UTC)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "state" / "core-speeds.jsonl"


def session(faster: float, *, minutes: float = 0.0, environment: dict[str, str] | None = None) -> Profile:
    """A session in which the CPUs were exp(faster) times as fast as SPEED, so many minutes after the start."""
    rows = [replace(row, core_speed=SPEED * math.exp(faster)) for row in windows(sd=0)]
    created_at = (START + timedelta(minutes=minutes)).isoformat()
    return replace(profile_of(rows, environment=environment), created_at=created_at)


def remembered(file: Path, *sessions: Profile) -> list[Profile]:
    return [with_usual_speed(one, file) for one in sessions]


def known(profile: Profile) -> tuple[int, float]:
    """Sessions that the usual speed is of, and by how much ln of this one's exceeds it."""
    assert profile.usual_speed is not None
    return profile.usual_speed.sessions, profile.usual_speed.faster


def test_the_first_session_is_the_usual_one_and_each_later_one_counts_as_much(file: Path) -> None:
    found = remembered(file, session(0.03), session(-0.03, minutes=1), session(0.03, minutes=2))
    assert [known(profile)[0] for profile in found] == [1, 2, 3]
    assert [known(profile)[1] for profile in found] == pytest.approx([0, -0.03, 0.02])


def test_other_settings_and_other_machines_are_other_sessions(file: Path) -> None:
    first, other, moved = session(0), session(0, environment={"A": "1"}, minutes=1), session(0.4, minutes=2)
    other_host = session(0, minutes=3)
    other_host = replace(other_host, host=replace(other_host.host, logical_cpus=64))
    other_sample = session(0, minutes=4)
    other_sample = replace(other_sample, payload=replace(other_sample.payload, digest="f" * 64))
    for profile in remembered(file, first, other, moved, other_host, other_sample):
        assert known(profile) == pytest.approx((1, 0))


def test_the_same_model_under_another_path_is_the_same(file: Path) -> None:
    pair = [
        replace(one, container=replace(one.container, target=path, digest="sha256:1"))
        for one, path in ((session(0), "a/model"), (session(0.02, minutes=1), "b/model"))
    ]
    assert known(remembered(file, *pair)[1])[0] == 2


def test_old_sessions_are_forgotten(file: Path) -> None:
    minutes = -REMEMBERED.total_seconds() / 60
    old, recent = session(0.04, minutes=minutes - 1), session(0.02, minutes=minutes + 60)
    assert known(remembered(file, old, recent, session(0))[2]) == pytest.approx((2, -0.01))


def test_what_knows_it_already_is_incomplete_or_has_no_speeds_is_left_alone(file: Path) -> None:
    (once,) = remembered(file, session(0.02))
    held = file.read_bytes()
    partial = replace(session(0), complete=False)
    blind = profile_of([replace(row, core_speed=None) for row in windows()])
    assert remembered(file, once, partial, blind) == [once, partial, blind]
    assert file.read_bytes() == held


def test_a_damaged_file_costs_the_lines_that_are_damaged(file: Path) -> None:
    remembered(file, session(0), session(0, minutes=1))
    first, second = file.read_bytes().splitlines(keepends=True)
    wrong = first.replace(str(SPEED).encode(), b"0.0").replace(START.isoformat().encode(), b"1")
    file.write_bytes(first + b'{"half\n' + b"\xff\xfe\n" + wrong + second)
    assert known(remembered(file, session(0, minutes=2))[0])[0] == 3


def test_a_file_that_cannot_be_written_costs_the_memory_only(file: Path) -> None:
    file.parent.parent.mkdir(exist_ok=True)
    file.parent.write_text("not a folder")
    assert known(remembered(file, session(0.02))[0]) == pytest.approx((1, 0))


def test_nothing_in_the_file_tells_what_was_profiled(file: Path) -> None:
    remembered(file, session(0, environment={"TOKEN": "secret-value"}))
    assert b"secret" not in file.read_bytes()
    assert b"made up" not in file.read_bytes()
