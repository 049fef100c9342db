"""What the account has in one region: its models, its transform jobs, and the quotas on their instances."""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from planner.documents import Json
from planner.jobs.endpoint.refusal import IN_USE, LIMIT_EXCEEDED, NOT_FOUND, VALIDATION, Refusal

Status: TypeAlias = Literal["InProgress", "Completed", "Failed", "Stopping", "Stopped"]

ACCOUNT: Final = "000000000000"
RUNNING: Final = ("InProgress", "Stopping")


@dataclass(frozen=True, slots=True, kw_only=True)
class Quotas:
    """Most instances in use by transform jobs at once; what is not named has no limit."""

    by_type: Mapping[str, int] = field(default_factory=dict)
    total: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A model as it was created."""

    name: str
    arn: str
    request: Json
    created_at: float
    """Unix time, s; as all times of this module."""

    @property
    def containers(self) -> list[Json]:
        """Its ContainerDefinitions: the one, or those of the inference pipeline."""
        primary = self.request.get("PrimaryContainer")
        return [primary] if primary is not None else list(self.request.get("Containers", ()))


@dataclass(slots=True, kw_only=True)
class Job:
    """A transform job. Fields from `status` on change, under the store's lock only."""

    name: str
    arn: str
    request: Json
    created_at: float
    status: Status = "InProgress"
    modified_at: float
    started_at: float | None = None
    ended_at: float | None = None
    failure_reason: str | None = None

    @property
    def instance_type(self) -> str:
        """TransformResources.InstanceType."""
        return str(self.request["TransformResources"]["InstanceType"])

    @property
    def instance_count(self) -> int:
        """TransformResources.InstanceCount."""
        return int(self.request["TransformResources"]["InstanceCount"])


class Store:
    """Models and jobs of one region, in memory, safe for many threads.

    Names of jobs are used up for good, since there is no DeleteTransformJob; a restart of the endpoint forgets them.
    """

    def __init__(self, region: str, quotas: Quotas) -> None:
        self._region = region
        self._quotas = quotas
        self._lock = threading.RLock()
        self._models: dict[str, Model] = {}
        self._jobs: dict[str, Job] = {}

    def add_model(self, request: Json) -> Model:
        """The new model. Raises Refusal if there is one of that name."""
        name = request["ModelName"]
        with self._lock:
            if name in self._models:
                raise Refusal(VALIDATION, f'Cannot create already existing model "{self._models[name].arn}".')
            model = Model(name=name, arn=self._arn("model", name), request=request, created_at=time.time())
            self._models[name] = model
            return model

    def model(self, name: str, code: str = VALIDATION) -> Model:
        """The model of that name. Raises Refusal with the code."""
        with self._lock:
            if name not in self._models:
                raise Refusal(code, f'Could not find model "{self._arn("model", name)}".')
            return self._models[name]

    def remove_model(self, name: str) -> None:
        """Forget a model; jobs that use it go on. Raises Refusal."""
        with self._lock:
            self.model(name)
            del self._models[name]

    def models(self) -> list[Model]:
        """All models."""
        with self._lock:
            return list(self._models.values())

    def add_job(self, request: Json) -> Job:
        """The new job. Raises Refusal for a name that has been used, and for instances above a quota."""
        name, now = request["TransformJobName"], time.time()
        with self._lock:
            if name in self._jobs:
                raise Refusal(
                    IN_USE,
                    "Job name must be unique within an AWS account and region, and a job with this name already exists "
                    f"({self._jobs[name].arn})",
                )
            job = Job(name=name, arn=self._arn("transform-job", name), request=request, created_at=now, modified_at=now)
            self._check_quotas(job)
            self._jobs[name] = job
            return job

    def job(self, name: str) -> Job:
        """The job of that name. Raises Refusal."""
        with self._lock:
            if name not in self._jobs:
                raise Refusal(NOT_FOUND, f"Could not find transform job with name {name}")
            return self._jobs[name]

    def jobs(self) -> list[Job]:
        """All jobs."""
        with self._lock:
            return list(self._jobs.values())

    def start_job(self, job: Job) -> None:
        """The job has its instances from now on."""
        with self._lock:
            job.started_at = job.modified_at = time.time()

    def stop_job(self, job: Job) -> bool:
        """Whether the job was in progress, and is now stopping. Raises Refusal if it has ended."""
        with self._lock:
            if job.status not in RUNNING:
                raise Refusal(
                    VALIDATION, f"The request was rejected because the transform job is in status {job.status}."
                )
            was_in_progress = job.status == "InProgress"
            job.status, job.modified_at = "Stopping", time.time()
            return was_in_progress

    def end_job(self, job: Job, status: Literal["Completed", "Failed", "Stopped"], reason: str | None) -> None:
        """The job has come to its end."""
        with self._lock:
            job.ended_at = job.modified_at = time.time()
            job.status, job.failure_reason = status, reason

    def _arn(self, kind: str, name: str) -> str:
        return f"arn:aws:sagemaker:{self._region}:{ACCOUNT}:{kind}/{name.lower()}"

    def _check_quotas(self, job: Job) -> None:
        running = [other for other in self._jobs.values() if other.status in RUNNING]
        of_type = sum(other.instance_count for other in running if other.instance_type == job.instance_type)
        everywhere = sum(other.instance_count for other in running)
        for what, limit, used in (
            (f"{job.instance_type} for transform job usage", self._quotas.by_type.get(job.instance_type), of_type),
            ("Number of instances across all transform jobs", self._quotas.total, everywhere),
        ):
            if limit is not None and used + job.instance_count > limit:
                raise Refusal(
                    LIMIT_EXCEEDED,
                    f"The account-level service limit '{what}' is {limit} Instances, with current utilization of "
                    f"{used} Instances and a request delta of {job.instance_count} Instances. Please use AWS Service "
                    "Quotas to request an increase for this quota.",
                )
