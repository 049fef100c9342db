import hashlib
import socket
import threading
from collections.abc import Sequence
from itertools import cycle

import pytest

from planner.container.contract import Address
from planner.profiling.http1 import prepare_request
from planner.profiling.load import ClosedLoop, Trace
from tests.profiling.servers import Reply, Server


def run(
    address: Address,
    bodies: Sequence[bytes],
    *,
    concurrency: int = 1,
    completions: int = 20,
    timeout_s: float = 5,
    at_most_s: float = 5,
) -> Trace:
    """Load until that many completions were seen at a checkpoint."""
    requests = [prepare_request(address, body, content_type="text/csv", accept=None) for body in bodies]
    loop = ClosedLoop(address, requests, concurrency=concurrency, timeout_s=timeout_s)
    return loop.run(should_stop=lambda trace: len(trace.end_s) >= completions, checkpoint_s=0.001, at_most_s=at_most_s)


def steady(_: bytes) -> Reply:
    return Reply(delay_s=0.01)


@pytest.mark.parametrize("concurrency", [1, 3])
def test_littles_law_holds_and_no_more_is_in_flight_than_asked_for(concurrency: int) -> None:
    with Server(steady) as server:
        trace = run(server.address, [b"x"], concurrency=concurrency, completions=30)
        assert server.most_in_flight == concurrency
        assert server.in_flight == 0, "the server was left with requests in flight"
    latencies = [end - start for start, end in zip(trace.start_s, trace.end_s, strict=True)]
    duration = trace.end_s[-1] - trace.began_s
    # Each slot is hardly ever idle: its latencies tile the time, but for the one request that the end cuts and
    # the moments that the client needs to send the next.
    assert 0.8 * concurrency * (duration - max(latencies)) <= sum(latencies) <= concurrency * duration
    assert min(latencies) >= 0.01
    assert not trace.failures


def test_bodies_are_sent_in_turn() -> None:
    with Server(lambda _: Reply()) as server:
        run(server.address, [b"a", b"b", b"c"])
        assert all(sent == expected for sent, expected in zip(server.bodies, cycle([b"a", b"b", b"c"]), strict=False))
        assert len(server.bodies) >= 20


def test_a_kept_connection_is_used_for_all_requests() -> None:
    with Server(lambda _: Reply()) as server:
        run(server.address, [b"x"], concurrency=2)
        assert server.connections == 2


@pytest.mark.parametrize("reply", [Reply(announced_close=True), Reply(silent_close=True)])
def test_a_server_that_closes_after_each_answer_costs_connections_but_no_errors(reply: Reply) -> None:
    with Server(lambda _: reply) as server:
        trace = run(server.address, [b"x"], concurrency=2)
        assert not trace.failures
        assert len(trace.end_s) >= 20
        assert server.connections >= len(trace.end_s)


def test_a_large_body_arrives_whole() -> None:
    body = b"".join(i.to_bytes(4) for i in range(1_500_000))
    with Server(lambda b: Reply(body=hashlib.sha256(b).hexdigest().encode())) as server:
        trace = run(server.address, [body], concurrency=2, completions=4)
        assert {hashlib.sha256(b).digest() for b in server.bodies} == {hashlib.sha256(body).digest()}
    assert set(trace.request_bytes) == {len(body)}
    assert set(trace.response_bytes) == {64}


@pytest.mark.parametrize(
    ("raw", "size"),
    [
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", 5),
        (b"HTTP/1.0 200 OK\r\n\r\nuntil the end", 13),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 2),
    ],
    ids=["chunked", "until the connection ends", "after an interim answer"],
)
def test_every_framing_of_an_answer_is_understood(raw: bytes, size: int) -> None:
    with Server(lambda _: Reply(raw=raw)) as server:
        trace = run(server.address, [b"x"])
    assert not trace.failures
    assert set(trace.response_bytes) == {size}


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (Reply(reset=True), "reset"),
        (Reply(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"), "reset"),
        (Reply(raw=b"no such protocol\r\n\r\n"), "malformed"),
        (Reply(status=500, body=b"the model fell over"), "status"),
    ],
)
def test_a_server_that_only_fails_ends_the_run(reply: Reply, kind: str) -> None:
    with Server(lambda _: reply) as server:
        trace = run(server.address, [b"x"], at_most_s=30)
    assert trace.broken_off
    assert not trace.end_s
    assert {failure.kind for _, failure in trace.failures} == {kind}


def test_the_body_of_a_refusal_is_kept_for_the_message() -> None:
    with Server(lambda _: Reply(status=400, body=b"column 3 missing")) as server:
        trace = run(server.address, [b"x"])
    assert len(trace.failures) == 1, "a 4xx is not repeated: it would only come again"
    assert str(trace.failures[0][1]) == "status 400: column 3 missing"


def test_passing_overload_is_counted_and_the_loop_goes_on() -> None:
    turns = cycle([Reply(), Reply(), Reply(status=503, body=b"queue full")])
    with Server(lambda _: next(turns)) as server:
        trace = run(server.address, [b"x"], completions=30)
    assert not trace.broken_off
    assert len(trace.end_s) >= 30
    assert {failure.status for _, failure in trace.failures} == {503}
    assert abs(2 * len(trace.failures) - len(trace.end_s)) <= 2


def test_one_stuck_request_times_out_while_the_others_go_on() -> None:
    release = threading.Event()

    def answer(body: bytes) -> Reply:
        if body == b"stuck":
            release.wait(10)
        return Reply(delay_s=0.001)

    with Server(answer) as server:
        trace = run(server.address, [b"stuck", *[b"x"] * 400], concurrency=2, completions=250, timeout_s=0.1)
        release.set()
    assert "timeout" in {failure.kind for _, failure in trace.failures}
    assert len(trace.end_s) >= 250


def test_a_refusal_before_the_body_is_read_is_still_read() -> None:
    def refuse(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(1000)
            connection.sendall(b"HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 3\r\n\r\nbig")
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(2**20):
                pass

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=refuse, args=(listener,))
        thread.start()
        address = Address(host="127.0.0.1", port=listener.getsockname()[1])
        trace = run(address, [bytes(20_000_000)])
        thread.join()
    assert [str(failure) for _, failure in trace.failures] == ["status 413: big"]


def test_nobody_listening_is_a_refused_connection() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = Address(host="127.0.0.1", port=probe.getsockname()[1])
        trace = run(address, [b"x"], concurrency=2)
    assert trace.broken_off
    assert {failure.kind for _, failure in trace.failures} == {"refused"}


def test_the_run_ends_on_time_when_nothing_completes() -> None:
    with Server(lambda _: Reply(delay_s=0.3)) as server:
        trace = run(server.address, [b"x"], at_most_s=0.05)
        assert len(server.bodies) == 1
    assert not trace.end_s
    assert not trace.failures


def test_checkpoints_count_the_completions_before_them() -> None:
    with Server(steady) as server:
        trace = run(server.address, [b"x"], concurrency=2)
    for checkpoint in trace.checkpoints:
        assert sum(end <= checkpoint.at_s for end in trace.end_s) == checkpoint.completions
    assert [c.client_cpu_s for c in trace.checkpoints] == sorted(c.client_cpu_s for c in trace.checkpoints)
    assert trace.checkpoints[-1].completions == len(trace.end_s)
