"""An image as a container, on a real engine; where there is none, or no base image, these tests skip and say so."""

import contextlib
import os
import select
import signal
import socket
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest

from planner.container.contract import ExecutionParameters, Limits
from planner.container.docker import DockerContainer
from planner.container.docker_engine import NAME, connect
from planner.errors import ContainerDiedError, ContainerLimitError, ContainerStartError, MissingDependencyError
from tests.container.contract import LINES, OwnedContainerContract
from tests.container.docker_image import IMAGE, engine_traces, model_archive, why_not
from tests.container.model.inference import BURN_S
from tests.container.traces import MODEL, eventually

if why_not():
    pytest.skip(why_not(), allow_module_level=True)
OWN: dict[str, str | list[str] | bool] = {"label": f"{NAME}.process={os.getpid()}"}
_REAL_CONNECT = socket.socket.connect


@pytest.fixture(autouse=True)
def _loopback_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stands for the guard of all other tests: containers have addresses of their own, on this machine only."""
    monkeypatch.setattr(socket.socket, "connect", _REAL_CONNECT)


@pytest.fixture(autouse=True)
def _nothing_is_left() -> Iterator[None]:
    """Whatever a test does, in the end the engine has nothing of this process, except for what a class shares."""
    before = set(engine_traces(os.getpid()))
    yield
    assert set(engine_traces(os.getpid())) <= before


class TestDocker(OwnedContainerContract):
    backend = "docker"
    parameters = ExecutionParameters(max_concurrent_transforms=2, batch_strategy="MultiRecord", max_payload_mb=6)

    @classmethod
    def make(cls, **environment: str) -> DockerContainer:
        said = '{"MaxConcurrentTransforms": 2, "BatchStrategy": "MULTI_RECORD", "MaxPayloadInMB": 6}'
        return DockerContainer(IMAGE, model=MODEL, environment={"PARAMETERS": said, **environment})

    @classmethod
    def make_silent(cls) -> DockerContainer:
        return DockerContainer(IMAGE, model=MODEL, environment={"MODEL_FAULT": "hang"}, startup_timeout_s=1)

    @classmethod
    def source(cls) -> str:
        return f"DockerContainer({IMAGE!r}, model=model)"

    def test_a_planner_that_is_killed_leaves_nothing(self, scratch: Path) -> None:
        """As for the other backends; the model is an archive, so that there is a folder to remove."""
        archive = model_archive(scratch.parent, MODEL)
        program = (
            f"import sys, tempfile; tempfile.tempdir = {str(scratch)!r}\n"
            "from pathlib import Path\nfrom planner.container import DockerContainer\n"
            f"model = Path({str(archive)!r})\n"
            f"container = {self.source()}\ncontainer.start()\nprint('started', flush=True)\nsys.stdin.read()"
        )
        with subprocess.Popen(
            [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as planner:
            assert planner.stdout is not None
            assert planner.stdout.readline() == b"started\n"
            assert len(engine_traces(planner.pid)) == 2  # container and network
            left = psutil.Process(planner.pid).children(recursive=True)
            assert list(scratch.iterdir())
            planner.kill()
        assert eventually(lambda: not engine_traces(planner.pid))
        assert eventually(lambda: not list(scratch.iterdir()))
        assert eventually(lambda: not any(process.is_running() for process in left))


def test_what_a_planner_left_without_its_watcher_goes_at_the_next_start() -> None:
    program = (
        "import os, psutil\nfrom pathlib import Path\nfrom planner.container import DockerContainer\n"
        f"DockerContainer({IMAGE!r}, model=Path({str(MODEL)!r})).start()\n"
        "[child.kill() for child in psutil.Process().children()]\nos._exit(0)"
    )
    with subprocess.Popen([sys.executable, "-c", program]) as planner:
        assert planner.wait() == 0
    assert len(engine_traces(planner.pid)) == 2
    with DockerContainer(IMAGE, model=MODEL):
        assert not engine_traces(planner.pid)


def test_ctrl_c_while_it_starts_leaves_nothing() -> None:
    container = DockerContainer(IMAGE, model=MODEL, environment={"MODEL_FAULT": "hang"})
    ctrl_c = threading.Timer(0.7, os.kill, (os.getpid(), signal.SIGINT))
    ctrl_c.start()
    with pytest.raises(KeyboardInterrupt):
        container.start()
    ctrl_c.join()
    container.stop()


def test_two_containers_run_side_by_side_and_the_network_goes_with_the_last() -> None:
    with DockerContainer(IMAGE, model=MODEL) as one:
        with DockerContainer(IMAGE, model=MODEL) as two:
            assert one.address != two.address
            assert len(engine_traces(os.getpid())) == 3
        assert one.invoke(b"1\n", content_type=LINES).body == b"2.0\n"
        assert len(engine_traces(os.getpid())) == 2


def test_it_reaches_no_other_network_unless_asked() -> None:
    script = "import socket; s = socket.socket(); s.settimeout(2); s.connect((%r, %d))"
    with DockerContainer(IMAGE, model=MODEL, network=True) as outside:
        command = ["python3", "-c", script % (outside.address.host, outside.address.port)]
        before = set(engine_traces(os.getpid()))
        for network, status in ((False, 1), (True, 0)):
            with DockerContainer(IMAGE, model=MODEL, network=network) as container, closing(connect()) as engine:
                assert container.address != outside.address
                inside = {str(found.id): found for found in engine.client.containers.list(filters=OWN)}
                (found,) = (inside[name] for name in inside.keys() - before)
                assert found.exec_run(command).exit_code == status


def test_the_model_is_mounted_read_only() -> None:
    with DockerContainer(IMAGE, model=MODEL), closing(connect()) as engine:
        found = engine.client.containers.list(filters=OWN)[0]
        assert b"Read-only file system" in found.exec_run(["/bin/sh", "-c", "echo 3 > /opt/ml/model/factor.txt"]).output


def test_whole_cpus_are_pinned_and_a_fraction_is_a_quota_whose_halts_are_counted() -> None:
    with DockerContainer(IMAGE, model=MODEL, limits=Limits(cpus=1)) as pinned:
        assert pinned.invoke(b'"cpus"\n', content_type=LINES).body == b"1.0\n"
        assert pinned.description.cpu_set is not None
        usage = pinned.usage()
        assert usage is not None
        assert usage.throttled_periods is None
    with DockerContainer(IMAGE, model=MODEL, limits=Limits(cpus=0.2)) as halted:
        halted.invoke(b'"burn"\n', content_type=LINES)
        usage = halted.usage()
        assert usage is not None
        assert usage.throttled_periods is not None
        assert usage.throttled_periods > 3
        assert usage.throttled_s is not None
        assert usage.throttled_s > 0.1
        assert halted.description.cpu_set is None


@pytest.mark.parametrize("cpus", [0.001, 100_000, 99_999.5])
def test_cpus_that_the_engine_does_not_have_are_refused(cpus: float) -> None:
    with pytest.raises(ContainerLimitError, match=f"{cpus:g}"):
        DockerContainer(IMAGE, limits=Limits(cpus=cpus))


def test_a_server_beyond_its_memory_limit_is_named_out_of_memory() -> None:
    small = DockerContainer(IMAGE, model=MODEL, limits=Limits(memory_bytes=48 * 2**20))
    with small, pytest.raises(ContainerDiedError, match=r"memory limit of 48 MiB"):
        small.invoke(b'"allocate"\n', content_type=LINES)


def test_the_usage_says_where_it_comes_from_and_outlives_the_server() -> None:
    with DockerContainer(IMAGE, model=MODEL) as container:
        usage = container.usage()
        assert usage is not None
        assert usage.source in {"cgroup-v1", "cgroup-v2", "engine"}
        with pytest.raises(ContainerDiedError):
            container.invoke(b'"die"\n', content_type=LINES)
        last = container.usage()
        assert last is not None
        assert last.cpu_s >= usage.cpu_s > 0


def test_an_image_that_is_not_there_is_not_pulled_but_named() -> None:
    with pytest.raises(ContainerStartError, match="docker pull no-such-image:7"):
        DockerContainer("no-such-image:7")


def test_an_image_without_the_serve_program_is_refused_and_says_so() -> None:
    with pytest.raises(ContainerStartError, match=r"no program named serve|failed to exec"):
        DockerContainer("batch-transform-planner/base").start()


@contextlib.contextmanager
def engine_behind_tcp(socket_path: str) -> Iterator[str]:
    """The engine as a DOCKER_HOST that is no Unix socket: as if it ran in a virtual machine."""

    class Forward(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with socket.socket(socket.AF_UNIX) as inner:
                inner.connect(socket_path)
                pairs = {inner: self.request, self.request: inner}
                while True:
                    for source in select.select(list(pairs), [], [])[0]:
                        chunk = source.recv(65536)
                        if not chunk:
                            return
                        pairs[source].sendall(chunk)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Forward) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"tcp://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def test_an_engine_apart_is_used_by_a_published_port_and_its_own_statistics() -> None:
    host = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
    if not host.startswith("unix:"):
        pytest.skip("the engine is apart already")
    with engine_behind_tcp(urlsplit(host).path) as apart, pytest.MonkeyPatch.context() as patch:
        patch.setenv("DOCKER_HOST", apart)
        with pytest.raises(ContainerStartError, match="--network"):
            DockerContainer(IMAGE, model=MODEL)
        with DockerContainer(IMAGE, model=MODEL, network=True, limits=Limits(cpus=1)) as container:
            assert container.address.host == "127.0.0.1"
            assert container.description.cpu_set is None
            before = container.usage()
            assert container.invoke(b'"cpus"\n"burn"\n', content_type=LINES).body == b"1.0\n0.0\n"
            after = container.usage()
            assert before is not None
            assert after is not None
            assert after.source == "engine"
            assert BURN_S - 0.02 <= after.cpu_s - before.cpu_s <= BURN_S + 0.15
            assert after.memory_peak_bytes > 2**20


def test_an_engine_that_is_not_there_is_said_with_what_to_do(tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no.sock")
        with pytest.raises(MissingDependencyError, match=r"no\.sock.*DOCKER_HOST"):
            DockerContainer(IMAGE)


def test_the_description_tells_image_and_model_apart(tmp_path: Path) -> None:
    bare = DockerContainer(IMAGE).description
    mounted = DockerContainer(IMAGE, model=MODEL, environment={"SAGEMAKER_MODEL_SERVER_WORKERS": "3"}).description
    assert bare.digest is not None
    assert mounted.digest is not None
    assert mounted.digest.startswith(f"{bare.digest} sha256:")
    assert (mounted.workers, mounted.worker_variable) == (3, "SAGEMAKER_MODEL_SERVER_WORKERS")
    assert (bare.workers, bare.target) == (None, IMAGE)
