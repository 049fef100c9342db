import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from planner.cli.profile import command
from planner.documents import read_document
from planner.profiling.profile import Profile
from tests.profiling.servers import Reply, Server, one_line_each

POINTS = ["--records-per-request", "1,4", "--concurrency", "1,2", "--time-budget", "1s"]


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    path = tmp_path / "sample.csv"
    path.write_bytes(b"1,2\n" * 100)
    return path


def test_the_table_and_the_document_tell_the_same_points(sample: Path, tmp_path: Path) -> None:
    output = tmp_path / "profile.json"
    with Server(one_line_each) as server:
        url = f"http://127.0.0.1:{server.port}"
        result = CliRunner().invoke(command, ["--url", url, "--payload", str(sample), *POINTS, "-o", str(output)])
    assert result.exit_code == 0, result.output
    document = read_document(output, Profile)
    assert [(m.records_per_request, m.concurrency) for m in document.measurements] == [(1, 1), (1, 2), (4, 1), (4, 2)]
    assert document.payload.content_type == "text/csv"
    for row in document.measurements:
        shown = f"{row.throughput_records_per_s:,.0f}"
        assert shown in result.stdout
    assert result.stderr.startswith(f"Profiling url {url}")
    assert "(text/csv, SplitType Line) for 1 s" in result.stderr.replace("\n", " ")


def test_json_goes_to_stdout_and_nothing_else_does(sample: Path) -> None:
    with Server(one_line_each) as server:
        url = f"http://127.0.0.1:{server.port}"
        result = CliRunner().invoke(command, ["--url", url, "--payload", str(sample), *POINTS, "--format", "json"])
    document = json.loads(result.stdout)
    assert document["kind"] == "profile"
    assert len(document["measurements"]) == 4
    assert len(document["measurements"][0]["latency_s"]) == document["measurements"][0]["requests"]


def test_a_refused_sample_ends_with_the_error_of_the_library(sample: Path) -> None:
    with Server(lambda _: Reply(status=415, body=b"no csv here")) as server:
        url = f"http://127.0.0.1:{server.port}"
        result = CliRunner().invoke(command, ["--url", url, "--payload", str(sample), *POINTS])
    assert "no csv here" in str(result.exception)


def test_an_unknown_suffix_asks_for_the_content_type(tmp_path: Path) -> None:
    (tmp_path / "sample.bin").write_bytes(b"1\n")
    result = CliRunner().invoke(command, ["--url", "http://127.0.0.1:1", "--payload", str(tmp_path / "sample.bin")])
    assert result.exit_code == 2
    assert "--content-type" in result.stderr


def test_resuming_needs_the_file(sample: Path) -> None:
    result = CliRunner().invoke(command, ["--url", "http://127.0.0.1:1", "--payload", str(sample), "--resume"])
    assert result.exit_code == 2
    assert "--output" in result.stderr
