"""What of the Docker way can be tested without an engine."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from planner.container.cgroup import hierarchies
from planner.container.contract import Address, Limits
from planner.container.docker_engine import Engine
from planner.container.docker_limits import share_cpus
from planner.container.docker_state import State, state_of
from planner.container.docker_usage import ReportedUsage, locate_cgroup
from planner.errors import ContainerLimitError, ContainerStartError

NO_CLIENT: Any = None
CONTAINER = "51d9f580bc78"


def state(*, networks: Mapping[str, Any] | None = None, ports: Mapping[str, Any] | None = None, **said: Any) -> State:
    """As Docker 20.10 describes a container."""
    network = {"Networks": networks or {}, "Ports": ports or {}}
    return state_of({"Id": CONTAINER, "State": {"Running": False, **said}, "NetworkSettings": network})


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"ExitCode": 137, "OOMKilled": True}, "out of memory"),
        ({"ExitCode": 137}, "perhaps for its memory limit of 1 GiB"),
        ({"ExitCode": 143}, "ended by signal 15 (SIGTERM)"),
        ({"ExitCode": 127}, "no program named serve"),
        ({"ExitCode": 1}, "ended with exit code 1"),
        ({"ExitCode": 128, "Error": "mount failed"}, "mount failed"),
    ],
)
def test_how_a_container_ended_is_said_in_words(said: dict[str, Any], words: str) -> None:
    assert words in state(**said).end("1 GiB")


def test_a_kill_without_a_memory_limit_is_a_signal() -> None:
    assert "signal 9 (SIGKILL)" in state(ExitCode=137).end(None)


def test_a_container_in_a_network_that_this_machine_has_no_address_in_is_refused_at_once() -> None:
    """As podman with CNI says of an internal network."""
    near = state(networks={"n": {"IPAddress": "127.0.0.1", "IPPrefixLen": 8}})
    assert near.address("8080", is_native=True) == Address(host="127.0.0.1", port=8080)
    far = state(networks={"n": {"IPAddress": "198.51.100.2", "IPPrefixLen": 24}})  # for documentation: nobody's own
    with pytest.raises(ContainerStartError, match=r"198\.51\.100\.2/24, and this machine none .* with --network"):
        far.address("8080", is_native=True)


def test_a_container_is_reached_at_its_own_address_or_a_published_port() -> None:
    both = state(
        networks={"n": {"IPAddress": "172.18.0.2"}}, ports={"8080/tcp": [{"HostPort": "49153"}], "22/tcp": None}
    )
    assert both.address("8080", is_native=True) == Address(host="172.18.0.2", port=8080)
    assert both.address("8080", is_native=False) == Address(host="127.0.0.1", port=49153)
    with pytest.raises(ContainerStartError, match="no address"):
        state(networks={"n": {"IPAddress": ""}}).address("8080", is_native=True)


def write(folder: Path, files: Mapping[str, str]) -> None:
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name).write_text(text)


def test_a_cgroup_v2_of_the_engines_is_found_by_the_containers_name_and_outlives_it(tmp_path: Path) -> None:
    folder = tmp_path / "system.slice" / f"docker-{CONTAINER}.scope"
    (tmp_path / "cgroup.subtree_control").write_text("cpu memory")
    files = {
        "cpu.stat": "usage_usec 1500000\nnr_throttled 7\nthrottled_usec 250000\n",
        "memory.current": "900\n",
        "memory.stat": "inactive_file 100\nactive_file 200\n",
        "memory.events": "oom_kill 1\n",
    }
    write(folder, files)
    own = f"0::/system.slice/docker-{CONTAINER}.scope\n"
    mounted = hierarchies(f"31 23 0:28 / {tmp_path} rw - cgroup2 cgroup2 rw\n", own)
    assert locate_cgroup(mounted, own, "another") is None
    group = locate_cgroup(mounted, own, CONTAINER)
    assert group is not None
    for gone in (False, True):
        if gone:
            for name in files:
                (folder / name).unlink()
        assert (group.source, group.cpu_s(), group.oom_kills()) == ("cgroup-v2", 1.5, 1)
        assert group.throttled() == (7, 0.25)
        assert group.memory(restart=True).usage_bytes == 900
        assert group.memory(restart=True).file_bytes == 300
    group.close()
    assert folder.is_dir()


def test_cgroups_v1_of_the_engines_are_found_in_their_hierarchies(tmp_path: Path) -> None:
    (tmp_path / "cpu").mkdir()
    write(tmp_path / "cpu" / "docker" / CONTAINER, {"cpu.stat": "nr_throttled 3\nthrottled_time 1500000000\n"})
    write(tmp_path / "cpuacct" / "docker" / CONTAINER, {"cpuacct.usage": "2500000000\n"})
    memory = {
        "memory.usage_in_bytes": "900\n",
        "memory.max_usage_in_bytes": "1000\n",
        "memory.stat": "total_inactive_file 100\ntotal_active_file 200\n",
        "memory.oom_control": "oom_kill 0\n",
    }
    write(tmp_path / "memory" / "docker" / CONTAINER, memory)
    names = ("cpu", "cpuacct", "memory")
    own = "".join(f"{n}:{name}:/docker/{CONTAINER}\n" for n, name in enumerate(names))
    mounts = "".join(f"{n} 31 0:29 / {tmp_path}/{name} rw - cgroup cgroup rw,{name}\n" for n, name in enumerate(names))
    group = locate_cgroup(hierarchies(mounts, own), own, CONTAINER)
    assert group is not None
    assert (group.source, group.cpu_s(), group.oom_kills()) == ("cgroup-v1", 2.5, 0)
    assert group.throttled() == (3, 1.5)
    assert group.memory(restart=True).high_water_bytes == 1000


READING: dict[str, Any] = {
    "cpu_stats": {
        "cpu_usage": {"total_usage": 2_500_000_000},
        "throttling_data": {"throttled_periods": 4, "throttled_time": 500_000_000},
    },
    "memory_stats": {"usage": 1000, "stats": {"inactive_file": 100, "active_file": 200, "total_inactive_file": 150,
                                              "total_active_file": 250}},
}  # fmt: skip


def test_the_engines_statistics_are_read_without_file_cache_and_stand_after_its_end() -> None:
    readings = [READING]
    meter = ReportedUsage(lambda: readings[-1], has_quota=True)
    try:
        usage = meter.usage()
        assert (usage.cpu_s, usage.memory_bytes, usage.source) == (2.5, 600, "engine")
        assert (usage.throttled_periods, usage.throttled_s) == (4, 0.5)
        readings.append({"cpu_stats": {}, "memory_stats": {}})
        assert meter.usage() == usage
        readings.append({**READING, "memory_stats": {"usage": 500, "stats": {"inactive_file": 10, "active_file": 20}}})
        assert (meter.usage().memory_bytes, meter.usage().memory_peak_bytes) == (470, 600)
        meter.reset_memory_peak()
        assert meter.usage().memory_peak_bytes == 470
    finally:
        meter.close()


def test_cpus_of_an_engine_in_a_virtual_machine_are_its_own() -> None:
    engine = Engine(client=NO_CLIENT, host="tcp://127.0.0.1:1", socket_path=None, is_native=False, cpus=4)
    share = share_cpus(Limits(cpus=2), engine)
    assert (share.engine_set, share.host_set, share.options) == ((2, 3), None, {"cpuset_cpus": "2,3"})
    assert share_cpus(Limits(), engine).options == {}
    assert share_cpus(Limits(cpus=1.5), engine).options == {"nano_cpus": 1_500_000_000}
    assert share_cpus(Limits(cpus=1, cpu_set=(3,)), engine).options == {"cpuset_cpus": "3"}
    with pytest.raises(ContainerLimitError, match=r"5 CPUs.*4"):
        share_cpus(Limits(cpus=5), engine)
