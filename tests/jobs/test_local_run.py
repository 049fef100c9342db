import gzip
from itertools import pairwise
from pathlib import Path

import pytest

from planner.documents import replace, to_json
from planner.errors import (
    ContainerDiedError,
    InputMissingError,
    JobFailedError,
    OutputError,
    RequestRejectedError,
)
from planner.jobs.local import RunDocument, raise_if_failed
from planner.jobs.local.assignment import deal
from planner.planning.makespan import layout
from planner.records import describe
from tests.jobs.local_jobs import LINES, asked, outputs, plain_output, plain_payloads, run_here, unfinished, write_lines


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Five objects of very different sizes below in/."""
    for number, count in enumerate((1900, 10, 800, 1, 500)):
        write_lines(tmp_path / "in" / ("deep/er" if number % 2 else "") / f"part-{number}", count, seed=number)
    return tmp_path


def _inputs(folder: Path) -> dict[str, bytes]:
    files = [path for path in (folder / "in").rglob("*") if path.is_file()]
    return {path.relative_to(folder / "in").as_posix(): path.read_bytes() for path in files}


def test_outputs_are_those_of_a_plain_sequential_pass_whatever_the_order_of_answers(folder: Path) -> None:
    settings = replace(LINES, max_concurrent_transforms=5, instance_count=2)
    run = run_here(folder, settings, DELAY_MS="60")
    expected = {key: plain_output(content) for key, content in _inputs(folder).items()}
    assert outputs(folder) == expected
    assert run.state == "Completed"
    assert (run.records, run.failed_requests) == (3211, 0)
    assert run.output_bytes == sum(len(content) for content in expected.values())
    assert run.requests == sum(len(plain_payloads(content, 2**20)) for content in _inputs(folder).values())
    assert not unfinished(folder)


def test_assembling_without_line_breaks_is_concatenation(folder: Path) -> None:
    run_here(folder, replace(LINES, assemble_with="None", accept=None, content_type="text/plain"))
    assert outputs(folder) == {k: plain_output(v, assemble_with="None") for k, v in _inputs(folder).items()}


def test_answers_that_end_with_a_line_break_get_another_and_a_warning(tmp_path: Path) -> None:
    write_lines(tmp_path / "in" / "a", 2, seed=1)
    run = run_here(tmp_path, LINES, MODE="label")
    assert outputs(tmp_path)["a"].endswith(b"}\n\n")
    assert any("have blank lines" in warning for warning in run.warnings)


def test_requests_in_flight_reach_the_limit_and_never_exceed_it(tmp_path: Path) -> None:
    write_lines(tmp_path / "in" / "a", 300, seed=1)
    write_lines(tmp_path / "in" / "b", 3, seed=2)
    settings = replace(LINES, batch_strategy="SingleRecord", max_concurrent_transforms=3)
    run = run_here(tmp_path, settings, DELAY_MS="4")
    seen = [row["in_flight"] for row in asked(tmp_path)]
    assert max(seen) == 3
    assert run.requests == len(seen) == run.records == 303
    assert outputs(tmp_path)["a"] == (tmp_path / "in" / "a").read_bytes().upper()
    assert 1 < run.instances[0].mean_in_flight <= 3


def test_objects_are_dealt_round_robin_in_key_order_and_each_stays_on_its_instance(folder: Path) -> None:
    run = run_here(folder, replace(LINES, instance_count=2))
    assert [row.key for row in run.objects] == ["deep/er/part-1", "deep/er/part-3", "part-0", "part-2", "part-4"]
    assert [row.instance for row in run.objects] == [0, 1, 0, 1, 0]
    served = {row["first"].split(":")[0]: row["server"] for row in asked(folder)}
    assert served["part-1"] == served["part-0"] == served["part-4"] != served["part-3"] == served["part-2"]
    assert len({row["server"] for row in asked(folder)}) == 2


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_dealing_gives_the_busiest_instance_the_share_that_plans_take_as_their_middle(count: int) -> None:
    dataset = describe(records=47, record_bytes=10, objects=11)
    weights = [row.records for row in dataset.objects for _ in range(row.copies)]
    busiest = max(sum(hand) for hand in deal(weights, count))
    assert busiest / 47 == pytest.approx(layout(dataset.objects, count).share.mid[count - 1])


def test_the_jobs_own_golden_ratio_of_rows_to_requests(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "rows.csv").write_bytes((b"1," * 5000 + b"\n") * (4 * 104 + 77))
    run = run_here(tmp_path, replace(LINES, content_type="text/csv", accept="text/csv"), MODE="number")
    assert run.requests == 5
    assert [row["records"] for row in asked(tmp_path)] == [104, 104, 104, 104, 77]


def test_gzip_is_undone_before_records_are_cut(folder: Path) -> None:
    expected = {key + ".gz": plain_output(content) for key, content in _inputs(folder).items()}
    for path in [path for path in (folder / "in").rglob("*") if path.is_file()]:
        path.with_name(path.name + ".gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    run_here(folder, replace(LINES, compression_type="Gzip", max_concurrent_transforms=3))
    assert outputs(folder) == expected


def test_without_a_split_type_each_object_is_one_request(folder: Path) -> None:
    settings = replace(
        LINES, split_type="None", assemble_with="None", batch_strategy=None, content_type="text/plain", max_payload_mb=8
    )
    run = run_here(folder, settings)
    assert run.requests == run.records == 5
    assert outputs(folder) == {key: plain_output(v, 2**23, "None") for key, v in _inputs(folder).items()}


# --- failures ----------------------------------------------------------------------------------------
def test_a_failing_object_leaves_no_output_and_the_others_are_kept(folder: Path) -> None:
    write_lines(folder / "in" / "bad", 1500, seed=9, extra={1200: "POISON"})
    run = run_here(folder, replace(LINES, max_concurrent_transforms=4, invocations_max_retries=1))
    kept = {key: plain_output(content) for key, content in _inputs(folder).items() if key != "bad"}
    assert outputs(folder) == kept
    assert not unfinished(folder)
    assert run.state == "Failed"
    (row,) = [row for row in run.objects if row.state == "failed"]
    assert row.failure is not None
    assert "Bad HTTP status received from algorithm: 500" in row.failure
    payloads = plain_payloads(_inputs(folder)["bad"], 2**20)
    index = next(i for i, payload in enumerate(payloads) if b"POISON" in payload)
    before = b"".join(payloads[:index])
    first, last = before.count(b"\n") + 1, before.count(b"\n") + payloads[index].count(b"\n")
    assert f"bad: records {first:,} to {last:,} at byte {len(before):,}" in row.failure
    with pytest.raises(JobFailedError, match=r"1 of 6 objects have no output"):
        raise_if_failed(run)


def test_a_5xx_is_sent_again_and_then_counts_once(folder: Path) -> None:
    write_lines(folder / "in" / "flaky", 3, seed=9, extra={1: "FLAKY"})
    run = run_here(folder, replace(LINES, invocations_max_retries=1))
    assert (run.state, run.retried_requests, run.failed_requests) == ("Completed", 1, 0)
    assert run.requests_sent == run.requests + 1 == len(asked(folder))
    assert outputs(folder)["flaky"] == plain_output(_inputs(folder)["flaky"])
    assert any("sent again" in warning for warning in run.warnings)


@pytest.mark.parametrize(("retries", "sent"), [(0, 1), (3, 4)])
def test_a_5xx_that_stays_is_given_up_after_so_many_retries(tmp_path: Path, retries: int, sent: int) -> None:
    write_lines(tmp_path / "in" / "bad", 1, seed=1, extra={0: "POISON"})
    run = run_here(tmp_path, replace(LINES, invocations_max_retries=retries))
    assert (len(asked(tmp_path)), run.failed_requests, run.requests) == (sent, 1, 0)


def test_a_4xx_is_not_sent_again_and_is_named_as_the_service_names_it(tmp_path: Path) -> None:
    write_lines(tmp_path / "in" / "bad", 1, seed=1, extra={0: "REFUSED"})
    run = run_here(tmp_path, replace(LINES, invocations_max_retries=3))
    assert len(asked(tmp_path)) == 1
    assert "bad: record 1 at byte 0: ClientError: 413" in str(run.objects[0].failure)


def test_a_request_without_answer_in_time_fails_its_object(tmp_path: Path) -> None:
    write_lines(tmp_path / "in" / "slow", 1, seed=1, extra={0: "SLOW"})
    run = run_here(tmp_path, replace(LINES, invocations_timeout_s=1, invocations_max_retries=0))
    assert "Unable to get response from algorithm (timeout" in str(run.objects[0].failure)


def test_a_record_above_the_limit_fails_its_object_alone(folder: Path) -> None:
    write_lines(folder / "in" / "wide", 5, seed=1, extra={3: "x" * 2**20})
    run = run_here(folder, LINES)
    (row,) = [row for row in run.objects if row.state == "failed"]
    offset = len(b"".join(_inputs(folder)["wide"].splitlines(keepends=True)[:3]))
    assert f"wide: record 4 at byte {offset:,} has 1,048,577 bytes" in str(row.failure)
    assert set(outputs(folder)) == set(_inputs(folder)) - {"wide"}


def test_a_container_that_dies_ends_the_run_and_what_was_finished_is_kept(folder: Path) -> None:
    write_lines(folder / "in" / "part-3", 3, seed=1, extra={1: "DIE"})
    told: list[RunDocument] = []
    with pytest.raises(ContainerDiedError, match="exit code 3"):
        run_here(folder, replace(LINES, invocations_max_retries=0), broken_off=told.append)
    (run,) = told
    assert run.state == "Failed"
    assert run.failure is not None
    assert "exit code 3" in run.failure
    states = {row.key: row.state for row in run.objects}
    assert {key for key, state in states.items() if state == "finished"} == set(outputs(folder))
    assert (states["part-3"], states["part-4"]) == ("failed", "unfinished")
    assert run.output_bytes == sum(len(content) for content in outputs(folder).values())
    assert set(outputs(folder)) >= {"deep/er/part-1", "deep/er/part-3"}
    assert not {"part-3", "part-4"} & set(outputs(folder))
    assert not unfinished(folder)
    write_lines(folder / "in" / "part-3", 3, seed=1)
    before = len(asked(folder))
    run = run_here(folder, LINES, resume=True)
    assert outputs(folder) == {key: plain_output(content) for key, content in _inputs(folder).items()}
    assert len(asked(folder)) - before == sum(row.requests for row in run.objects if row.state == "finished")


# --- settings ----------------------------------------------------------------------------------------
def test_what_the_request_leaves_open_the_container_decides_and_then_the_default(tmp_path: Path) -> None:
    folder = tmp_path
    write_lines(folder / "in" / "a", 50, seed=1)
    open_settings = replace(LINES, max_payload_mb=None, batch_strategy=None)
    wishes = '{"MaxConcurrentTransforms": 3, "BatchStrategy": "SINGLE_RECORD"}'
    run = run_here(folder, open_settings, PARAMETERS=wishes)
    assert run.effective is not None
    assert (run.effective.max_concurrent_transforms, run.effective.max_concurrent_transforms_from) == (3, "container")
    assert (run.effective.batch_strategy, run.effective.batch_strategy_from) == ("SingleRecord", "container")
    assert (run.effective.max_payload_mb, run.effective.max_payload_mb_from) == (6, "default")
    assert run.requests == run.records


def test_containers_see_the_environment_that_the_service_sets_and_only_what_the_caller_set(folder: Path) -> None:
    settings = replace(LINES, max_concurrent_transforms=2, environment={"SAGEMAKER_MODEL_SERVER_WORKERS": "1"})
    run_here(folder, settings)
    first = asked(folder)[0]
    first["environment"].pop("SAGEMAKER_BIND_TO_PORT")
    assert first["environment"] == {
        "SAGEMAKER_BATCH": "true",
        "SAGEMAKER_MAX_PAYLOAD_IN_MB": "1",
        "SAGEMAKER_BATCH_STRATEGY": "MULTI_RECORD",
        "SAGEMAKER_MAX_CONCURRENT_TRANSFORMS": "2",
        "SAGEMAKER_MODEL_SERVER_WORKERS": "1",
    }
    assert (first["content_type"], first["accept"]) == ("application/jsonlines", "application/jsonlines")
    (folder / "log").unlink()
    run_here(folder, replace(LINES, max_payload_mb=None, batch_strategy=None, accept=None, content_type=None))
    second = asked(folder)[0]
    assert set(second["environment"]) == {"SAGEMAKER_BATCH", "SAGEMAKER_BIND_TO_PORT"}
    assert (second["content_type"], second["accept"]) == (None, None)


def test_settings_that_the_service_refuses_are_refused_before_anything_starts(folder: Path) -> None:
    with pytest.raises(RequestRejectedError, match="exceeds 100 MB"):
        run_here(folder, replace(LINES, max_payload_mb=50, max_concurrent_transforms=3))
    assert not (folder / "out").exists()


def test_idle_instances_are_named_and_not_started(tmp_path: Path) -> None:
    write_lines(tmp_path / "in" / "only", 3, seed=1)
    run = run_here(tmp_path, replace(LINES, instance_count=3))
    assert len(run.instances) == 1
    assert any("2 would idle and be billed" in warning for warning in run.warnings)


def test_outputs_of_others_are_never_overwritten(folder: Path) -> None:
    (folder / "out").mkdir()
    (folder / "out" / "part-0.out").write_text("somebody's")
    with pytest.raises(OutputError, match="no planner run made it"):
        run_here(folder, LINES)
    assert (folder / "out" / "part-0.out").read_text() == "somebody's"
    assert not asked(folder)


def test_an_output_folder_inside_the_input_is_refused(folder: Path) -> None:
    (folder / "in" / "x").mkdir()
    with pytest.raises(InputMissingError):
        run_here(folder / "in" / "x", LINES)
    (folder / "in" / "in").mkdir()
    (folder / "in" / "in" / "a").write_text("a\n")
    (folder / "in" / "out").symlink_to(folder / "in" / "in")
    with pytest.raises(OutputError, match="lies inside the input"):
        run_here(folder / "in", LINES)


def test_rows_of_objects_add_up_to_the_totals_and_times_lie_within_the_makespan(folder: Path) -> None:
    run = run_here(folder, replace(LINES, max_concurrent_transforms=2, instance_count=2), DELAY_MS="5")
    assert run.latency_s is not None
    assert run.latency_s.count == run.requests == sum(row.requests for row in run.objects)
    for row in run.objects:
        assert row.started_s is not None
        assert row.finished_s is not None
        assert 0 <= row.started_s <= row.finished_s <= run.makespan_s + 1e-9
    quantiles = [seconds for _, seconds in run.latency_s.quantiles]
    assert all(a <= b for a, b in pairwise([*quantiles, run.latency_s.largest]))
    from planner.documents import parse_document

    assert parse_document(to_json(run).encode(), RunDocument, "run") == run


@pytest.mark.parametrize(("closes", "opened"), [("0", 2), ("1", 12)])
def test_connections_are_counted_whether_the_server_keeps_them_or_not(tmp_path: Path, closes: str, opened: int) -> None:
    write_lines(tmp_path / "in" / "a", 12, seed=1)
    settings = replace(LINES, batch_strategy="SingleRecord", max_concurrent_transforms=2)
    assert run_here(tmp_path, settings, CLOSES=closes).connections_opened == opened


def test_a_type_that_no_header_can_hold_is_refused_before_anything_is_sent(folder: Path) -> None:
    with pytest.raises(RequestRejectedError, match="latin-1"):
        run_here(folder, replace(LINES, content_type="text/€"))
    assert outputs(folder) == {}
