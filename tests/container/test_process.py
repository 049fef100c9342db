"""A command line as a container, by either way of accounting."""

import os
import shlex
import signal
import sys
import threading
from pathlib import Path

import psutil
import pytest

from planner.container.cgroup import make_cgroup
from planner.container.contract import ExecutionParameters, Limits
from planner.container.cpus import available_cpus
from planner.container.process import ProcessContainer
from planner.container.usage import Accounting
from planner.errors import ContainerDiedError, ContainerLimitError, ContainerStartError
from tests.container.contract import LINES, OwnedContainerContract, UsageContract
from tests.container.traces import PLAIN, eventually, listens, processes


def _cgroups_can_be_made() -> bool:
    try:
        make_cgroup().close()
    except OSError:
        return False
    return True


needs_cgroup = pytest.mark.skipif(not _cgroups_can_be_made(), reason="this user may not make control groups here")


class TestProcess(OwnedContainerContract):
    backend = "process"
    parameters = None

    @classmethod
    def make(cls, **environment: str) -> ProcessContainer:
        return ProcessContainer(PLAIN, environment=environment, startup_timeout_s=20)

    @classmethod
    def make_silent(cls) -> ProcessContainer:
        return ProcessContainer(PLAIN, environment={"MODEL_FAULT": "hang"}, startup_timeout_s=0.6)

    @classmethod
    def source(cls) -> str:
        return f"ProcessContainer({PLAIN!r})"

    def test_a_killed_supervisor_takes_the_server_with_it(self) -> None:
        with self.make() as container:
            supervisor = max(psutil.Process().children(), key=psutil.Process.create_time)
            server = supervisor.children()[0]
            supervisor.kill()
            assert eventually(lambda: not server.is_running() or server.status() == psutil.STATUS_ZOMBIE)
            with pytest.raises(ContainerDiedError):
                container.check_alive()


class TestUsageByProcessTree(UsageContract):
    @classmethod
    def make(cls, **environment: str) -> ProcessContainer:
        return ProcessContainer(PLAIN, environment=environment, accounting="process-tree")

    def test_the_usage_says_where_it_comes_from(self, running: ProcessContainer) -> None:
        usage = running.usage()
        assert usage is not None
        assert usage.source == "process-tree"


@needs_cgroup
def test_usage_comes_from_a_control_group_where_one_can_be_made() -> None:
    with ProcessContainer(PLAIN) as container:
        usage = container.usage()
        assert usage is not None
        assert usage.source in {"cgroup-v1", "cgroup-v2"}


@needs_cgroup
def test_a_process_beyond_the_memory_limit_is_killed_and_the_error_says_so() -> None:
    limits = Limits(memory_bytes=48 * 2**20)
    with ProcessContainer(PLAIN, limits=limits) as container:
        with pytest.raises(ContainerDiedError, match=r"memory limit of 48 MiB"):
            container.invoke(b'"allocate"\n', content_type=LINES)
        assert container.description.limits == limits


@needs_cgroup
def test_a_server_whose_workers_never_come_up_for_want_of_memory_is_refused_at_once_with_the_reason(
    tmp_path: Path,
) -> None:
    worker = "held = bytearray(2**28); held[::4096] = b'x' * len(held[::4096])"
    program = tmp_path / "master.py"
    program.write_text(
        f"import subprocess, sys, time\nwhile True:\n    subprocess.run([sys.executable, '-c', {worker!r}])\n"
        "    time.sleep(0.1)\n"
    )
    command = f"{shlex.quote(sys.executable)} {shlex.quote(str(program))}"
    container = ProcessContainer(command, limits=Limits(memory_bytes=64 * 2**20), startup_timeout_s=60)
    with pytest.raises(ContainerStartError, match=r"killed \d+ of its processes .* memory limit of 64 MiB"):
        container.start()


def test_a_memory_limit_without_a_control_group_is_refused_not_ignored() -> None:
    container = ProcessContainer(PLAIN, limits=Limits(memory_bytes=2**30), accounting="process-tree")
    with pytest.raises(ContainerLimitError, match="1 GiB"):
        container.start()


def test_a_cpu_limit_pins_the_server_and_the_description_says_where() -> None:
    with ProcessContainer(PLAIN, limits=Limits(cpus=1)) as container:
        assert container.invoke(b'"cpus"\n', content_type=LINES).body == b"1.0\n"
        assert container.description.cpu_set == (max(container.description.cpu_set or ()),)
        assert set(container.description.cpu_set) <= set(available_cpus())
        assert len(os.sched_getaffinity(0)) == len(available_cpus())


@needs_cgroup
def test_a_fraction_of_a_cpu_is_a_quota_whose_halts_are_counted() -> None:
    with ProcessContainer(PLAIN, limits=Limits(cpus=0.2)) as container:
        assert len(container.description.cpu_set or ()) == 1
        before = container.usage()
        container.invoke(b'"burn"\n', content_type=LINES)
        after = container.usage()
        assert before is not None
        assert after is not None
        assert after.throttled_periods is not None
        assert before.throttled_periods is not None
        assert after.throttled_periods > before.throttled_periods
        assert (after.throttled_s or 0) > 0
    with ProcessContainer(PLAIN, limits=Limits(cpus=1)) as pinned:
        usage = pinned.usage()
        assert usage is not None
        assert usage.throttled_periods is None


