"""Train the model on the digits that scikit-learn ships: python3 train.py MODEL_DIR."""

# ruff: noqa: INP001 - an image's own program, not a package

import sys
from pathlib import Path

import joblib
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier

pixels, labels = load_digits(return_X_y=True)
folder = Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)
joblib.dump(RandomForestClassifier(n_estimators=200, random_state=0).fit(pixels, labels), folder / "model.joblib")
