from pathlib import Path

import pytest

from planner.documents import parse_document, read_document, refuse_unwritable, to_json, write_document, written_whole
from planner.errors import DocumentError, InputMissingError, OutputError
from planner.records.dataset import Dataset, RecordSizes

EMPTY = RecordSizes(count=0, total_bytes=0, smallest=0, largest=0, quantiles=())
DATASET = Dataset(input="here", split_type="Line", objects=(), record_sizes=EMPTY)


def test_a_document_survives_a_round_trip_through_its_file(tmp_path: Path) -> None:
    write_document(tmp_path / "deep" / "d.json", DATASET)
    assert read_document(tmp_path / "deep" / "d.json", Dataset) == DATASET


def test_a_document_names_its_kind_format_time_and_version() -> None:
    text = to_json(DATASET)
    for field in ('"kind": "dataset"', '"format": 1', '"created_at": "', '"planner_version": "'):
        assert field in text


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ('"smallest": 0', '"smalest": 0', r"unknown field `smalest` - at `\$.record_sizes`"),
        ('"smallest": 0', '"smallest": "few"', r"\$.record_sizes.smallest"),
        (
            '"kind": "dataset"',
            '"kind": "plan"',
            "is a plan document; expected a dataset document, which `planner inspect",
        ),
        ('"kind": "dataset",', "", "names no kind"),
        ('"format": 1,', "", "format None"),
        ('"format": 1', '"format": 2', "upgrade the planner"),
        ('"split_type": "Line"', '"split_type": "Lines"', r"\$.split_type"),
        ("]", "", "not JSON"),
    ],
)
def test_a_faulty_document_is_refused_with_the_path_of_the_fault(old: str, new: str, complaint: str) -> None:
    with pytest.raises(DocumentError, match=complaint):
        parse_document(to_json(DATASET).replace(old, new).encode(), Dataset, "d.json")


@pytest.mark.parametrize(("length", "fault"), [(0, "is empty"), (100, "not JSON: Input data was truncated")])
def test_a_document_that_was_cut_short_is_to_be_copied_or_made_again(length: int, fault: str) -> None:
    with pytest.raises(DocumentError) as raised:
        parse_document(to_json(DATASET).encode()[:length], Dataset, "d.json")
    assert str(raised.value) == (
        f"d.json: {fault}. A dataset document was expected, which `planner inspect -o FILE` writes: copy it or make it "
        "again"
    )


def test_where_a_document_cannot_be_written_is_known_beforehand_and_nothing_is_left_of_asking(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("old")
    with pytest.raises(OutputError, match=r"d\.json: cannot be written"):
        refuse_unwritable(tmp_path / "file" / "d.json")
    refuse_unwritable(tmp_path / "file")
    refuse_unwritable(tmp_path / "new")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("file", "old")]


def test_a_missing_document_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputMissingError, match=r"nothing\.json: no such file"):
        read_document(tmp_path / "nothing.json", Dataset)


def test_an_interrupted_write_leaves_the_old_document_and_no_part_of_the_new(tmp_path: Path) -> None:
    path = tmp_path / "d.json"
    path.write_text("old")

    def interrupted() -> None:
        with written_whole(path) as stream:
            stream.write(b"ne")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_place_that_cannot_be_written_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"file/d\.json"):
        write_document(tmp_path / "file" / "d.json", DATASET)
