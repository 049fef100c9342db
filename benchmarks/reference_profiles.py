"""The profiles in profiles/: ``python benchmarks/reference_profiles.py [NAME ...] [--time-budget 60]``.

Each model is packed as a model directory, served here by gunicorn, and profiled as `planner profile` would with
nothing else asked for. Measure on a quiet machine: the script refuses to write a profile of which more than a fifth of
the points were strongly disturbed, unless told --busy.

    digits-forest    random forest of 200 trees on scikit-learn's digits, JSON Lines: a fixed cost per request
    cancer-boosting  scaler and gradient boosting on scikit-learn's breast cancer table, CSV: cheap records, OpenMP
    magika-onnx      the ONNX model in the magika package on this Python's own source files, JSON Lines: costly records
                     (needs: pip install magika)
"""

import argparse
import contextlib
import importlib.util
import json
import sys
import sysconfig
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from planner.campaign import profile
from planner.campaign.bench import STRONGLY_DISTURBED
from planner.container import Limits, open_container
from planner.demo.model import make_demo_model
from planner.documents import write_document
from planner.profiling.profile import Profile

PROFILES: Final = Path(__file__).parent.parent / "profiles"
MOST_DISTURBED: Final = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """What `make` leaves in the working folder."""

    make: Callable[[], None]
    """Writes `model` (a directory or archive) and `sample` under these names."""
    model: str
    sample: str
    content_type: str


def digits_forest() -> None:
    make_demo_model(Path(), trees=200, objects=1)


def cancer_boosting() -> None:
    import joblib
    from sklearn.datasets import load_breast_cancer
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    values, kinds = load_breast_cancer(return_X_y=True)
    Path("model").mkdir()
    fitted = make_pipeline(StandardScaler(), HistGradientBoostingClassifier(max_iter=100, random_state=0)).fit(
        values, kinds
    )
    joblib.dump(fitted, "model/model.joblib")
    Path("model/inference.py").write_text(CSV_INFERENCE)
    Path("sample.csv").write_text("".join(",".join(f"{value:g}" for value in row) + "\n" for row in values))


def magika_onnx() -> None:
    Path("model").mkdir()
    Path("model/inference.py").write_text(MAGIKA_INFERENCE)
    sources = sorted(Path(sysconfig.get_path("stdlib")).glob("**/*.py"))
    small = (path for path in sources if 50 < path.stat().st_size < 20_000 and "site-packages" not in path.parts)
    texts = (path.read_text(errors="replace") for path in list(small)[:2000])
    Path("sample.jsonl").write_text("".join(json.dumps({"content": text}) + "\n" for text in texts))


CSV_INFERENCE: Final = """
import io
import os

import joblib
import numpy as np


def model_fn(model_dir):
    return joblib.load(os.path.join(model_dir, "model.joblib"))


def input_fn(body, content_type):
    text = body.decode() if isinstance(body, bytes) else body
    return np.loadtxt(io.StringIO(text), delimiter=",", ndmin=2)


def predict_fn(rows, model):
    return model.predict_proba(rows)[:, 1]


def output_fn(scores, accept):
    return "".join(f"{score:.6f}\\n" for score in scores), "text/csv"
"""

MAGIKA_INFERENCE: Final = """
import json

from magika import Magika


def model_fn(model_dir):
    return Magika()


def input_fn(body, content_type):
    return [json.loads(line)["content"].encode() for line in body.splitlines()]


def predict_fn(texts, model):
    return [model.identify_bytes(text) for text in texts]


def output_fn(found, accept):
    lines = (json.dumps({"label": str(one.output.label), "score": round(one.score, 4)}) for one in found)
    return "".join(f"{line}\\n" for line in lines), "application/jsonlines"
"""

JSON_LINES: Final = "application/jsonlines"
MODELS: Final = {
    "digits-forest": Model(make=digits_forest, model="model.tar.gz", sample="sample.jsonl", content_type=JSON_LINES),
    "cancer-boosting": Model(make=cancer_boosting, model="model", sample="sample.csv", content_type="text/csv"),
    "magika-onnx": Model(make=magika_onnx, model="model", sample="sample.jsonl", content_type=JSON_LINES),
}


def measured(model: Model, time_budget_s: float) -> Profile:
    """The profile; paths in it are relative, so it names nothing of this machine."""
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        model.make()
        return profile(
            open_container(model_dir=Path(model.model), environment={}, limits=Limits()),
            payload=Path(model.sample),
            content_type=model.content_type,
            accept=model.content_type,
            time_budget_s=time_budget_s,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(MODELS))
    parser.add_argument("--time-budget", type=float, default=60.0, help="seconds of load each")
    parser.add_argument("--busy", action="store_true", help="write profiles of a disturbed machine too")
    parser.add_argument("--folder", type=Path, default=PROFILES)
    asked = parser.parse_args()
    unknown = set(asked.names) - set(MODELS)
    if unknown:
        sys.exit(f"no model {', '.join(sorted(unknown))}; there are {', '.join(MODELS)}")
    for name in asked.names or MODELS:
        if name.startswith("magika") and importlib.util.find_spec("magika") is None:
            print(f"{name}: left out, the magika package is not installed")
            continue
        found = measured(MODELS[name], asked.time_budget)
        disturbed = sum((row.disturbed_share or 0.0) > STRONGLY_DISTURBED for row in found.measurements)
        print(f"{name}: {len(found.measurements)} points, {disturbed} of them strongly disturbed; best {found.best}")
        if disturbed > MOST_DISTURBED * len(found.measurements) and not asked.busy:
            print(f"{name}: not written; measure on a quiet machine")
        else:
            write_document(asked.folder / f"{name}.json", found)


if __name__ == "__main__":
    main()
