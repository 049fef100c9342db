import json
import os
from pathlib import Path

import pytest

from planner.errors import InputMissingError
from planner.records.listing import list_objects


def store(folder: Path, *keys: str, content: bytes = b"x\n") -> None:
    for key in keys:
        path = folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def test_keys_are_listed_in_utf8_binary_order_as_s3_lists_them(tmp_path: Path) -> None:
    store(tmp_path, "a/b", "a.b", "B", "é", "z", "a0", "\U0001f600", "\uffee")
    assert [o.key for o in list_objects(tmp_path).objects] == [
        "B",
        "a.b",
        "a/b",
        "a0",
        "z",
        "é",
        "\uffee",
        "\U0001f600",
    ]


def test_hidden_empty_and_strange_files_are_left_out_and_named(tmp_path: Path) -> None:
    store(tmp_path, "a.csv", ".git/config", "b/.DS_Store")
    store(tmp_path, "b/empty.csv", content=b"")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / os.fsdecode(b"\xff.csv")).write_bytes(b"1\n")
    listing = list_objects(tmp_path)
    assert [o.key for o in listing.objects] == ["a.csv"]
    hidden, empty, other = listing.warnings
    assert hidden.startswith("2 objects (.git/config, b/.DS_Store) left out")
    assert empty.startswith("1 object (b/empty.csv) left out")
    assert other.startswith("2 objects (pipe, \\udcff.csv) left out")


def test_a_single_file_is_one_object(tmp_path: Path) -> None:
    store(tmp_path, "a.csv")
    assert [(o.key, o.stored_bytes) for o in list_objects(str(tmp_path / "a.csv")).objects] == [("a.csv", 2)]


@pytest.mark.parametrize("name", ["keys.manifest", "keys.json"])
@pytest.mark.parametrize("absolute", [True, False])
def test_a_manifest_names_its_objects_below_its_prefix(tmp_path: Path, name: str, absolute: bool) -> None:
    store(tmp_path, "in/b.csv", "in/a/c.csv", "in/not-listed.csv")
    prefix = f"{tmp_path}/in/" if absolute else "in/"
    (tmp_path / name).write_text(json.dumps([{"prefix": prefix}, "b.csv", "a/c.csv"]))
    assert [o.key for o in list_objects(tmp_path / name).objects] == ["a/c.csv", "b.csv"]


def test_a_manifest_that_lists_a_key_twice_says_so(tmp_path: Path) -> None:
    store(tmp_path, "a.csv")
    (tmp_path / "m.manifest").write_text('[{"prefix": ""}, "a.csv", "a.csv"]')
    listing = list_objects(tmp_path / "m.manifest")
    assert len(listing.objects) == 1
    assert "1 object (a.csv) listed more than once" in listing.warnings[0]


def test_a_json_file_that_is_no_manifest_is_an_object(tmp_path: Path) -> None:
    store(tmp_path, "a.json", content=b'[{"prefix": 1}]\n')
    store(tmp_path, "b.json", content=b'{"x": 1}\n{"x": 2}\n')
    assert [o.key for name in "ab" for o in list_objects(tmp_path / f"{name}.json").objects] == ["a.json", "b.json"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ('{"prefix": "x"}\n"a"', "JSON array, not JSON Lines"),
        ('["a"]', "expected"),
        ('[{"prefix": "in/"}, 3]', "expected"),
        ('[{"prefix": "s3://bucket/in/"}, "a"]', "is in S3"),
        ('[{"prefix": "in/"}, "a", "b"]', r"2 objects \(a, b\) not found below 'in/'"),
    ],
)
def test_a_faulty_manifest_is_refused(tmp_path: Path, content: str, reason: str) -> None:
    (tmp_path / "m.manifest").write_text(content)
    with pytest.raises(InputMissingError, match=reason):
        list_objects(tmp_path / "m.manifest")


def test_nothing_to_read_is_an_error_that_says_what_there_was(tmp_path: Path) -> None:
    with pytest.raises(InputMissingError, match="holds no objects with content \\(no files\\)"):
        list_objects(tmp_path)
    store(tmp_path, ".a", ".b")
    store(tmp_path, "c", content=b"")
    with pytest.raises(InputMissingError, match="\\(1 empty, 2 hidden\\)"):
        list_objects(tmp_path)
    with pytest.raises(InputMissingError, match="nowhere: no such file or folder"):
        list_objects(tmp_path / "nowhere")


def test_an_s3_uri_says_what_to_do_instead() -> None:
    with pytest.raises(InputMissingError, match=r"aws s3 sync s3://bucket/in/ DIR.*--record-bytes"):
        list_objects("s3://bucket/in/")
