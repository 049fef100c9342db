from collections.abc import Callable
from pathlib import Path

import pytest

from planner.campaign import Progress, profile
from planner.campaign.bench import STRONGLY_DISTURBED, point_of, with_row
from planner.documents import read_document, replace
from planner.errors import InvocationError, OutputError, ProfileError, ResponseMismatchError
from planner.planning.plan import Plan
from planner.planning.recommend import recommend
from planner.profiling.profile import Profile
from planner.records.layout import describe
from tests.profiling.servers import Reply, ServedHere, one_line_each


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    path = tmp_path / "sample.csv"
    path.write_bytes(b"".join(b"%d,%d\n" % (i, i) for i in range(100)))
    return path


def session(
    container: ServedHere,
    sample: Path,
    *,
    output: Path | None = None,
    resume: bool = False,
    sizes: tuple[int, ...] = (1, 16),
    seen: list[Progress] | None = None,
) -> Profile:
    return profile(
        container,
        payload=sample,
        content_type="text/csv",
        accept="text/csv",
        time_budget_s=0.65 * len(sizes),
        records_per_request=sizes,
        concurrency=(1, 2),
        output=output,
        resume=resume,
        progress=seen.append if seen is not None else lambda _: None,
    )


def points(result: Profile) -> list[tuple[int, int]]:
    return sorted((row.records_per_request, row.concurrency) for row in result.measurements)


ALL = [(b, c) for b in (1, 16) for c in (1, 2)]


def test_a_session_measures_every_point_and_leaves_a_complete_document(sample: Path, tmp_path: Path) -> None:
    container = ServedHere(one_line_each, workers=2)
    seen: list[Progress] = []
    result = session(container, sample, output=tmp_path / "profile.json", seen=seen)
    assert points(result) == ALL
    assert result.complete
    assert read_document(tmp_path / "profile.json", Profile) == result
    assert (container.starts, container.stops) == (1, 1)
    assert result.payload.records == 100
    assert result.first_invocation_s is not None
    assert result.first_invocation_s >= 0.002
    assert result.load_generator is not None
    assert result.usage_source == "process-tree"
    # Where the machine is busy, disturbed points come a second time.
    assert [step.measured for step in seen if step.measurement][:4] == [1, 2, 3, 4]


def test_points_are_chosen_on_the_way_and_the_best_measured_one_is_named(sample: Path, tmp_path: Path) -> None:
    output = tmp_path / "profile.json"
    container = ServedHere(one_line_each, workers=1)
    result = profile(container, payload=sample, content_type="text/csv", time_budget_s=2.0, output=output)
    assert (1, 1) in points(result)
    assert len(set(points(result))) == len(result.measurements) >= 4
    assert result.best is not None
    assert (result.best.records_per_request, result.best.concurrency) in points(result)
    assert result.best.objective == "throughput"
    assert result.largest_body_bytes is not None
    assert all(row.disturbed_share is not None for row in result.measurements)
    again = ServedHere(one_line_each, workers=1)
    assert profile(again, payload=sample, content_type="text/csv", output=output, resume=True) == result
    assert again.starts == 0


def test_a_killed_adaptive_session_measures_none_of_its_points_again(sample: Path, tmp_path: Path) -> None:
    output = tmp_path / "profile.json"

    def interrupt(step: Progress) -> None:
        if step.measured == 3:
            raise KeyboardInterrupt

    def run(container: ServedHere, resume: bool, progress: Callable[[Progress], None]) -> Profile:
        return profile(
            container,
            payload=sample,
            content_type="text/csv",
            time_budget_s=1.2,
            output=output,
            resume=resume,
            progress=progress,
        )

    with pytest.raises(KeyboardInterrupt):
        run(ServedHere(one_line_each, workers=1), False, interrupt)
    before = read_document(output, Profile).measurements
    assert len(before) == 3
    after = run(ServedHere(one_line_each, workers=1), True, lambda _: None)
    undisturbed = [row for row in before if (row.disturbed_share or 0) <= STRONGLY_DISTURBED]
    assert {row.latency_s for row in undisturbed} <= {row.latency_s for row in after.measurements}
    assert after.complete
    assert len(set(points(after))) == len(after.measurements)


def test_points_are_chosen_for_the_plan_that_is_asked_for(sample: Path) -> None:
    dataset = describe(10_000_000, 6, 100)
    asked: list[Profile] = []

    def question(profile_: Profile) -> Plan:
        asked.append(profile_)
        return recommend(profile_, dataset, instance_types=("ml.c5.xlarge", "ml.m5.xlarge"))

    container = ServedHere(one_line_each, workers=1)
    result = profile(container, payload=sample, content_type="text/csv", time_budget_s=2.0, question=question)
    assert len(asked) >= 2
    assert all(len(profile_.measurements) >= 4 for profile_ in asked)
    assert result.best is not None
    assert (result.best.records_per_request, result.best.concurrency) in points(result)


def test_a_sample_that_has_to_be_repeated_is_told(sample: Path) -> None:
    assert any("repeat the sample" in w for w in session(ServedHere(one_line_each), sample, sizes=(300,)).warnings)
    assert not any("repeat the sample" in w for w in session(ServedHere(one_line_each), sample, sizes=(4,)).warnings)


