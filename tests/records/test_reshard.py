"""Resharding moves records between objects and changes nothing else."""

import gzip
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from planner.errors import InputMissingError, OutputError, RecordFormatError
from planner.records.reshard import Resharding, reshard
from planner.records.split import split_records
from tests.records.inputs import line_bytes, recordio_frame, recordio_payloads, write_tfrecords

quick = settings(max_examples=60, deadline=None)


def stored(folder: Path, contents: list[bytes], suffix: str = ".jsonl") -> Path:
    folder.mkdir()
    for number, content in enumerate(contents):
        (folder / f"{number}{suffix}").write_bytes(content)
    return folder


def records_below(folder: Path, split_type: Any, *, packed: bool = False) -> list[list[bytes]]:
    read = (path.read_bytes() for path in sorted(folder.iterdir()))
    return [split_records(gzip.decompress(content) if packed else content, split_type) for content in read]


def resharded(contents: list[bytes], objects: int, split_type: Any = "Line", **options: Any) -> tuple[Any, Resharding]:
    with TemporaryDirectory() as place:
        folder = Path(place)
        document = reshard(
            stored(folder / "in", contents), folder / "out", objects=objects, split_type=split_type, **options
        )
        packed = options.get("output_compression_type") == "Gzip"
        return records_below(folder / "out", split_type, packed=packed), document


@quick
@given(contents=st.lists(line_bytes, min_size=1, max_size=5), objects=st.integers(1, 12), packs=st.booleans())
def test_lines_stay_the_same_in_the_same_order(contents: list[bytes], objects: int, packs: bool) -> None:
    before = [split_records(content, "Line") for content in contents]
    flat = list(chain.from_iterable(before))
    assume(objects <= len(flat))
    after, document = resharded(contents, objects, output_compression_type="Gzip" if packs else "None")
    assert len(after) == objects
    assert all(after)
    # Only a line feed may have been added, to the last line of an old object.
    assert [line.removesuffix(b"\n") for line in chain.from_iterable(after)] == [r.removesuffix(b"\n") for r in flat]
    grown = sum(a != b for a, b in zip(chain.from_iterable(after), flat, strict=True))
    assert grown == document.line_feeds_added
    for part, records in zip(document.objects, after, strict=True):
        assert (part.records, part.payload_bytes) == (len(records), sum(map(len, records)))
        kept = [before[int(o.key.split(".")[0])][o.first_record : o.first_record + o.records] for o in part.origins]
        expected = [record.removesuffix(b"\n") for record in chain.from_iterable(kept)]
        assert [record.removesuffix(b"\n") for record in records] == expected


@quick
@given(payloads=st.lists(recordio_payloads, min_size=1, max_size=3), objects=st.integers(1, 6))
def test_recordio_frames_stay_whole(payloads: list[list[bytes]], objects: int) -> None:
    contents = [b"".join(map(recordio_frame, each)) for each in payloads]
    flat = [recordio_frame(payload) for payload in chain.from_iterable(payloads)]
    assume(objects <= len(flat))
    after, document = resharded(contents, objects, "RecordIO")
    assert list(chain.from_iterable(after)) == flat
    assert document.line_feeds_added == 0


def test_tfrecords_stay_whole_and_are_not_mistaken_for_lines(tmp_path: Path) -> None:
    content = write_tfrecords(tmp_path / "a", [b"\n" * n for n in range(40)])
    after, _ = resharded([content], 7, "TFRecord")
    assert b"".join(chain.from_iterable(after)) == content
    assert len(after) == 7


@quick
@given(sizes=st.lists(st.integers(1, 200), min_size=1, max_size=60), objects=st.integers(1, 10))
def test_objects_miss_their_even_share_by_less_than_a_record(sizes: list[int], objects: int) -> None:
    assume(objects * max(sizes) <= sum(sizes))
    _, document = resharded([b"".join(b"x" * (size - 1) + b"\n" for size in sizes)], objects)
    share = sum(sizes) / objects
    assert all(abs(part.payload_bytes - share) <= max(sizes) for part in document.objects)


def test_large_inputs_go_through_in_chunks(tmp_path: Path) -> None:
    line = b"a" * 999 + b"\n"
    source = stored(tmp_path / "in", [line * 3000, b"b" * 700_000 + b"\n", line * 100])
    document = reshard(source, tmp_path / "out", objects=4)
    written = b"".join(path.read_bytes() for path in sorted((tmp_path / "out").iterdir()))
    assert written == line * 3000 + b"b" * 700_000 + b"\n" + line * 100
    assert [part.records for part in document.objects] == pytest.approx([950, 950, 950, 250], abs=60)


def test_gzip_is_kept_and_its_bytes_are_the_same_each_time(tmp_path: Path) -> None:
    source = stored(tmp_path / "in", [gzip.compress(b"1\n2\n3"), gzip.compress(b"4\n")], ".csv.gz")
    for name in ("one", "two"):
        document = reshard(source, tmp_path / name, objects=2)
        assert [part.key for part in document.objects] == ["part-00000.csv.gz", "part-00001.csv.gz"]
        assert records_below(tmp_path / name, "Line", packed=True) == [[b"1\n", b"2\n"], [b"3\n", b"4\n"]]
    one, two = ([path.read_bytes() for path in sorted((tmp_path / name).iterdir())] for name in ("one", "two"))
    assert one == two


def test_a_folder_that_holds_something_is_left_alone(tmp_path: Path) -> None:
    source = stored(tmp_path / "in", [b"1\n2\n3\n4\n"])
    reshard(source, tmp_path / "out", objects=4)
    with pytest.raises(OutputError, match="--force"):
        reshard(source, tmp_path / "out", objects=2)
    assert len(list((tmp_path / "out").iterdir())) == 4
    reshard(source, tmp_path / "out", objects=2, force=True)
    assert len(list((tmp_path / "out").iterdir())) == 2
    for foreign in ("mine.txt", "part-00000-d0c9.c000.csv"):
        (tmp_path / "out" / foreign).write_text("kept")
        with pytest.raises(OutputError, match="not written by this command"):
            reshard(source, tmp_path / "out", objects=2, force=True)
        (tmp_path / "out" / foreign).unlink()
    assert {path.name for path in tmp_path.iterdir()} == {"in", "out"}


def test_a_damaged_input_leaves_nothing(tmp_path: Path) -> None:
    source = stored(tmp_path / "in", [recordio_frame(b"abc") + b"\0\0\0"])
    with pytest.raises(RecordFormatError, match="cut short"):
        reshard(source, tmp_path / "out", objects=1, split_type="RecordIO")
    assert {path.name for path in tmp_path.iterdir()} == {"in"}


@pytest.mark.parametrize("place", ["in", "in/out", "."])
def test_the_input_is_never_written_over(tmp_path: Path, place: str) -> None:
    source = stored(tmp_path / "in", [b"1\n2\n"])
    with pytest.raises(OutputError):
        reshard(source, tmp_path / place, objects=1, force=True)
    assert (source / "0.jsonl").read_bytes() == b"1\n2\n"


def test_what_cannot_be_cut_is_refused(tmp_path: Path) -> None:
    source = stored(tmp_path / "in", [b"1\n2\n"])
    with pytest.raises(InputMissingError, match="2 records cannot fill 3 objects"):
        reshard(source, tmp_path / "out", objects=3)
    with pytest.raises(RecordFormatError, match="one record there"):
        reshard(source, tmp_path / "out", objects=1, split_type="None")
    assert not (tmp_path / "out").exists()
