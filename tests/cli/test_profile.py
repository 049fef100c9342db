import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from planner.cli.profile import command
from planner.documents import read_document
from planner.errors import OutputError
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


def test_comparing_shows_the_ratio_of_every_point_and_writes_the_new_profile(sample: Path, tmp_path: Path) -> None:
    old, new = tmp_path / "old.json", tmp_path / "new.json"
    with Server(one_line_each) as server:
        basic = ["--url", f"http://127.0.0.1:{server.port}", "--payload", str(sample), "--time-budget", "1s"]
        CliRunner().invoke(command, [*basic, "--records-per-request", "1,4", "--concurrency", "2", "-o", str(old)])
        result = CliRunner().invoke(command, [*basic, "--compare", str(old), "-o", str(new), "--format", "json"])
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert document["kind"] == "profile_comparison"
    assert [change["records_per_request"] for change in document["changes"]] == [1, 4]
    assert len(read_document(new, Profile).measurements) == 2


def test_settings_are_tried_and_the_profile_is_measured_under_the_best(sample: Path, tmp_path: Path) -> None:
    """The server says how many workers it was given; with three it answers at once."""
    script, output = tmp_path / "serve.py", tmp_path / "profile.json"
    script.write_text(_SLOW_UNLESS_THREE)
    options = ["--command", f"{sys.executable} {script}", "--payload", str(sample), "--time-budget", "1s"]
    options += ["--records-per-request", "4", "--concurrency", "1", "--tune", "ANSWERS=3", "-o", str(output)]
    result = CliRunner().invoke(command, options)
    assert result.exit_code == 0, result.output
    document = read_document(output, Profile)
    assert document.tuning is not None
    assert document.tuning.chosen == {"ANSWERS": "3"}
    assert document.container.environment["ANSWERS"] == "3"
    assert len(document.tuning.trials) == 2
    assert "Tuned: ANSWERS=3" in result.stdout


def test_sessions_alike_share_the_usual_speed_of_the_cpus(sample: Path, tmp_path: Path) -> None:
    script, output = tmp_path / "serve.py", tmp_path / "profile.json"
    script.write_text(_SLOW_UNLESS_THREE)
    options = ["--command", f"{sys.executable} {script}", "--payload", str(sample), "--time-budget", "2s"]
    options += ["--records-per-request", "4", "--concurrency", "1,2", "-o", str(output)]
    found = []
    for more in ([], ["--resume"], ["--this-speed"], []):
        result = CliRunner().invoke(command, [*options, *more])
        assert result.exit_code == 0, result.output
        found.append(read_document(output, Profile).usual_speed)
    first, resumed, own, second = found
    assert first is not None
    assert first.sessions == 1
    assert resumed == first
    assert own is None
    assert second is not None
    if second.sessions == 2:  # a machine that was much slower a moment ago counts as another
        assert second.session_core_speed != second.core_speed
        assert "on average in 2 sessions like this one" in " ".join(result.stdout.split())


_SLOW_UNLESS_THREE = """
import os, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def answer(self, body):
        self.send_response(200)
        self.send_header("Content-Type", "text/csv")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def do_GET(self):
        self.answer(b"")

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        time.sleep(0.002 if os.environ.get("ANSWERS") == "3" else 0.04)
        self.answer(b"1\\n" * body.count(b"\\n"))

    def log_message(self, *_):
        pass

ThreadingHTTPServer(("127.0.0.1", int(os.environ["SAGEMAKER_BIND_TO_PORT"])), Handler).serve_forever()
"""


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--tune", "A=1,2"], "--tune needs --output"),
        (["--tune", "A=1,2", "-o", "x.json"], "--url does not allow"),
        (["--tune", "A=2:1", "-o", "x.json"], "ends before it begins"),
        (["--compare", "old.json", "--concurrency", "1"], "points of the old profile"),
        (["--deadline", "90m"], "need --dataset"),
    ],
)
def test_options_that_do_not_go_together_are_told(options: list[str], told: str, sample: Path) -> None:
    result = CliRunner().invoke(command, ["--url", "http://127.0.0.1:1", "--payload", str(sample), *options])
    assert result.exit_code == 2
    assert told in " ".join(result.stderr.split())


def test_an_output_that_cannot_be_written_is_refused_before_measuring(sample: Path) -> None:
    asked: list[bytes] = []

    def listen(body: bytes) -> Reply:
        asked.append(body)
        return one_line_each(body)

    with Server(listen) as server:
        options = ["--url", f"http://127.0.0.1:{server.port}", "--payload", str(sample), *POINTS]
        result = CliRunner().invoke(command, [*options, "-o", str(sample / "profile.json")])
    assert isinstance(result.exception, OutputError)
    assert not asked
