"""Control groups: where they are made, and what their files say. Real ones are exercised by the contract suite."""

from pathlib import Path

import pytest

from planner.container.cgroup import CgroupV1, CgroupV2, hierarchies, make_cgroup
from planner.container.contract import Limits
from planner.container.usage import CgroupMeter, open_meter
from planner.errors import ContainerLimitError

HYBRID_MOUNTS = """\
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct
34 31 0:31 / /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory
39 31 0:36 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,xattr,name=systemd
"""
HYBRID_OWN = "4:memory:/jobs/a\n2:cpu,cpuacct:/\n9:name=systemd:/\n0::/\n"


def test_a_v1_group_is_made_inside_our_own() -> None:
    found = {name: h.folder for h in hierarchies(HYBRID_MOUNTS, HYBRID_OWN) for name in h.controllers}
    assert found["memory"] == Path("/sys/fs/cgroup/memory/jobs/a")
    assert found["cpuacct"] == Path("/sys/fs/cgroup/cpu,cpuacct")


def test_in_a_v1_container_the_mount_is_our_own_group_already() -> None:
    mounts = "34 31 0:31 /docker/f00 /sys/fs/cgroup/memory ro,relatime - cgroup cgroup rw,memory\n"
    (found,) = hierarchies(mounts, "4:memory:/docker/f00\n")
    assert found.folder == Path("/sys/fs/cgroup/memory")


def test_a_v2_group_is_made_at_the_root_of_the_mount_with_what_is_enabled_there(tmp_path: Path) -> None:
    (tmp_path / "cgroup.subtree_control").write_text("cpuset cpu io memory pids\n")
    mounts = f"30 25 0:26 / {tmp_path} rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"
    (found,) = hierarchies(mounts, "0::/user.slice/session-1.scope\n")
    assert (found.folder, found.version) == (tmp_path, 2)
    group = make_cgroup([found])
    assert isinstance(group, CgroupV2)
    assert [folder.parent for folder in group.folders] == [tmp_path]
    group.close()
    assert [path.name for path in tmp_path.iterdir()] == ["cgroup.subtree_control"]


def test_without_a_hierarchy_for_cpu_and_memory_no_group_is_made() -> None:
    with pytest.raises(FileNotFoundError, match="cpu and memory"):
        make_cgroup([])


def _write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)
    return folder


def test_v2_files_are_read_in_their_units(tmp_path: Path) -> None:
    folder = _write(
        tmp_path,
        cpu__stat="usage_usec 2500000\nuser_usec 2000000\nsystem_usec 500000\n",
        memory__current="1000\n",
        memory__stat="anon 600\nfile 400\ninactive_file 250\nactive_file 100\n",
        memory__events="low 0\noom 2\noom_kill 1\n",
    )
    group = CgroupV2(cpu=folder, memory=folder)
    assert group.cpu_s() == 2.5
    reading = group.memory(restart=True)
    assert (reading.usage_bytes, reading.file_bytes, reading.high_water_bytes) == (1000, 350, 1000)
    assert group.oom_kills() == 1


def test_v1_files_are_read_in_their_units_and_the_high_water_mark_restarts(tmp_path: Path) -> None:
    folder = _write(
        tmp_path,
        cpuacct__usage="2500000000\n",
        memory__usage_in_bytes="1000\n",
        memory__max_usage_in_bytes="4000\n",
        memory__stat="cache 400\ntotal_inactive_file 250\ntotal_active_file 100\n",
        memory__oom_control="oom_kill_disable 0\nunder_oom 0\noom_kill 3\n",
    )
    group = CgroupV1(cpu=folder, memory=folder)
    assert group.cpu_s() == 2.5
    reading = group.memory(restart=False)
    assert (reading.usage_bytes, reading.file_bytes, reading.high_water_bytes) == (1000, 350, 4000)
    assert group.oom_kills() == 3
    assert (folder / "memory.max_usage_in_bytes").read_text() == "4000\n"
    group.memory(restart=True)
    assert (folder / "memory.max_usage_in_bytes").read_text() == "0"


def test_a_quota_is_written_and_its_halts_are_read_in_both_versions(tmp_path: Path) -> None:
    two = _write(tmp_path, cpu__stat="usage_usec 1\nnr_periods 9\nnr_throttled 4\nthrottled_usec 250000\n")
    group = CgroupV2(cpu=two, memory=two)
    group.limit_cpus(1.5)
    assert (two / "cpu.max").read_text() == "150000 100000"
    assert group.throttled() == (4, 0.25)
    one = _write(tmp_path, cpu__stat="nr_periods 9\nnr_throttled 3\nthrottled_time 500000000\n")
    older = CgroupV1(cpu=one, memory=one, quota=one)
    older.limit_cpus(0.5)
    assert (one / "cpu.cfs_quota_us").read_text() == "50000"
    assert (one / "cpu.cfs_period_us").read_text() == "100000"
    assert older.throttled() == (3, 0.5)


def test_the_peak_leaves_out_the_file_cache_and_keeps_what_was_given_back(tmp_path: Path) -> None:
    """Usage 1000 of which cache 350; in between it rose to 4000 and fell back."""
    folder = _write(
        tmp_path,
        cpuacct__usage="0\n",
        memory__usage_in_bytes="1000\n",
        memory__max_usage_in_bytes="1000\n",
        memory__stat="total_inactive_file 350\ntotal_active_file 0\n",
    )
    meter = CgroupMeter(CgroupV1(cpu=folder, memory=folder))
    meter.usage()
    meter.reset_memory_peak()
    assert meter.usage().memory_peak_bytes == 650
    _write(folder, memory__max_usage_in_bytes="4000\n")
    assert meter.usage().memory_peak_bytes == 3650
    _write(folder, memory__max_usage_in_bytes="1000\n")
    assert meter.usage().memory_peak_bytes == 3650
    meter.reset_memory_peak()
    assert meter.usage().memory_peak_bytes == 650


def test_a_memory_limit_by_the_process_tree_is_refused_with_the_way_out() -> None:
    with pytest.raises(ContainerLimitError, match="Run as root, or leave the memory limit out"):
        open_meter(Limits(memory_bytes=2**28), "process-tree")
