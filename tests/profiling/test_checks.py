import pytest

from planner.container.contract import Response
from planner.errors import ContainerDiedError, InvocationError, ResponseMismatchError
from planner.profiling.checks import check_response, count_lines, failed_invocation
from planner.profiling.http1 import Failure
from tests.profiling.servers import Reply, ServedHere


def container() -> ServedHere:
    return ServedHere(lambda _: Reply())


def answer(body: bytes, content_type: str = "text/csv", status: int = 200) -> Response:
    return Response(status=status, content_type=content_type, body=body)


@pytest.mark.parametrize(
    ("body", "lines"),
    [(b"", 0), (b"\n", 0), (b"1", 1), (b"1\n", 1), (b"1\r\n2\r\n", 2), (b"1\n2", 2), (b"1\n\n2\n", 3)],
)
def test_lines_are_counted_as_the_service_joins_them(body: bytes, lines: int) -> None:
    assert count_lines(body) == lines


def test_an_answer_with_a_line_per_record_passes() -> None:
    assert check_response(container(), answer(b"1\n2\n", "text/csv; charset=utf-8"), records=2, request_bytes=10)


@pytest.mark.parametrize("body", [b"1,2\n", b"[1]\n[2]\n[3]\n", b""])
def test_another_number_of_lines_than_records_is_a_mismatch(body: bytes) -> None:
    with pytest.raises(ResponseMismatchError, match=r"2 records .* lines"):
        check_response(container(), answer(body), records=2, request_bytes=10)


def test_an_answer_that_is_not_in_lines_is_not_counted() -> None:
    assert not check_response(container(), answer(b"[1, 2]", "application/json"), records=2, request_bytes=10)


def test_a_refusal_carries_status_body_and_log() -> None:
    with pytest.raises(
        InvocationError, match=r"(?s)2 records \(10 B\).*status 415: what is this.*--content-type.*fell over"
    ):
        check_response(container(), answer(b"what is this", status=415), records=2, request_bytes=10)


def test_a_dead_container_is_named_as_the_cause() -> None:
    dead = container()
    dead.dead = True
    with pytest.raises(ContainerDiedError):
        failed_invocation(dead, Failure(kind="reset"), records=1, request_bytes=1)
