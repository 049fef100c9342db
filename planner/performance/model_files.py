"""What the files of a model say of the arithmetic that its inference needs.

Files are searched for the names of operators and classes, and never loaded. ONNX graphs spell their operators in plain
text, pickles and uncompressed joblib files the modules of their classes, PyTorch archives the same in a pickle that is
stored as it is.
"""

import mmap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from planner.container.archive import ArchiveLimits, OpenModel
from planner.errors import InputMissingError, ModelArchiveError
from planner.performance.benchmark_scores import WorkloadClass
from planner.units import MIB, show_bytes

_LARGEST: Final = ArchiveLimits(total_bytes=256 * MIB)
"""A larger model is not read again just to be classified."""

_TREES: Final = (
    b"sklearn.tree._tree",
    b"sklearn.ensemble._hist_gradient_boosting.predictor",
    b"xgboost.core",
    b"lightgbm.basic",
    b"catboost.core",
)
_TREE_OPERATORS: Final = (b"TreeEnsembleClassifier", b"TreeEnsembleRegressor", b"TreeEnsemble")
_EIGHT_BIT_OPERATORS: Final = (b"QLinearConv", b"QLinearMatMul", b"MatMulInteger", b"ConvInteger", b"DequantizeLinear")
_EIGHT_BIT_TORCH: Final = (b"torch.ao.nn.quantized", b"torch.nn.quantized", b"quantized::")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rule:
    """A file that holds one of these names (none: any file) is of the class."""

    workload_class: WorkloadClass
    what: str
    names: tuple[bytes, ...] = ()


_PICKLE: Final = (_Rule(workload_class="scalar", what="decision trees", names=_TREES),)
_TORCH: Final = (
    _Rule(workload_class="int8_dnn", what="quantized PyTorch model", names=_EIGHT_BIT_TORCH),
    _Rule(workload_class="fp_simd", what="PyTorch model"),
)
_WEIGHTS: Final = (_Rule(workload_class="fp_simd", what="weights of a neural network"),)
_BOOSTED: Final = (_Rule(workload_class="scalar", what="boosted decision trees"),)
_BY_SUFFIX: Final[Mapping[str, tuple[_Rule, ...]]] = {
    ".onnx": (
        _Rule(workload_class="scalar", what="ONNX graph of decision trees", names=_TREE_OPERATORS),
        _Rule(workload_class="int8_dnn", what="ONNX graph with 8-bit operators", names=_EIGHT_BIT_OPERATORS),
        _Rule(workload_class="fp_simd", what="ONNX graph without 8-bit operators"),
    ),
    **dict.fromkeys((".pt", ".pth"), _TORCH),
    **dict.fromkeys((".safetensors", ".keras", "saved_model.pb"), _WEIGHTS),
    **dict.fromkeys((".joblib", ".pkl", ".pickle"), _PICKLE),
    **dict.fromkeys((".ubj", ".xgb", ".cbm", ".lgb"), _BOOSTED),
}
"""By suffix or whole name; the first rule that fits decides."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """The class that a model's files show, or why none."""

    workload_class: WorkloadClass | None
    words: str


def evidence_of(target: str, digest: str) -> Evidence:
    """What the model at this path shows, if it still is the profiled one (by its digest)."""
    path = Path(target)
    if not path.exists():
        return _none("the profiled model is not on this machine any more")
    try:
        if (
            path.is_dir()
            and sum(file.stat().st_size for file in path.rglob("*") if file.is_file()) > _LARGEST.total_bytes
        ):
            return _none(f"{target} is larger than {show_bytes(_LARGEST.total_bytes)} and was not searched")
        model = OpenModel(path, _LARGEST, needs_script=False)
        try:
            if model.digest != digest:
                return _none(f"{target} is not what was profiled")
            return _in_folder(model.folder)
        finally:
            model.close()
    except (InputMissingError, ModelArchiveError, OSError) as error:
        return _none(f"{target} could not be searched: {error}")


def _none(words: str) -> Evidence:
    return Evidence(workload_class=None, words=words)


def _in_folder(folder: Path) -> Evidence:
    """The one class that all telling files agree on."""
    found: Mapping[WorkloadClass, str] = dict(_telling(folder))
    if len(found) == 1:
        ((workload_class, words),) = found.items()
        return Evidence(workload_class=workload_class, words=words)
    if not found:
        return _none("no file of the model tells")
    return _none(f"the model's files disagree: {'; '.join(found.values())}")


def _telling(folder: Path) -> Iterator[tuple[WorkloadClass, str]]:
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() or not path.is_file() or not path.stat().st_size:
            continue
        found = _of_file(path)
        if found is not None:
            workload_class, what = found
            yield workload_class, f"{path.relative_to(folder)} ({what})"


def _of_file(path: Path) -> tuple[WorkloadClass, str] | None:
    """The class of one file's arithmetic; None where it tells nothing."""
    rules = _BY_SUFFIX.get(path.name if path.name in _BY_SUFFIX else path.suffix.lower(), ())
    return next(
        ((rule.workload_class, rule.what) for rule in rules if not rule.names or _holds(path, rule.names)), None
    )


def _holds(path: Path, names: tuple[bytes, ...]) -> bool:
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return any(content.find(name) >= 0 for name in names)
