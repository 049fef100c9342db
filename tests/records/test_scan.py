import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.documents import read_document, write_document
from planner.errors import InputMissingError, RecordFormatError, RecordTooLargeError
from planner.records.dataset import Dataset
from planner.records.payloads import iter_payloads
from planner.records.policy import BlankLines, CuttingPolicy
from planner.records.scan import inspect
from planner.records.sizes import RecordSizeStore
from planner.records.split import split_records
from planner.units import MIB
from tests.records.inputs import line_bytes, recordio_frame, write_tfrecords


def store(folder: Path, **objects: bytes) -> Path:
    for name, content in objects.items():
        (folder / name.replace("_", ".")).write_bytes(content)
    return folder


def test_objects_records_and_sizes_are_counted(tmp_path: Path) -> None:
    dataset = inspect(store(tmp_path, a_jsonl=b'{"x":1}\n{"x":22}\n', b_jsonl=b"3\n4"))
    assert dataset.content_type == "application/jsonlines"
    assert [(o.key, o.stored_bytes, o.payload_bytes, o.records, o.largest_record_bytes) for o in dataset.objects] == [
        ("a.jsonl", 17, 17, 2, 9),
        ("b.jsonl", 3, 3, 2, 2),
    ]
    sizes = dataset.record_sizes
    assert (sizes.count, sizes.total_bytes, sizes.smallest, sizes.largest, sizes.mean) == (4, 20, 1, 9, 5)
    assert dict(sizes.quantiles)[0.5] == 2
    assert dataset.requests_by_payload_mb == (2,) * 100
    assert dataset.warnings == ()


@settings(max_examples=30)
@given(contents=st.lists(line_bytes.filter(bool), min_size=1, max_size=3))
def test_the_scan_agrees_with_splitting_each_object_at_once(
    tmp_path_factory: pytest.TempPathFactory, contents: list[bytes]
) -> None:
    folder = tmp_path_factory.mktemp("in")
    for number, content in enumerate(contents):
        (folder / f"{number}").write_bytes(content)
    dataset = inspect(folder, validate=False)
    records = [split_records(content, "Line") for content in contents]
    assert [o.records for o in dataset.objects] == [len(r) for r in records]
    assert dataset.record_sizes.largest == max(len(r) for rs in records for r in rs)


def test_request_counts_are_those_of_the_payloads_that_a_run_would_send(tmp_path: Path) -> None:
    lines = b"".join(b"%d," % i + b"7" * (i * 37 % 90_000) + b"\n" for i in range(150))
    dataset = inspect(store(tmp_path, a_csv=lines, b_csv=lines[: 3 * MIB]))
    assert dataset.requests_by_payload_mb is not None
    for payload_mb in (1, 2, 5, 100):
        sent = 0
        for name in ("a.csv", "b.csv"):
            with (tmp_path / name).open("rb") as stream:
                sent += sum(
                    1
                    for _ in iter_payloads(
                        stream, split_type="Line", batch_strategy="MultiRecord", max_payload_mb=payload_mb
                    )
                )
        assert dataset.requests_by_payload_mb[payload_mb - 1] == sent


def test_the_size_store_is_filled_in_the_same_pass(tmp_path: Path) -> None:
    sizes = RecordSizeStore()
    inspect(store(tmp_path, a_csv=b"1\n" * 5, b_csv=b"2\n" * 3), sizes=sizes)
    assert sizes.records_per_request(4).tolist() == [2, 2, 1, 2, 1]


def test_gzip_is_recognised_by_suffix_counted_inflated_and_said(tmp_path: Path) -> None:
    stored = gzip.compress(b"1,2\n" * 1000)
    dataset = inspect(store(tmp_path, a_csv_gz=stored))
    assert (dataset.compression_type, dataset.content_type, dataset.records) == ("Gzip", "text/csv", 1000)
    assert (dataset.objects[0].stored_bytes, dataset.objects[0].payload_bytes) == (len(stored), 4000)
    assert "every object ends in .gz" in dataset.warnings[0]
    as_it_is = inspect(tmp_path, compression_type="None", split_type="None")
    assert (as_it_is.records, as_it_is.payload_bytes, as_it_is.warnings) == (1, len(stored), ())


def test_objects_that_differ_in_kind_are_remarked_on(tmp_path: Path) -> None:
    dataset = inspect(store(tmp_path, a_csv=b"1\n", b_csv_gz=b"x\n", c_jsonl=b"1\n"))
    assert dataset.content_type is None
    gz, kinds = dataset.warnings
    assert gz.startswith("1 of 3 objects end in .gz")
    assert "2 text/csv, 1 application/jsonlines" in kinds


def test_frames_are_counted_with_their_wrapper(tmp_path: Path) -> None:
    frames = recordio_frame(b"abc") + recordio_frame(b"d" * 10)
    dataset = inspect(store(tmp_path, a_rec=frames), split_type="RecordIO")
    assert (dataset.records, dataset.payload_bytes, dataset.record_sizes.largest) == (2, len(frames), 20)
    content = write_tfrecords(tmp_path / "b.tfrecord", [b"x", b"y"])
    dataset = inspect(tmp_path / "b.tfrecord", split_type="TFRecord")
    assert (dataset.records, dataset.payload_bytes) == (2, len(content))


