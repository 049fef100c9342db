"""The fixed computation that tells how fast the machine is at the moment."""

import os

import numpy as np
import pytest

from planner.profiling.profile import REPEATABILITY
from planner.profiling.reference import drift_notice, reference_s, unsteadiness


def test_it_takes_cpu_time_on_the_cpus_asked_for_and_the_thread_is_back_on_its_own() -> None:
    before = os.sched_getaffinity(0)
    assert reference_s((min(before),)) > 0
    assert os.sched_getaffinity(0) == before
    assert reference_s() > 0


def test_a_machine_that_is_now_faster_now_slower_is_told_with_both_speeds() -> None:
    told = drift_notice([0.010, 0.013, 0.010, 0.013, 0.010, 0.013])
    assert told is not None
    assert "took 10 ms of CPU or less at a quarter of them, 13 ms or more at another" in told


def test_where_the_cpus_speed_is_known_less_is_left_to_intervals() -> None:
    readings_s = [0.010, 0.013, 0.010, 0.013, 0.010, 0.013]
    told, left = drift_notice(readings_s), drift_notice(readings_s, left=0.5)
    assert told is not None
    assert left is not None
    assert "by ±15% for it, and" in told
    assert "by ±7% for it, beyond what the CPUs' speed meanwhile tells, and" in left


def test_a_steady_machine_one_odd_reading_and_few_readings_say_nothing() -> None:
    assert drift_notice([0.010, 0.0105, 0.0103, 0.0109, 0.0101]) is None
    assert drift_notice([0.010] * 7 + [0.030]) is None
    assert drift_notice([0.010, 0.020, 0.030]) is None


def test_unsteadiness_is_about_what_the_readings_scatter() -> None:
    for scatter in (0.08, 0.16, 0.3):
        draws = np.random.default_rng(0).normal(0, scatter, (200, 16))
        found = [unsteadiness(np.exp(draw) * 0.01) for draw in draws]
        assert np.median(found) == pytest.approx(scatter, rel=0.2)


def test_no_machine_counts_as_steadier_than_a_quiet_one_and_odd_readings_decide_nothing() -> None:
    assert unsteadiness([0.010] * 20) == REPEATABILITY
    assert unsteadiness([0.010, 0.020, 0.040]) == REPEATABILITY
    assert unsteadiness([0.010] * 9 + [0.030, 0.050]) == REPEATABILITY
