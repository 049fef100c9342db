"""How the container behaves where it was not measured."""

from planner.performance.model import PerformanceModel
from planner.performance.predicting import predict
from planner.performance.prediction import BOTTLENECKS, Bottleneck, Bounds, Columns, Prediction, Term

__all__ = ["BOTTLENECKS", "Bottleneck", "Bounds", "Columns", "PerformanceModel", "Prediction", "Term", "predict"]