def test_lines_that_are_not_json_are_named_with_object_record_and_offset(tmp_path: Path) -> None:
    store(tmp_path, a_jsonl=b'{"x":1}\n{"x":\n1}\n', b_jsonl=b'1\n{"a":NaN}\n"\xff"\n')
    with pytest.raises(RecordFormatError) as caught:
        inspect(tmp_path)
    first, *faults = str(caught.value).splitlines()
    assert first.endswith("4 faults:")
    assert faults[0].startswith("  a.jsonl: record 2 at byte 8 is not JSON: ")
    assert faults[1].startswith("  a.jsonl: record 3 at byte 14 is not JSON: ")
    assert faults[2].startswith("  b.jsonl: record 2 at byte 2 is not JSON: ")
    assert faults[3].startswith("  b.jsonl: record 3 at byte 12 is not UTF-8: byte 0xff at byte 13")


def test_the_scan_stops_at_five_faults(tmp_path: Path) -> None:
    for number in range(9):
        (tmp_path / f"{number}.csv").write_bytes(b"ok\n\xff\n\xfe\n")
    with pytest.raises(RecordFormatError, match=r"5 faults \(the first; there may be more\)") as caught:
        inspect(tmp_path)
    assert len(str(caught.value).splitlines()) == 6


def test_faults_far_into_a_large_object_are_placed_exactly(tmp_path: Path) -> None:
    good = json.dumps({"text": "é" * 40}).encode() + b"\n"
    content = good * 20_000 + b"{]\n" + good * 10
    with pytest.raises(RecordFormatError, match=rf"record 20,001 at byte {len(good) * 20_000:,} is not JSON"):
        inspect(store(tmp_path, a_jsonl=content))
    assert inspect(tmp_path, validate=False).records == 20_011


def test_text_that_is_no_utf8_is_fine_where_the_content_type_is_not_text(tmp_path: Path) -> None:
    dataset = inspect(store(tmp_path, a_bin=b"\xff\n\xfe\n"))
    assert dataset.records == 2
    assert dataset.content_type is None
    assert "--content-type" in dataset.warnings[0]
    with pytest.raises(RecordFormatError, match="not UTF-8"):
        inspect(tmp_path, content_type="text/plain; charset=utf-8")


def test_damaged_objects_are_reported_together(tmp_path: Path) -> None:
    store(tmp_path, a_gz=b"no gzip", b_gz=gzip.compress(b"x" * 1000)[:-3], c_gz=gzip.compress(b"1\n"))
    with pytest.raises(RecordFormatError, match=r"(?s)2 faults:.*a\.gz: not gzip.*b\.gz: the gzip stream is cut short"):
        inspect(tmp_path)


def test_blank_crlf_header_and_open_quotes_are_warned_of(tmp_path: Path) -> None:
    store(
        tmp_path,
        a_csv=b'age,name\r\n31,"A"\r\n\r\n7,"b\nc"\n\n',
        b_csv=b"age,name\n31,B\n",
        c_csv=b"1,C\n2,D\n",
    )
    blank, crlf, header, quotes = inspect(tmp_path).warnings
    assert blank.startswith("2 blank lines (in a.csv)")
    assert crlf.startswith("3 lines (in a.csv) ")
    assert header.startswith("2 first lines (in 2 objects, the first a.csv)")
    assert quotes.startswith("2 lines (in a.csv) ")
    assert "record 4 of a.csv first" in quotes


def test_dropping_blank_lines_is_a_policy(tmp_path: Path) -> None:
    store(tmp_path, a_csv=b"1\n\n2\n\r\n")
    assert inspect(tmp_path).records == 4
    assert inspect(tmp_path, policy=CuttingPolicy(blank_lines=BlankLines.DROPPED)).records == 2


def test_records_over_the_limit_are_named_all_at_once(tmp_path: Path) -> None:
    large = b"1" * MIB + b"\n"
    store(tmp_path, a_csv=b"1\n" + large + large, b_csv=b"2\n", c_csv=large)
    with pytest.raises(RecordTooLargeError) as caught:
        inspect(tmp_path, max_payload_mb=1)
    message = str(caught.value)
    assert "3 faults" in message
    assert "a.csv: record 2 at byte 2 has 1,048,577 bytes" in message
    assert "a.csv: record 3 at byte 1,048,579 has" in message
    assert "c.csv: record 1 at byte 0 has" in message
    dataset = inspect(tmp_path, max_payload_mb=2)
    assert dataset.requests_by_payload_mb is not None
    assert dataset.requests_by_payload_mb[:3] == (0, 4, 3)


def test_a_record_that_no_request_can_carry_is_warned_of(tmp_path: Path) -> None:
    with (tmp_path / "a.jsonl").open("wb") as stream:
        stream.truncate(100 * MIB + 1)
    dataset = inspect(tmp_path)
    assert "1 of 1 objects hold a record above 100 MiB" in dataset.warnings[-1]
    assert dataset.requests_by_payload_mb == (0,) * 100


def test_progress_ends_at_the_stored_size(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    inspect(
        store(tmp_path, a_csv=b"1\n" * 2_000_000, b_csv=b"1\n"), progress=lambda done, total: seen.append((done, total))
    )
    assert seen[-1] == (4_000_002, 4_000_002)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert len(seen) > 3


def test_the_document_survives_writing_and_reading(tmp_path: Path) -> None:
    dataset = inspect(store(tmp_path, a_csv=b"1\n"))
    write_document(tmp_path / "out" / "dataset.json", dataset)
    assert read_document(tmp_path / "out" / "dataset.json", Dataset) == dataset


def test_an_object_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"1\n")
    gone = json.dumps([{"prefix": f"{tmp_path}/"}, "a.csv/below"])
    (tmp_path / "m.manifest").write_text(gone)
    with pytest.raises(InputMissingError, match=r"a\.csv/below"):
        inspect(tmp_path / "m.manifest")
