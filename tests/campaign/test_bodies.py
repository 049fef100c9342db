from pathlib import Path

import pytest

from planner.campaign.bodies import LADDER_MB, Known, largest_body, sending
from planner.profiling.payloads import Sample, read_sample
from planner.profiling.profile import BodyProbe
from planner.units import MIB
from tests.profiling.servers import Reply, ServedHere, one_line_each

SMALL = Known(request_bytes=1000, latency_s=1e-6, memory_bytes=2000, idle_bytes=1000)


class Scales:
    """A container that takes bodies up to a limit, and remembers what it was sent."""

    def __init__(self, limit_bytes: float, status: int | None = 413, memory_ratio: float = 1.0) -> None:
        self.limit_bytes, self.status, self.memory_ratio = limit_bytes, status, memory_ratio
        self.sent_mb: list[int] = []

    def send(self, size: int) -> BodyProbe:
        self.sent_mb.append(size // MIB)
        accepted = size <= self.limit_bytes
        return BodyProbe(
            request_bytes=size,
            records=size // 100,
            accepted=accepted,
            status=200 if accepted else self.status,
            reason="" if accepted else "too large",
            latency_s=size * 1e-9,
            memory_peak_bytes=1000 + int(self.memory_ratio * size),
        )

    def climb(
        self, *, known: Known = SMALL, refused_bytes: int | None = None, seconds: float = 60, free: float = 1e12
    ) -> list[BodyProbe]:
        return largest_body(
            self.send,
            known=known,
            refused_bytes=refused_bytes,
            record_bytes=100,
            seconds_left=lambda: seconds,
            free_bytes=lambda: free,
        )


def test_without_a_limit_the_ladder_is_climbed_to_its_end() -> None:
    scales = Scales(float("inf"))
    assert all(probe.accepted for probe in scales.climb())
    assert tuple(scales.sent_mb) == LADDER_MB


@pytest.mark.parametrize("limit_mb", [1, 5, 6, 20, 63, 99])
def test_the_limit_is_found_to_the_mib_whatever_it_is(limit_mb: int) -> None:
    scales = Scales(limit_mb * MIB)
    probes = scales.climb()
    accepted = max(probe.request_bytes for probe in probes if probe.accepted)
    refused = min(probe.request_bytes for probe in probes if not probe.accepted)
    assert (accepted // MIB, refused // MIB) == (limit_mb, limit_mb + 1)


def test_what_measurements_told_is_not_sent_again() -> None:
    scales = Scales(9 * MIB)
    known = Known(request_bytes=6 * MIB - 50, latency_s=0.01, memory_bytes=None, idle_bytes=None)
    scales.climb(known=known, refused_bytes=12 * MIB)
    assert scales.sent_mb == [9, 10]


def test_a_container_that_died_is_sent_nothing_more() -> None:
    scales = Scales(6 * MIB, status=None)
    scales.climb()
    assert scales.sent_mb == [1, 2, 6, 16]


def test_a_body_that_would_take_more_than_the_time_left_is_not_sent() -> None:
    scales = Scales(float("inf"))
    scales.climb(seconds=0.02)
    assert scales.sent_mb == [1, 2, 6, 16]


def test_a_body_that_would_take_half_the_free_memory_is_not_sent() -> None:
    scales = Scales(float("inf"), memory_ratio=100)
    scales.climb(free=4 * 2**30)
    assert scales.sent_mb == [1, 2, 6, 16, 32]


@pytest.fixture
def sample(tmp_path: Path) -> Sample:
    path = tmp_path / "sample.csv"
    path.write_bytes(b"".join(b"%d,%d\n" % (i, i) for i in range(100)))
    return read_sample(path, content_type="text/csv", accept="text/csv", split_type="Line")


def test_a_body_holds_whole_records_within_its_size(sample: Sample) -> None:
    with ServedHere(one_line_each) as container:
        probe = sending(container, sample)(5000)
        assert probe.accepted
        (body,) = container.server.bodies
    assert len(body) == probe.request_bytes <= 5000
    assert len(body) > 4900
    assert body.count(b"\n") == probe.records
    assert probe.response_bytes == 2 * probe.records


@pytest.mark.parametrize(
    ("reply", "status", "reason"),
    [(Reply(status=413), 413, "413"), (Reply(body=b"1\n", content_type="text/csv"), 200, "1 lines")],
)
def test_a_refusal_and_a_short_answer_are_told_apart_by_their_status(
    reply: Reply, status: int, reason: str, sample: Sample
) -> None:
    with ServedHere(lambda _: reply) as container:
        probe = sending(container, sample)(5000)
    assert not probe.accepted
    assert probe.status == status
    assert reason in probe.reason


def test_a_container_that_ends_under_a_body_is_an_answer(sample: Sample) -> None:
    with ServedHere(lambda _: Reply(reset=True)) as container:
        container.dead = True
        probe = sending(container, sample)(5000)
    assert not probe.accepted
    assert probe.status is None
    assert "status 137" in probe.reason
