"""A local SageMaker API: CreateModel, CreateTransformJob and what goes with them, jobs run for real on this machine."""

from planner.jobs.endpoint.executing import Execution
from planner.jobs.endpoint.images import ImageRule
from planner.jobs.endpoint.serving import open_endpoint
from planner.jobs.endpoint.storage import StorageSettings
from planner.jobs.endpoint.store import Quotas

__all__ = ["Execution", "ImageRule", "Quotas", "StorageSettings", "open_endpoint"]
