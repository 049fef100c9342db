"""Answers that come before their turn are held in memory, and what is held is bounded."""

import contextlib
import selectors
from collections.abc import Iterator
from pathlib import Path

import pytest

from planner.container import UrlContainer
from planner.documents import replace
from planner.jobs.local.data_processing import DataProcessor
from planner.jobs.local.journal import OutputFolder
from planner.jobs.local.lane import BACKLOG_BYTES, Lane
from planner.jobs.local.objects import PART_OVERHEAD_BYTES, Backlog, Cut, ObjectRun
from planner.jobs.local.settings import effective
from planner.records.listing import list_objects
from tests.jobs.local_jobs import LINES, outputs, write_lines

ONE_BY_ONE = replace(LINES, batch_strategy="SingleRecord", max_concurrent_transforms=4)


@pytest.fixture(name="run")
def _run(tmp_path: Path) -> Iterator[ObjectRun]:
    """An object of twenty records on its way to tmp_path/out."""
    write_lines(tmp_path / "in" / "a", 20, seed=1)
    (stored,) = list_objects(tmp_path / "in").objects
    with OutputFolder(tmp_path / "out", digest="any") as folder:
        folder.begin({})
        yield ObjectRun(stored, instance=0, folder=folder, assembles_lines=False, backlog=Backlog())


def _cuts(run: ObjectRun) -> list[Cut]:
    return list(run.cuts(ONE_BY_ONE, effective(ONE_BY_ONE, None)))


def test_what_waits_for_a_late_answer_is_counted_and_written_in_order_when_it_comes(
    run: ObjectRun, tmp_path: Path
) -> None:
    backlog = run._backlog
    first, *others = _cuts(run)
    for cut in reversed(others):
        run.answer(cut, cut.payload.body, 0.0)
    held = sum(len(cut.payload.body) + PART_OVERHEAD_BYTES for cut in others)
    assert backlog.bytes == held
    run.answer(first, first.payload.body, 0.0)
    assert backlog.bytes == 0
    run.publish()
    assert outputs(tmp_path)["a"] == (tmp_path / "in" / "a").read_bytes()


def test_what_an_object_held_is_let_go_when_it_fails(run: ObjectRun) -> None:
    backlog = run._backlog
    _, *others = _cuts(run)
    for cut in others:
        run.answer(cut, cut.payload.body, 0.0)
    assert backlog.bytes > 0
    run.fail("the first answer never came")
    assert backlog.bytes == 0


@contextlib.contextmanager
def _lane(run: ObjectRun, backlog: Backlog) -> Iterator[Lane]:
    with selectors.DefaultSelector() as selector:
        lane = Lane(
            UrlContainer("http://127.0.0.1:9"),
            [run],
            backlog=backlog,
            settings=ONE_BY_ONE,
            effective=effective(ONE_BY_ONE, None),
            processor=DataProcessor(ONE_BY_ONE),
            selector=selector,
            buffer=memoryview(bytearray(1024)),
        )
        yield lane
        lane.close()


def test_nothing_more_is_sent_or_cut_while_too_much_waits_behind_a_late_answer(run: ObjectRun) -> None:
    backlog = Backlog()
    with _lane(run, backlog) as lane:
        late = lane.take()
        assert late is not None
        lane.flights[lane.idle.pop()] = late
        backlog.bytes = BACKLOG_BYTES - 1
        assert (lane.is_held, lane.wants_cuts) == (False, True)
        assert lane.take() is not None
        backlog.bytes = BACKLOG_BYTES
        assert (lane.is_held, lane.wants_cuts) == (True, False)
        assert lane.take() is None
        assert lane.is_active
        backlog.bytes = 0
        assert lane.take() is not None


def test_with_nothing_in_flight_nothing_is_held_back_for_it_would_never_go_on(run: ObjectRun) -> None:
    with _lane(run, Backlog(bytes=2 * BACKLOG_BYTES)) as lane:
        assert not lane.is_held
        assert lane.take() is not None
