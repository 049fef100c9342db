"""Plan SageMaker Batch Transform jobs: profile a container here, find the cheapest configuration, emit the request.

The verbs of the command line are functions of this package, loaded when first used:

    import planner
    profile = planner.profile(...)
    plan = planner.recommend(...)
"""

from importlib import import_module
from typing import Any

_VERBS = {
    "inspect": "planner.records.scan",
    "profile": "planner.campaign.profiler",
    "predict": "planner.performance.predicting",
    "recommend": "planner.jobs.planned",
    "request": "planner.jobs.request",
    "simulate": "planner.jobs.simulation.simulate",
}

__all__ = ["inspect", "predict", "profile", "recommend", "request", "simulate"]


def __getattr__(name: str) -> Any:
    if name in _VERBS:
        return getattr(import_module(_VERBS[name]), name)
    raise AttributeError(f"module 'planner' has no attribute {name!r}")
