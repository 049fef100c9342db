"""A model directory or archive served by gunicorn."""

import sys
import tarfile
import threading
from pathlib import Path

import pytest

from planner.container.contract import ExecutionParameters, Limits
from planner.container.cpus import available_cpus
from planner.container.model_dir import ModelDirectoryContainer
from planner.errors import ContainerStartError, InputMissingError, MissingDependencyError, ModelArchiveError
from tests.container.contract import LINES, OwnedContainerContract
from tests.container.traces import MODEL, eventually

ONE_WORKER = {"SAGEMAKER_MODEL_SERVER_WORKERS": "1"}


class TestModelDirectory(OwnedContainerContract):
    backend = "model-dir"
    parameters = ExecutionParameters(max_concurrent_transforms=1, batch_strategy="MultiRecord", max_payload_mb=6)

    @classmethod
    def make(cls, **environment: str) -> ModelDirectoryContainer:
        return ModelDirectoryContainer(MODEL, environment=ONE_WORKER | environment, startup_timeout_s=30)

    @classmethod
    def make_silent(cls) -> ModelDirectoryContainer:
        return ModelDirectoryContainer(MODEL, environment=ONE_WORKER | {"MODEL_FAULT": "hang"}, startup_timeout_s=0.8)

    @classmethod
    def source(cls) -> str:
        return f"ModelDirectoryContainer(Path({str(MODEL)!r}))"


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """The model in AWS's layout: code/inference.py."""
    path = tmp_path / "model.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        tar.add(MODEL / "factor.txt", "./factor.txt")
        tar.add(MODEL / "inference.py", "./code/inference.py")
    return path


def test_an_archive_in_the_layout_of_aws_is_served_and_its_extraction_removed(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    with ModelDirectoryContainer(archive, environment=ONE_WORKER) as container:
        assert container.invoke(b"4\n", content_type=LINES).body == b"8.0\n"
    assert not list(scratch.iterdir())


def test_a_container_that_is_never_started_leaves_no_extraction(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    container = ModelDirectoryContainer(archive)
    assert len(list(scratch.iterdir())) == 1
    del container
    assert not list(scratch.iterdir())


def test_every_worker_is_ready_at_the_start_and_all_of_them_work() -> None:
    with ModelDirectoryContainer(MODEL, environment={"SAGEMAKER_MODEL_SERVER_WORKERS": "2"}) as container:
        assert container.description.workers == 2
        answers: set[bytes] = set()
        clients = [
            threading.Thread(
                target=lambda: answers.add(container.invoke(b'"burn"\n"process"\n', content_type=LINES).body)
            )
            for _ in range(4)
        ]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
        assert len(answers) == 2


def test_workers_default_to_the_cpus_it_may_use() -> None:
    assert ModelDirectoryContainer(MODEL).description.workers == len(available_cpus())
    pinned = ModelDirectoryContainer(MODEL, limits=Limits(cpus=1)).description
    assert (pinned.workers, pinned.worker_variable) == (1, "SAGEMAKER_MODEL_SERVER_WORKERS")


def test_threads_of_the_numeric_libraries_default_to_one_and_the_user_decides() -> None:
    files = sorted(MODEL.rglob("*.*"))
    with ModelDirectoryContainer(MODEL, environment=ONE_WORKER | {"OMP_NUM_THREADS": "2"}) as container:
        container.invoke(b'"environment"\n', content_type=LINES)
        assert sorted(MODEL.rglob("*.*")) == files, "the user's directory is left as it is"
        assert eventually(lambda: "OMP_NUM_THREADS" in container.log_tail())
        log = container.log_tail()
    assert '"OMP_NUM_THREADS": "2"' in log
    assert '"OPENBLAS_NUM_THREADS": "1"' in log
    assert f'"SM_MODEL_DIR": "{MODEL}"' in log


@pytest.mark.parametrize("variable", ["SAGEMAKER_MODEL_SERVER_WORKERS", "SAGEMAKER_MODEL_SERVER_TIMEOUT"])
@pytest.mark.parametrize("text", ["0", "two", "-1", ""])
def test_settings_that_are_not_counts_are_refused_by_name(variable: str, text: str) -> None:
    with pytest.raises(ContainerStartError, match=f"{variable}={text!r}"):
        ModelDirectoryContainer(MODEL, environment={variable: text})


def test_a_missing_function_is_named_when_it_does_not_start(tmp_path: Path) -> None:
    (tmp_path / "inference.py").write_text(
        "def model_fn(model_dir): return 1\ndef input_fn(body, content_type): pass\n"
    )
    with pytest.raises(ContainerStartError, match="does not define predict_fn, output_fn"):
        ModelDirectoryContainer(tmp_path, environment=ONE_WORKER).start()


def test_functions_may_return_nothing_and_bytes_without_a_type(tmp_path: Path) -> None:
    """A hook that returns None would be skipped by the plug-in library: the user's function may."""
    (tmp_path / "inference.py").write_text(
        "def model_fn(model_dir): return None\n"
        "def input_fn(body, content_type): return None\n"
        "def predict_fn(data, model): return None if data is None and model is None else 1\n"
        "def output_fn(prediction, accept): return b'nothing' if prediction is None else b'something'\n"
    )
    with ModelDirectoryContainer(tmp_path, environment=ONE_WORKER) as container:
        answer = container.invoke(b"x", content_type="text/plain", accept="text/csv, */*;q=0.1")
        assert (answer.status, answer.body) == (200, b"nothing")
        assert answer.content_type is not None
        assert answer.content_type.startswith("text/csv")


def test_what_is_not_there_and_what_is_not_a_model_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(InputMissingError, match="no such model"):
        ModelDirectoryContainer(tmp_path / "absent")
    (tmp_path / "weights.bin").write_bytes(b"x")
    with pytest.raises(ModelArchiveError, match=r"inference\.py.*weights\.bin"):
        ModelDirectoryContainer(tmp_path)


def test_modules_in_the_callers_working_directory_do_not_get_into_the_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("planner", "gunicorn", "inference_server", "inference"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('the wrong module')")
    monkeypatch.chdir(tmp_path)
    with ModelDirectoryContainer(MODEL, environment=ONE_WORKER) as container:
        assert container.invoke(b"1\n", content_type=LINES).body == b"2.0\n"


@pytest.mark.parametrize("package", ["gunicorn", "inference_server"])
def test_a_missing_server_package_is_named_with_the_way_to_get_it(
    package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingDependencyError, match=rf"{package}.*batch-transform-planner\[serve\]"):
        ModelDirectoryContainer(MODEL)


@pytest.mark.parametrize(
    ("script", "fault"),
    [
        ("def model_fn(:", "SyntaxError: invalid syntax"),
        ("import no_such_package", "ModuleNotFoundError: No module named 'no_such_package'"),
        ("def model_fn(model_dir): ...", "does not define input_fn, predict_fn, output_fn"),
    ],
)
def test_what_is_wrong_with_a_script_stands_at_the_end_whatever_the_number_of_workers(
    script: str, fault: str, tmp_path: Path
) -> None:
    (tmp_path / "inference.py").write_text(script)
    with pytest.raises(ContainerStartError) as raised:
        ModelDirectoryContainer(tmp_path, environment={"SAGEMAKER_MODEL_SERVER_WORKERS": "3"}).start()
    assert fault in "\n".join(str(raised.value).splitlines()[-6:])
    assert "HaltServer" not in str(raised.value)
