import json
import subprocess
import sys
from pathlib import Path
from typing import get_args

from click.testing import CliRunner, Result

from planner.cli.inspect import command
from planner.cli.options import COMPRESSION_TYPES, SPLIT_TYPES
from planner.documents import read_document
from planner.records.dataset import CompressionType, Dataset, SplitType


def run(*arguments: str) -> Result:
    return CliRunner().invoke(command, list(arguments), catch_exceptions=False)


def folder(path: Path) -> Path:
    (path / "in").mkdir()
    (path / "in" / "a.csv").write_bytes(b"1,2\n" * 1000)
    (path / "in" / "b[bold].csv").write_bytes(b"1,2\n" * 3000 + b"\n")
    return path / "in"


def test_the_choices_are_those_of_the_api() -> None:
    assert get_args(SplitType) == SPLIT_TYPES
    assert get_args(CompressionType) == COMPRESSION_TYPES


def test_the_text_says_how_much_there_is_how_skewed_and_what_to_heed(tmp_path: Path) -> None:
    shown = run(str(folder(tmp_path))).stdout
    rows = [line.split() for line in shown.splitlines()]
    assert ["objects", "2"] in [row[:2] for row in rows]
    assert ["records", "4,001"] in [row[:2] for row in rows]
    assert ["largest", "4", "in", "a.csv"] in rows
    assert "1.50 x the mean: b[bold].csv" in shown
    assert ["6", "2", "2,000.5"] in [row[:3] for row in rows]
    assert "Warning: 1 blank line (in b[bold].csv)" in " ".join(shown.split())


def test_json_on_stdout_is_the_document_that_is_written(tmp_path: Path) -> None:
    output = tmp_path / "dataset.json"
    result = run(str(folder(tmp_path)), "--format", "json", "-o", str(output))
    assert result.stdout == output.read_text()
    assert read_document(output, Dataset).records == json.loads(result.stdout)["record_sizes"]["count"] == 4001


def test_a_record_over_the_limit_ends_with_its_own_exit_code_and_writes_nothing(tmp_path: Path) -> None:
    source = tmp_path / "a.csv"
    source.write_bytes(b"7" * (2**20 + 1))
    output = tmp_path / "dataset.json"
    arguments = ["inspect", str(source), "--max-payload-mb", "1", "-o", str(output)]
    ended = subprocess.run([sys.executable, "-m", "planner", *arguments], capture_output=True, text=True, check=False)
    assert ended.returncode == 22
    assert ended.stderr.startswith("Error: a.csv: record 1 at byte 0 has 1,048,577 bytes and the payload limit is")
    assert ended.stdout == ""
    assert list(tmp_path.iterdir()) == [source]


def test_a_limit_outside_of_the_api_is_a_usage_error(tmp_path: Path) -> None:
    assert run(str(tmp_path), "--max-payload-mb", "101").exit_code == 2
