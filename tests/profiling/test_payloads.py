import hashlib
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.errors import InputMissingError, RecordFormatError
from planner.profiling.payloads import Sample, read_sample
from planner.records.dataset import SplitType


def sample_of(path: Path, content: bytes, split_type: SplitType = "Line") -> Sample:
    path.write_bytes(content)
    return read_sample(path, content_type="text/csv", accept=None, split_type=split_type)


@settings(deadline=None)
@given(count=st.integers(1, 40), records_per_request=st.integers(1, 100))
def test_bodies_hold_as_many_records_as_asked_for_in_the_order_of_the_sample(
    count: int, records_per_request: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        sample = sample_of(Path(folder) / "s.csv", b"".join(b"%d\n" % i for i in range(count)))
    bodies = sample.bodies(records_per_request)
    assert bodies[0] == sample.first_body(records_per_request)
    assert len(set(bodies)) == len(bodies)
    for body in bodies:
        numbers = [int(line) for line in body.splitlines()]
        assert len(numbers) == records_per_request
        assert numbers == [(numbers[0] + step) % count for step in range(records_per_request)]
    if records_per_request < count:
        assert {int(line) for body in bodies for line in body.splitlines()} == set(range(count))


def test_large_bodies_do_not_fill_the_memory(tmp_path: Path) -> None:
    sample = sample_of(tmp_path / "s.csv", b"x" * 2**20 + b"\n" + b"y" * 2**20)
    assert sum(map(len, sample.bodies(30))) <= 64 * 2**20


def test_the_last_line_gets_the_newline_that_keeps_it_from_the_next(tmp_path: Path) -> None:
    assert sample_of(tmp_path / "s.csv", b"1,2\n3,4").bodies(3)[0] == b"1,2\n3,4\n1,2\n"


def test_the_digest_is_that_of_the_file(tmp_path: Path) -> None:
    content = b"1\n2\n"
    payload = sample_of(tmp_path / "s.csv", content).payload
    assert payload.digest == hashlib.sha256(content).hexdigest()
    assert (payload.records, payload.bytes, payload.largest_record_bytes) == (2, 4, 2)


def test_a_folder_of_whole_files_gives_one_record_each(tmp_path: Path) -> None:
    for name in ("b.jpg", "a.jpg"):
        (tmp_path / name).write_bytes(name.encode())
    sample = read_sample(tmp_path, content_type="image/jpeg", accept=None, split_type="None")
    assert sample.records == (b"a.jpg", b"b.jpg")
    (tmp_path / "b.jpg").rename(tmp_path / "c.jpg")
    renamed = read_sample(tmp_path, content_type="image/jpeg", accept=None, split_type="None")
    assert renamed.payload.digest != sample.payload.digest


@pytest.mark.parametrize("make", [lambda p: None, lambda p: p.write_bytes(b""), lambda p: p.mkdir()])
def test_a_sample_with_nothing_in_it_is_missing_input(make: object, tmp_path: Path) -> None:
    path = tmp_path / "sample"
    make(path)  # type: ignore[operator]
    with pytest.raises(InputMissingError, match="sample"):
        read_sample(path, content_type="text/csv", accept=None, split_type="Line")


def test_a_sample_that_is_not_what_the_split_type_says_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordFormatError):
        sample_of(tmp_path / "s.rec", b"not a RecordIO frame at all", "RecordIO")
