import json
from pathlib import Path

from click.testing import CliRunner

from planner.cli.reshard import command
from planner.documents import read_document
from planner.records.reshard import Resharding


def test_a_folder_is_cut_into_as_many_objects_as_asked(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.csv").write_text("1\n2\n3\n")
    (tmp_path / "in" / "b.csv").write_text("4\n")
    arguments = [str(tmp_path / "in"), "--objects", "2", "--output", str(tmp_path / "out")]
    shown = CliRunner().invoke(command, [*arguments, "-o", str(tmp_path / "made.json")])
    assert shown.exit_code == 0, shown.output
    assert "4 records of 2 objects are now in 2" in shown.stdout
    assert (tmp_path / "out" / "part-00001.csv").read_text() == "3\n4\n"
    document = read_document(tmp_path / "made.json", Resharding)
    assert [origin.key for part in document.objects for origin in part.origins] == ["a.csv", "a.csv", "b.csv"]
    again = CliRunner().invoke(command, [*arguments, "--force", "--format", "json"])
    assert json.loads(again.stdout)["kind"] == "resharding"
