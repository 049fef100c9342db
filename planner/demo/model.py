"""The demo's model and records: a random forest on the digits data set that ships inside scikit-learn."""

import io
import json
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from planner.documents import written_whole
from planner.errors import MissingDependencyError

SEED: Final = 20260101
OBJECT_RECORDS: Final = (8_000, 40_000)
"""Records of the smallest and the largest object: real inputs are uneven."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoModel:
    """What was made."""

    archive: Path
    """model.tar.gz: model.joblib and inference.py."""
    sample: Path
    """JSON Lines: the held-out images, one record each."""
    input_folder: Path
    """Objects of a batch job: the held-out images over and over, in shuffled order."""
    accuracy: float
    """Share of the held-out images classified correctly."""
    trees: int


def make_demo_model(folder: Path, *, trees: int, objects: int) -> DemoModel:
    """Train, pack and write the input of a job into folder.

    The same arguments give the same records. Raises MissingDependencyError without scikit-learn.
    """
    try:
        from sklearn.datasets import load_digits
        from sklearn.ensemble import RandomForestClassifier
        from sklearn.model_selection import train_test_split
    except ImportError as error:
        raise MissingDependencyError(
            "the demo trains a scikit-learn model; install it with: pip install 'batch-transform-planner[demo]'"
        ) from error
    images, digits = load_digits(return_X_y=True)
    train_x, test_x, train_y, test_y = train_test_split(images, digits, test_size=0.4, random_state=SEED)
    model = RandomForestClassifier(n_estimators=trees, n_jobs=1, random_state=SEED).fit(train_x, train_y)
    lines = [json.dumps({"features": [int(pixel) for pixel in image]}, separators=(",", ":")) for image in test_x]
    sample = folder / "sample.jsonl"
    with written_whole(sample) as stream:
        stream.write("".join(f"{line}\n" for line in lines).encode())
    return DemoModel(
        archive=_pack(model, folder / "model.tar.gz"),
        sample=sample,
        input_folder=_write_input(lines, folder / "input", objects),
        accuracy=float(model.score(test_x, test_y)),
        trees=trees,
    )


def _pack(model: Any, archive: Path) -> Path:
    """Write model.tar.gz as SageMaker expects it: model.joblib and inference.py at the top."""
    import joblib

    weights = io.BytesIO()
    joblib.dump(model, weights)
    members = {
        "model.joblib": weights.getvalue(),
        "inference.py": (Path(__file__).parent / "inference.py").read_bytes(),
    }
    with written_whole(archive) as stream, tarfile.open(fileobj=stream, mode="w:gz", compresslevel=1) as tar:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return archive


def _write_input(lines: list[str], folder: Path, objects: int) -> Path:
    """Write the objects of the job: uneven, each a shuffle of the records."""
    import numpy as np

    generator = np.random.default_rng(SEED)
    for number in range(objects):
        count = int(generator.integers(*OBJECT_RECORDS, endpoint=True))
        chosen = generator.integers(len(lines), size=count)
        with written_whole(folder / f"part-{number:04d}.jsonl") as stream:
            stream.write("".join(f"{lines[i]}\n" for i in chosen).encode())
    return folder
