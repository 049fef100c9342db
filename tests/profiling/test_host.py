import os
import threading
from pathlib import Path

import pytest

from planner.profiling.host import host_cpu_s, kept_off, read_host

CPUINFO = """processor\t: 0
vendor_id\t: GenuineIntel
cpu family\t: 6
model\t\t: 143
model name\t: Intel(R) Xeon(R) Platinum 8488C
flags\t\t: fpu sse2 avx2 avx512f amx_tile made_up

processor\t: 1
model\t\t: 1
"""


def test_the_first_cpu_of_cpuinfo_is_read(tmp_path: Path) -> None:
    (tmp_path / "cpuinfo").write_text(CPUINFO)
    host = read_host(tmp_path / "cpuinfo")
    assert (host.cpu_model, host.cpu_vendor) == ("Intel(R) Xeon(R) Platinum 8488C", "GenuineIntel")
    assert (host.cpu_family, host.cpu_model_number) == (6, 143)
    assert host.cpu_flags == ("avx2", "avx512f", "amx_tile")


def test_a_system_without_cpuinfo_still_has_a_name_and_cpus(tmp_path: Path) -> None:
    host = read_host(tmp_path / "nothing")
    assert host.cpu_model
    assert host.logical_cpus >= 1
    assert host.memory_bytes > 2**20


def test_cpu_time_of_the_machine_only_grows() -> None:
    before = host_cpu_s()
    assert host_cpu_s() >= before > 0


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs CPU affinity, which only Linux has")
@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="needs two CPUs")
def test_the_thread_is_kept_off_and_put_back() -> None:
    before = os.sched_getaffinity(0)
    last = max(before)
    others: list[set[int]] = []
    with kept_off([last]) as apart:
        assert apart
        assert os.sched_getaffinity(0) == before - {last}
    assert os.sched_getaffinity(0) == before
    with kept_off(sorted(before)) as apart:
        assert not apart, "there is nowhere left to go"
    with kept_off([]) as apart:
        assert not apart
    thread = threading.Thread(target=lambda: others.append(os.sched_getaffinity(0)))
    thread.start()
    thread.join()
    assert others == [before]
