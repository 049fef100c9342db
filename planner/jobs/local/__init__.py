"""The job on this machine, byte for byte as the service would cut it."""

from planner.jobs.local.dispatch import Progress, RunProgress
from planner.jobs.local.outcome import raise_if_failed
from planner.jobs.local.run import OpenInstance, run_job
from planner.jobs.local.run_document import RunDocument
from planner.jobs.local.settings import JobSettings, settings_of

__all__ = [
    "JobSettings",
    "OpenInstance",
    "Progress",
    "RunDocument",
    "RunProgress",
    "raise_if_failed",
    "run_job",
    "settings_of",
]
