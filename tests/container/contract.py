"""What every way to have a container must do: each backend's test class inherits this suite."""

import shlex
import subprocess
import sys
import tempfile
import textwrap
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest

from planner.container.contract import Container, ContainerDescription, ExecutionParameters
from planner.documents import to_json
from planner.errors import ContainerDiedError, ContainerStartError, InvocationError
from tests.container.model.inference import ALLOCATE_BYTES, BURN_S
from tests.container.traces import cgroups, eventually, listens, processes

LINES = "application/jsonlines"


class UsageContract(ABC):
    """What a container says of its own use."""

    owns_server: ClassVar[bool] = True
    """False for a server that was there before and stays."""

    @classmethod
    @abstractmethod
    def make(cls, **environment: str) -> Container:
        """A container over tests/container/model with these variables, start-up limited to a few seconds."""

    @pytest.fixture(autouse=True)
    def scratch(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """Where temporary folders go in this test."""
        folder = tmp_path / "scratch"
        folder.mkdir()
        monkeypatch.setattr(tempfile, "tempdir", str(folder))
        return folder

    @pytest.fixture(scope="class")
    @classmethod
    def running(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Container]:
        """One for all tests that do it no harm."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(tempfile, "tempdir", str(tmp_path_factory.mktemp("scratch")))
            container = cls.make()
            with container:
                yield container

    def test_cpu_seconds_grow_by_the_work_done(self, running: Container) -> None:
        before = running.usage()
        running.invoke(b'"burn"\n', content_type=LINES)
        after = running.usage()
        if not self.owns_server:
            assert before is after is None
            return
        assert before is not None
        assert after is not None
        assert BURN_S - 0.02 <= after.cpu_s - before.cpu_s <= BURN_S + 0.15

    def test_cpu_seconds_of_ended_children_count(self, running: Container) -> None:
        before = running.usage()
        running.invoke(b'"burn in a child"\n', content_type=LINES)
        after = running.usage()
        if before is not None and after is not None:
            assert after.cpu_s - before.cpu_s >= BURN_S - 0.02

    def test_the_memory_peak_holds_what_was_given_back_until_it_is_reset(self, running: Container) -> None:
        running.reset_memory_peak()
        before = running.usage()
        running.invoke(b'"allocate"\n', content_type=LINES)
        after = running.usage()
        running.reset_memory_peak()
        reset = running.usage()
        if before is None or after is None or reset is None:
            assert not self.owns_server
            return
        slack = 8 * 2**20
        assert before.memory_peak_bytes < before.memory_bytes + slack
        assert abs(after.memory_peak_bytes - before.memory_bytes - ALLOCATE_BYTES) < slack
        assert after.memory_bytes < before.memory_bytes + slack
        assert reset.memory_peak_bytes < after.memory_bytes + slack


class ContainerContract(UsageContract):
    """Everything that any container must do."""

    backend: ClassVar[str]
    parameters: ClassVar[ExecutionParameters | None]
    """What its /execution-parameters says."""

    @classmethod
    @abstractmethod
    def make_silent(cls) -> Container:
        """One that never answers /ping, with a start-up limit of about a second."""

    def test_it_implements_the_protocol(self, running: Container) -> None:
        assert isinstance(running, Container)

    def test_its_description_is_known_before_it_starts_and_can_be_stored(self) -> None:
        container = self.make()
        try:
            assert isinstance(container.description, ContainerDescription)
            assert container.description.backend == self.backend
            assert f'"backend": "{self.backend}"' in to_json(container.description)
        finally:
            container.stop()

    def test_its_execution_parameters_are_read(self, running: Container) -> None:
        assert running.execution_parameters() == self.parameters

    def test_it_answers_one_line_per_record(self, running: Container) -> None:
        answer = running.invoke(b"1\n2\n3\n", content_type=LINES, accept="text/x-numbers")
        assert (answer.status, answer.body) == (200, b"2.0\n4.0\n6.0\n")
        assert answer.content_type is not None
        assert answer.content_type.startswith("text/x-numbers")

    def test_large_bodies_go_both_ways_unchanged(self, running: Container) -> None:
        answer = running.invoke(b"1\n" * 100_000, content_type=LINES)
        assert answer.body == b"2.0\n" * 100_000

    def test_input_that_it_cannot_read_is_an_answer_4xx_with_the_reason(self, running: Container) -> None:
        for body, content_type in ((b"{\n", LINES), (b"1,2\n", "text/csv")):
            answer = running.invoke(body, content_type=content_type)
            assert 400 <= answer.status < 500
        assert b"is not application/jsonlines" in answer.body

    def test_a_failing_model_is_an_answer_500_with_the_reason(self, running: Container) -> None:
        answer = running.invoke(b'"fail"\n', content_type=LINES)
        assert answer.status == 500
        assert b"the model is broken" in answer.body

    def test_no_answer_in_time_is_an_error_that_says_the_time_and_the_size(self) -> None:
        with self.make() as container:
            with pytest.raises(InvocationError, match=r"8 bytes.*within 0\.3 s"):
                container.invoke(b'"sleep"\n', content_type=LINES, timeout_s=0.3)
            container.check_alive()

    def test_a_server_that_dies_under_load_is_named_dead_with_its_last_words(self) -> None:
        with self.make() as container:
            with pytest.raises(ContainerDiedError) as caught:
                container.invoke(b'"die"\n', content_type=LINES)
            with pytest.raises(ContainerDiedError):
                container.check_alive()
            if self.owns_server:
                assert "last words" in str(caught.value)
                assert "last words" in container.log_tail()

    def test_one_that_never_answers_ping_is_refused_after_its_time_and_leaves_nothing(self, scratch: Path) -> None:
        container = self.make_silent()
        before = processes()
        with pytest.raises(ContainerStartError, match="/ping"):
            container.start()
        container.stop()
        assert set(processes()) <= set(before)
        assert not list(scratch.iterdir())

    def test_it_can_be_used_twice_and_leaves_nothing_after_a_stop_or_a_ctrl_c(self, scratch: Path) -> None:
        container = self.make()
        others = processes()

        def leaves_nothing() -> bool:
            return set(processes()) <= set(others) and not list(scratch.iterdir())

        assert container.start().ping_s > 0
        address = container.address
        assert container.invoke(b"1\n", content_type=LINES).body == b"2.0\n"
        container.check_alive()
        container.stop()
        container.stop()
        assert leaves_nothing()
        assert listens(address) is not self.owns_server
        with pytest.raises(KeyboardInterrupt), container:  # noqa: PT012 - the block is what is tested
            address = container.address
            assert container.invoke(b"1\n", content_type=LINES).body == b"2.0\n"
            raise KeyboardInterrupt
        assert leaves_nothing()
        assert listens(address) is not self.owns_server

    def test_stopping_before_the_start_is_harmless(self, scratch: Path) -> None:
        self.make().stop()
        assert not list(scratch.iterdir())


class OwnedContainerContract(ContainerContract):
    """What holds in addition where the planner starts the server."""

    @classmethod
    @abstractmethod
    def source(cls) -> str:
        """A Python expression that makes the container, for a process of its own."""

    def test_a_server_that_ends_at_once_is_refused_at_once_with_its_last_words(self, scratch: Path) -> None:
        container = self.make(MODEL_FAULT="raise")
        with pytest.raises(ContainerStartError, match="no such weights"):
            container.start()
        assert not list(scratch.iterdir())

    def test_its_environment_is_the_services_and_the_users_without_the_callers_credentials(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Read from the server's log: which can be read while it runs and after."""
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hidden-from-servers")
        container = self.make(GIVEN="by the user")
        with container:
            container.invoke(b'"environment"\n', content_type=LINES)
            assert eventually(lambda: "SAGEMAKER_BATCH" in container.log_tail())
            log = container.log_tail()
        assert '"SAGEMAKER_BATCH": "true"' in log
        assert '"GIVEN": "by the user"' in log
        assert "hidden-from-servers" not in log
        assert log in container.log_tail()

    def test_a_planner_that_is_killed_leaves_nothing(self, scratch: Path) -> None:
        program = f"""
            import sys, tempfile
            tempfile.tempdir = {str(scratch)!r}
            from pathlib import Path
            from planner.container import DockerContainer, ModelDirectoryContainer, ProcessContainer
            container = {self.source()}
            container.start()
            print("started", flush=True)
            sys.stdin.read()
        """
        command = [sys.executable, "-c", textwrap.dedent(program)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as planner:
            assert planner.stdout is not None
            assert planner.stdout.readline() == b"started\n"
            left = processes(planner.pid)
            assert left
            assert list(scratch.iterdir())
            planner.kill()
        assert eventually(lambda: not any(process.is_running() for process in left)), shlex.join(left[0].cmdline())
        assert eventually(lambda: not list(scratch.iterdir()))
        assert eventually(lambda: not cgroups(planner.pid))
