from pathlib import Path

from planner.documents import replace
from tests.jobs.local_jobs import LINES, asked, expected, outputs, run_here, write_lines
from tests.records.inputs import recordio_frame

ANY_SIZE = replace(LINES, max_payload_mb=0)


def test_without_a_payload_limit_objects_go_out_whole_in_http_chunks(tmp_path: Path) -> None:
    for number, count in enumerate((2500, 10, 1)):
        write_lines(tmp_path / "in" / f"part-{number}", count, seed=number)
    run = run_here(tmp_path, replace(ANY_SIZE, max_concurrent_transforms=2))
    assert run.requests == 3
    assert max(row["bytes"] for row in asked(tmp_path)) > 2**21
    assert outputs(tmp_path) == expected(tmp_path, 2**62)
    assert {row["encoding"] for row in asked(tmp_path)} == {"chunked"}
    assert {row["environment"]["SAGEMAKER_MAX_PAYLOAD_IN_MB"] for row in asked(tmp_path)} == {"0"}
    assert any("is not documented" in warning for warning in run.warnings)


def test_an_empty_record_is_an_empty_request_in_chunks_too(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "records").write_bytes(b"".join(map(recordio_frame, [b"", b"a" * 100_000, b"b"])))
    frames = replace(ANY_SIZE, content_type="application/x-recordio", accept=None, split_type="RecordIO")
    run_here(tmp_path, replace(frames, assemble_with="None", batch_strategy="SingleRecord"))
    assert [row["bytes"] for row in asked(tmp_path)] == [0, 100_000, 1]
    assert outputs(tmp_path) == {"records": b"A" * 100_000 + b"B"}
