"""One HTTP exchange, and what servers say on /execution-parameters."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from planner.container.contract import Address, ExecutionParameters
from planner.container.hosting import exchange, read_execution_parameters
from planner.container.url import UrlContainer
from planner.errors import InvocationError


@pytest.mark.parametrize(
    ("spelling", "read"),
    [
        ("MULTI_RECORD", "MultiRecord"),
        ("MultiRecord", "MultiRecord"),
        ("SINGLE_RECORD", "SingleRecord"),
        ("SingleRecord", "SingleRecord"),
        ("Some", None),
        (None, None),
        (3, None),
    ],
)
def test_both_spellings_of_the_strategy_are_read(spelling: object, read: str | None) -> None:
    parameters = read_execution_parameters(json.dumps({"BatchStrategy": spelling}).encode())
    assert parameters is not None
    assert parameters.batch_strategy == read


@pytest.mark.parametrize("value", [0, -1, 1.5, "4", True, None, [4]])
def test_a_count_that_is_none_is_left_out(value: object) -> None:
    body = json.dumps({"MaxConcurrentTransforms": value, "MaxPayloadInMB": 6}).encode()
    assert read_execution_parameters(body) == ExecutionParameters(max_payload_mb=6)


@pytest.mark.parametrize("body", [b"", b"not json", b"[1]", b"null", b"\xff"])
def test_an_answer_that_is_no_json_object_is_not_usable(body: bytes) -> None:
    assert read_execution_parameters(body) is None


@contextmanager
def answering(*pieces: bytes, pause_s: float = 0, reset: bool = False) -> Iterator[Address]:
    """A server that reads a request's head and then sends these pieces to every client."""
    listener = socket.create_server(("127.0.0.1", 0))
    closed = threading.Event()

    def serve() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            with client:
                client.recv(65536)
                try:
                    for piece in pieces:
                        client.sendall(piece)
                        closed.wait(pause_s)
                except OSError:
                    continue

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield Address(host="127.0.0.1", port=listener.getsockname()[1])
    finally:
        closed.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 10\r\n\r\n"


@pytest.mark.parametrize("pieces", [(), (b"garbage\r\n\r\n",), (HEAD, b"short")])
def test_a_dropped_or_broken_answer_is_an_error_that_names_the_server(pieces: tuple[bytes, ...]) -> None:
    with answering(*pieces) as address, pytest.raises(InvocationError, match=rf"127\.0\.0\.1:{address.port}"):
        UrlContainer(f"http://127.0.0.1:{address.port}").invoke(b"x", content_type="text/plain")


def test_a_server_that_dribbles_its_answer_does_not_outlast_the_time_allowed() -> None:
    with answering(HEAD, *[b"x"] * 9, pause_s=0.1) as address, pytest.raises(TimeoutError):
        exchange(address, "GET", "/ping", timeout_s=0.25)


def test_chunked_answers_and_base_paths_are_understood() -> None:
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    with answering(chunked) as address:
        assert exchange(address, "POST", "/invocations", timeout_s=5, body=b"x").body == b"abcde"