@pytest.mark.parametrize("accounting", [pytest.param("auto", marks=needs_cgroup), "process-tree"])
def test_what_threads_ran_is_seen_thread_by_thread(accounting: Accounting) -> None:
    with ProcessContainer(PLAIN, accounting=accounting) as container:
        container.invoke(b'"burn"\n', content_type=LINES)
        usage = container.usage()
        assert usage is not None
        if usage.threads is not None and sys.platform == "linux":
            assert 0 < sum(times.ran_s for times in usage.threads.values()) <= usage.cpu_s + 0.05
            assert all(times.waited_s >= 0 for times in usage.threads.values())


def test_a_fraction_of_a_cpu_without_a_control_group_is_refused_at_once() -> None:
    with pytest.raises(ContainerLimitError, match=r"0\.5 CPUs is a quota.*Run as root"):
        ProcessContainer(PLAIN, limits=Limits(cpus=0.5), accounting="process-tree")


@pytest.mark.parametrize("cpus", [0, 0.001, 100_000, 100_000.5])
def test_cpu_limits_that_the_machine_does_not_have_are_refused(cpus: float) -> None:
    with pytest.raises(ContainerLimitError, match=f"{cpus:g}"):
        ProcessContainer(PLAIN, limits=Limits(cpus=cpus))


def test_execution_parameters_come_through() -> None:
    said = '{"MaxConcurrentTransforms": 4, "BatchStrategy": "SINGLE_RECORD", "MaxPayloadInMB": 6}'
    with ProcessContainer(PLAIN, environment={"PARAMETERS": said}) as container:
        assert container.execution_parameters() == ExecutionParameters(
            max_concurrent_transforms=4, batch_strategy="SingleRecord", max_payload_mb=6
        )


@pytest.mark.parametrize("command", ["", "  ", "'unbalanced"])
def test_a_command_that_is_none_is_refused(command: str) -> None:
    with pytest.raises(ContainerStartError, match="command"):
        ProcessContainer(command).start()


def test_a_program_that_does_not_exist_is_named() -> None:
    with pytest.raises(ContainerStartError, match="cannot run no-such-program: No such file"):
        ProcessContainer("no-such-program --serve").start()


def test_an_exit_before_the_first_ping_gives_the_exit_code() -> None:
    with pytest.raises(ContainerStartError, match="exit code 7"):
        ProcessContainer(f"{sys.executable} -c 'raise SystemExit(7)'").start()


def test_a_port_of_the_users_choice_is_used_and_a_taken_one_refused() -> None:
    with ProcessContainer(PLAIN) as container:
        port = str(container.address.port)
        with pytest.raises(ContainerStartError, match=f"port {port}.*in use"):
            ProcessContainer(PLAIN, environment={"SAGEMAKER_BIND_TO_PORT": port}).start()
    with ProcessContainer(PLAIN, environment={"SAGEMAKER_BIND_TO_PORT": port}) as again:
        assert again.address.port == int(port)


@pytest.mark.parametrize("port", ["http", "0", "70000"])
def test_a_port_that_is_none_is_refused(port: str) -> None:
    with pytest.raises(ContainerStartError, match="not a port number"):
        ProcessContainer(PLAIN, environment={"SAGEMAKER_BIND_TO_PORT": port}).start()


def test_a_chatty_server_cannot_fill_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with ProcessContainer(PLAIN) as container:
        container.invoke(b'"flood"\n', content_type=LINES)  # 8 MB
        assert eventually(lambda: "line 79999 " in container.log_tail(1))
        assert sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file()) <= 2 * 2**20


def test_ctrl_c_while_it_starts_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    before = processes()
    container = ProcessContainer(PLAIN, environment={"MODEL_FAULT": "hang"}, startup_timeout_s=20)
    ctrl_c = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    ctrl_c.start()
    with pytest.raises(KeyboardInterrupt):
        container.start()
    ctrl_c.join()
    assert set(processes()) <= set(before)
    assert not list(tmp_path.iterdir())


def test_processes_that_detach_themselves_end_with_the_server() -> None:
    with ProcessContainer(PLAIN, accounting="process-tree") as container:
        container.invoke(b'"detach"\n', content_type=LINES)
        assert eventually(lambda: "detached " in container.log_tail())
        detached = psutil.Process(int(container.log_tail().split("detached ")[1].split()[0]))
        assert detached.is_running()
    assert not detached.is_running()


def test_a_server_that_ignores_sigterm_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("planner.container.process.GRACE_S", 0.2)
    stubborn = PLAIN.replace(" ", " -c 'import runpy, signal, sys; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
                             " sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0])' ", 1)  # fmt: skip
    before = processes()
    container = ProcessContainer(stubborn)
    container.start()
    address = container.address
    container.stop()
    assert set(processes()) <= set(before)
    assert not listens(address)


def test_workers_are_known_when_the_user_sets_them() -> None:
    said = ProcessContainer(PLAIN, environment={"SAGEMAKER_MODEL_SERVER_WORKERS": "3"}).description
    assert (said.workers, said.worker_variable) == (3, "SAGEMAKER_MODEL_SERVER_WORKERS")
    unsaid = ProcessContainer(PLAIN).description
    assert (unsaid.workers, unsaid.worker_variable) == (None, None)
