import os
import subprocess
import sys
import time
from array import array
from pathlib import Path

import psutil
import pytest

from planner.profiling import core_speed_sampler
from planner.profiling.core_speed import FEWEST_SAMPLES, Samples, sampled

pytestmark = pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system cannot pin a process")


def samplers() -> list[psutil.Process]:
    """Processes of ours that sample."""
    here = psutil.Process().children(recursive=True)
    return [one for one in here if one.is_running() and "core_speed_sampler" in " ".join(one.cmdline())]


def first_cpu() -> int:
    return min(os.sched_getaffinity(0))


def test_the_speed_is_sampled_while_the_block_runs() -> None:
    began_s = time.perf_counter()
    with sampled([first_cpu()]) as samples:
        time.sleep(1.0)
        assert len(samplers()) == 1
        ended_s = time.perf_counter()
    assert not samplers()
    times = samples.taken[::2].tolist()
    assert len(times) >= FEWEST_SAMPLES
    assert all(began_s < at_s < ended_s + 1 for at_s in times)
    speed = samples.mean_speed(began_s, ended_s)
    assert speed is not None
    assert 10**5 < speed < 10**10  # a loop's turn takes some ten nanoseconds anywhere


def test_only_samples_of_the_time_asked_for_count() -> None:
    samples = Samples()
    samples.taken = array("d")
    for number in range(2 * FEWEST_SAMPLES):
        samples.taken.extend((float(number), 1e-5 if number < FEWEST_SAMPLES else 2e-5))
    iterations = core_speed_sampler.ITERATIONS
    assert samples.mean_speed(0, FEWEST_SAMPLES - 1) == pytest.approx(iterations / 1e-5)
    assert samples.mean_speed(0, 2 * FEWEST_SAMPLES) == pytest.approx(0.75 * iterations / 1e-5)
    assert samples.mean_speed(1, FEWEST_SAMPLES - 1) is None


def test_a_server_elsewhere_is_not_sampled() -> None:
    with sampled(None) as samples:
        assert not samplers()
    assert samples.mean_speed(0, 1e9) is None


def test_no_sampler_stays_behind_where_the_block_fails() -> None:
    with pytest.raises(KeyboardInterrupt), sampled([first_cpu()]):
        raise KeyboardInterrupt
    assert not samplers()


def test_a_cpu_that_does_not_exist_leaves_the_speed_unknown() -> None:
    with sampled([10**4]) as samples:
        time.sleep(0.1)
    assert samples.mean_speed(0, 1e9) is None


def test_a_sampler_ends_when_its_stdin_does() -> None:
    command = [sys.executable, str(Path(core_speed_sampler.__file__)), str(first_cpu())]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=20, check=True)
    assert len(done.stdout) % 16 == 0
