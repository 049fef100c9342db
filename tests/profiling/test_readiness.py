from planner.container.contract import ThreadTimes, Usage
from planner.documents import replace
from planner.profiling.readiness import Readiness, readiness


def usage(cpu_s: float, **threads: tuple[float, float]) -> Usage:
    return Usage(
        cpu_s=cpu_s,
        memory_bytes=0,
        memory_peak_bytes=0,
        threads={int(name[1:]): ThreadTimes(ran_s=ran, waited_s=waited) for name, (ran, waited) in threads.items()},
        source="cgroup-v1",
    )


def test_three_workers_that_share_a_cpu_are_three_ready_threads() -> None:
    begin = usage(5.0, t1=(1.0, 0.0), t2=(2.0, 1.0), t3=(2.0, 0.0))
    end = usage(8.0, t1=(2.0, 2.0), t2=(3.0, 3.0), t3=(3.0, 2.0))
    assert readiness([begin, end], 3.0) == Readiness(ready=3.0, active_threads=3, active_processes=None)


def test_a_thread_that_only_listens_takes_no_part() -> None:
    assert readiness([usage(0.0, t1=(0.0, 0.0)), usage(2.0, t1=(1.97, 0.0), t2=(0.03, 0.0))], 2.0) == Readiness(
        ready=1.0, active_threads=1, active_processes=None
    )


def test_threads_that_came_and_went_unseen_leave_it_open() -> None:
    assert readiness([usage(0.0, t1=(0.0, 0.0)), usage(2.0, t1=(1.0, 0.0))], 2.0) is None


def test_without_two_readings_or_threads_nothing_is_said() -> None:
    assert readiness([usage(0.0)], 1.0) is None
    assert readiness([usage(0.0), usage(1.0)], 1.0) is None


def test_threads_that_took_part_are_told_by_the_processes_they_belong_to() -> None:
    def at(ran_s: float) -> Usage:
        threads = {
            number: ThreadTimes(ran_s=ran_s, waited_s=0.0, process=process)
            for number, process in ((7, 7), (8, 7), (9, 9))
        }
        return replace(usage(3 * ran_s), threads=threads)

    found = readiness([at(0.0), at(1.0)], 1.0)
    assert found is not None
    assert (found.active_threads, found.active_processes) == (3, 2)
