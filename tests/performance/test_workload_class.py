import pickle
import tarfile
from pathlib import Path

import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

from planner.catalogue import instance_type
from planner.container.archive import digest_model
from planner.documents import replace
from planner.performance.benchmark_scores import WorkloadClass
from planner.performance.hardware import relative_speed
from planner.performance.model_files import evidence_of
from planner.performance.workload_class import Classified, classified
from planner.profiling.profile import Profile
from tests.performance.synthetic import synthetic_profile

FILES: list[tuple[str, bytes, WorkloadClass | None]] = [
    ("model.onnx", b"\x08\x07 Gemm Relu", "fp_simd"),
    ("model.onnx", b"\x08\x07 QLinearConv", "int8_dnn"),
    ("model.onnx", b"\x08\x07 TreeEnsembleClassifier", "scalar"),
    ("weights.pt", b"PK\x03\x04 torch.nn.modules.linear", "fp_simd"),
    ("weights.pt", b"PK\x03\x04 torch.ao.nn.quantized.modules.linear", "int8_dnn"),
    ("model.safetensors", b"\x00", "fp_simd"),
    ("saved_model.pb", b"\x00", "fp_simd"),
    ("model.xgb", b"binf", "scalar"),
    ("vocabulary.txt", b"a b c", None),
    ("model.onnx", b"", None),
]


@pytest.mark.parametrize(("name", "content", "expected"), FILES)
def test_a_models_files_show_its_arithmetic(
    tmp_path: Path, name: str, content: bytes, expected: WorkloadClass | None
) -> None:
    (tmp_path / name).write_bytes(content)
    found = evidence_of(str(tmp_path), digest_model(tmp_path))
    assert found.workload_class == expected
    assert (name in found.words) == (expected is not None)


def test_a_pickled_forest_is_trees_and_a_linear_model_tells_nothing(tmp_path: Path) -> None:
    inputs, labels = [[0.0], [1.0], [2.0], [3.0]], [0, 1, 0, 1]
    for kind, expected in ((RandomForestClassifier(n_estimators=2), "scalar"), (LogisticRegression(), None)):
        (tmp_path / "model.pkl").write_bytes(pickle.dumps(kind.fit(inputs, labels)))
        assert evidence_of(str(tmp_path), digest_model(tmp_path)).workload_class == expected


def test_an_archive_is_searched_as_its_folder_is(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "model.onnx").write_bytes(b"MatMulInteger")
    with tarfile.open(tmp_path / "model.tar.gz", "w:gz") as archive:
        archive.add(folder / "model.onnx", "model.onnx")
    assert evidence_of(str(tmp_path / "model.tar.gz"), digest_model(folder)).workload_class == "int8_dnn"


def test_files_that_disagree_tell_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.onnx").write_bytes(b"Gemm")
    (tmp_path / "b.xgb").write_bytes(b"binf")
    found = evidence_of(str(tmp_path), digest_model(tmp_path))
    assert found.workload_class is None
    assert "disagree" in found.words


def test_only_the_profiled_model_is_believed(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"Gemm")
    digest = digest_model(tmp_path)
    (tmp_path / "model.onnx").write_bytes(b"QLinearConv")
    changed, gone = evidence_of(str(tmp_path), digest), evidence_of(str(tmp_path / "gone"), digest)
    assert changed.workload_class is gone.workload_class is None
    assert "not what was profiled" in changed.words
    assert "not on this machine" in gone.words


def a_profile_of(folder: Path) -> Profile:
    profile = synthetic_profile()
    described = replace(profile.container, backend="model-dir", target=str(folder), digest=digest_model(folder))
    return replace(profile, container=described)


def test_a_class_is_given_or_inferred_or_unknown_and_says_which(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"Gemm")
    profile = a_profile_of(tmp_path)
    given, inferred, unknown = classified(profile, "scalar"), classified(profile), classified(synthetic_profile())
    assert (given.workload_class, inferred.workload_class, unknown.workload_class) == ("scalar", "fp_simd", "unknown")
    assert "given" in given.words
    assert "inferred from model.onnx" in inferred.words
    assert "all classes widen" in unknown.words
    assert "all classes widen" in classified(profile, "unknown").words


@pytest.mark.parametrize("name", ["ml.m7i.2xlarge", "ml.c5.4xlarge", "ml.c6i.24xlarge"])
@pytest.mark.parametrize("workload_class", ["scalar", "fp_simd", "int8_dnn"])
def test_an_inferred_class_covers_whatever_an_unknown_one_covers(name: str, workload_class: WorkloadClass) -> None:
    host, target = synthetic_profile().host, instance_type(name)
    inferred = Classified(workload_class=workload_class, inferred=True, words="").relative_speed(host, target)
    named, unknown = relative_speed(host, target, workload_class), relative_speed(host, target)
    for what in ("latency", "capacity_cores", "throughput"):
        found, of_class, of_all = (getattr(each, what) for each in (inferred, named, unknown))
        assert found.mid == of_class.mid
        assert found.low <= min(of_class.low, of_all.low)
        assert found.high >= max(of_class.high, of_all.high)