def test_an_interrupted_session_keeps_its_points_and_measures_only_what_is_missing(
    sample: Path, tmp_path: Path
) -> None:
    output = tmp_path / "profile.json"

    def failing(body: bytes) -> Reply:
        return (
            Reply(status=500, body=b"boom")
            if body.count(b"\n") == 16 and container.starts_load
            else one_line_each(body)
        )

    container = _FailsUnderLoad(failing)
    with pytest.raises(InvocationError, match=r"(?s)boom.*2 points measured before are kept in .*--resume"):
        session(container, sample, output=output)
    assert container.stops == 1
    partial = read_document(output, Profile)
    assert not partial.complete
    assert points(partial) == ALL[:2]

    healthy = ServedHere(one_line_each)
    result = session(healthy, sample, output=output, resume=True)
    assert points(result) == ALL
    assert result.complete
    assert [row.latency_s for row in result.measurements[:2]] == [row.latency_s for row in partial.measurements]
    # Beyond the contract check (1 and 2 records) only the missing size was sent.
    assert {body.count(b"\n") for body in healthy.server.bodies} == {1, 2, 16}
    assert sum(body.count(b"\n") == 1 for body in healthy.server.bodies) == 1


class _FailsUnderLoad(ServedHere):
    """Lets the two probes of 16 records pass, to fail under load."""

    @property
    def starts_load(self) -> bool:
        return sum(body.count(b"\n") == 16 for body in self.server.bodies) > 2


def test_a_finished_session_has_nothing_to_resume(sample: Path, tmp_path: Path) -> None:
    output = tmp_path / "profile.json"
    first = session(ServedHere(one_line_each), sample, output=output, sizes=(1,))
    again = ServedHere(one_line_each)
    assert session(again, sample, output=output, resume=True, sizes=(1,)) == first
    assert again.starts == 0


def test_a_profile_of_something_else_is_not_gone_on_from(sample: Path, tmp_path: Path) -> None:
    output = tmp_path / "profile.json"
    session(ServedHere(one_line_each, digest="sha256:a"), sample, output=output, sizes=(1,))
    sample.write_bytes(b"1,2\n" * 10)
    other = ServedHere(one_line_each, digest="sha256:b")
    with pytest.raises(ProfileError, match=r"(?s)container was its own, is .*sample was"):
        session(other, sample, output=output, resume=True)
    assert other.starts == 0


def test_fewer_lines_than_records_are_found_before_any_load(sample: Path, tmp_path: Path) -> None:
    container = ServedHere(lambda _: Reply(body=b"1\n", content_type="text/csv"))
    with pytest.raises(ResponseMismatchError, match="2 records was answered with 1 lines"):
        session(container, sample, output=tmp_path / "profile.json")
    assert container.stops == 1
    assert len(container.server.bodies) == 2
    assert not (tmp_path / "profile.json").exists()


def test_a_server_that_loses_records_of_large_requests_is_found(sample: Path) -> None:
    container = ServedHere(lambda body: Reply(body=b"1\n" * min(10, body.count(b"\n")), content_type="text/csv"))
    with pytest.raises(ResponseMismatchError, match="16 records was answered with 10 lines"):
        session(container, sample)


def test_answers_that_cannot_be_counted_are_told(sample: Path) -> None:
    container = ServedHere(lambda _: Reply(body=b"[1]", content_type="application/json", delay_s=0.002))
    assert any("application/json" in warning for warning in session(container, sample, sizes=(1,)).warnings)


def test_a_size_that_is_refused_is_left_out_and_told(sample: Path) -> None:
    container = ServedHere(lambda body: Reply(status=413) if body.count(b"\n") > 8 else one_line_each(body))
    result = session(container, sample)
    assert points(result) == ALL[:2]
    assert any("16 records per request with 1, 2 in flight" in w and "413" in w for w in result.warnings)


def test_what_the_newest_point_knows_of_the_machine_goes_for_those_before_it(sample: Path) -> None:
    first, second = session(ServedHere(one_line_each), sample, sizes=(4,)).measurements[:2]
    rows = with_row([replace(first, unsteadiness=0.05)], replace(second, unsteadiness=0.12))
    assert [row.unsteadiness for row in rows] == [0.12, 0.12]
    again = with_row(rows, replace(first, unsteadiness=0.1))
    assert [(point_of(row), row.unsteadiness) for row in again] == [(point_of(first), 0.1), (point_of(second), 0.1)]


def test_a_point_that_could_not_be_written_is_not_said_to_be_kept(sample: Path, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()

    def lose_the_folder(step: Progress) -> None:
        if step.measured == 1:
            folder.rename(tmp_path / "elsewhere")
            folder.write_text("no folder any more")

    with pytest.raises(OutputError, match="The point measured before is kept in"):
        profile(
            ServedHere(one_line_each),
            payload=sample,
            content_type="text/csv",
            time_budget_s=0.8,
            records_per_request=(1, 4),
            concurrency=(1, 2),
            output=folder / "profile.json",
            progress=lose_the_folder,
        )


def test_ctrl_c_stops_the_container_and_says_where_the_points_are(sample: Path, tmp_path: Path) -> None:
    container = ServedHere(one_line_each)

    def interrupt(step: Progress) -> None:
        if step.measured == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as raised:
        profile(
            container,
            payload=sample,
            content_type="text/csv",
            time_budget_s=0.8,
            records_per_request=(1, 4),
            concurrency=(1, 2),
            output=tmp_path / "profile.json",
            progress=interrupt,
        )
    assert "The 2 points measured before are kept in" in raised.value.__notes__[0]
    assert container.stops == 1
    assert len(read_document(tmp_path / "profile.json", Profile).measurements) == 2
    assert [path.name for path in tmp_path.iterdir() if path.name.endswith(".part")] == []
