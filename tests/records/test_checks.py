import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.records.checks import LineChecks, LineFindings, looks_like_header
from planner.records.split import LineSplitter
from tests.records.inputs import chunks_of

lines = st.lists(
    st.sampled_from([b"\n", b"\r\n", b"1\n", b'{"a":\n', b'{"a":1}\r\n', b"\xff\n", b'1,"a\n', b"\r", b"caf\xc3\xa9\n"])
).map(b"".join)


def findings_of(content_type: str, chunks: list[bytes], most_faults: int = 5) -> LineFindings:
    splitter, checks = LineSplitter(), LineChecks(content_type, most_faults)
    for chunk in chunks:
        checks.feed(memoryview(chunk), splitter.feed(chunk))
    checks.feed(memoryview(b""), splitter.finish())
    return checks.findings


@given(lines, st.lists(st.integers(0, 1000), max_size=8), st.sampled_from(["text/csv", "application/jsonlines; a=b"]))
def test_chunking_never_changes_what_is_found(content: bytes, cuts: list[int], content_type: str) -> None:
    whole = findings_of(content_type, [content], most_faults=10**6)
    found = findings_of(content_type, chunks_of(content, cuts), most_faults=10**6)
    assert sorted(found.faults) == sorted(whole.faults)
    assert found.blank_lines == whole.blank_lines
    assert found.crlf_lines == whole.crlf_lines
    assert (found.odd_quote_lines, found.first_odd_quote_record) == (
        whole.odd_quote_lines,
        whole.first_odd_quote_record,
    )
    assert found.has_header == whole.has_header


@given(lines)
def test_blank_lines_are_those_of_only_lf_or_crlf(content: bytes) -> None:
    naive = [line for line in content.split(b"\n")[:-1] if line in {b"", b"\r"}]
    assert findings_of("text/csv", [content]).blank_lines == len(naive)


@pytest.mark.parametrize(
    ("first", "second", "header"),
    [
        (b"age,name", b"31,A", True),
        (b"age,name\r", b"31,A\r", True),
        (b"31,A", b"7,B", False),
        (b"A,B", b"C,D", False),
        (b"age,", b"31,A", False),
        (b"age,name", b"31", False),
        (b'"a,b",c', b"1,2", True),
        (b"\xff,b", b"1,2", False),
        (b"", b"", False),
    ],
)
def test_a_header_is_names_above_a_number(first: bytes, second: bytes, header: bool) -> None:
    assert looks_like_header(first, second) is header
