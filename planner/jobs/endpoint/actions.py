"""The operations: what each does with a checked input, and what it answers."""

from collections.abc import Callable, Mapping
from typing import Final

from planner.documents import Json
from planner.errors import PlannerError, RequestRejectedError
from planner.jobs.endpoint.executing import Runs
from planner.jobs.endpoint.paging import page
from planner.jobs.endpoint.places import place_of
from planner.jobs.endpoint.refusal import NOT_FOUND, VALIDATION, Refusal
from planner.jobs.endpoint.shapes import checked_input, output_members
from planner.jobs.endpoint.storage import Storage
from planner.jobs.endpoint.store import Job, Model, Quotas, Store
from planner.jobs.finding import Fields, RequestContext
from planner.jobs.rules import RULES

MODEL_ENVIRONMENT_BYTES: Final = 32 * 1024
"""All names and values of a Model's Environment together. Source: ContainerDefinition API reference."""
_OURS: Final = frozenset({"placeholder"})
"""Rules that the service knows nothing of."""


class Actions:
    """The operations of one account, region by region."""

    def __init__(self, storage: Storage, runs: Runs, quotas: Quotas) -> None:
        self._storage = storage
        self._runs = runs
        self._quotas = quotas
        self._stores: dict[str, Store] = {}
        self._actions: Mapping[str, Callable[[Store, Json], Json]] = {
            "CreateModel": self._create_model,
            "DescribeModel": _describe_model,
            "ListModels": _list_models,
            "DeleteModel": _delete_model,
            "CreateTransformJob": self._create_transform_job,
            "DescribeTransformJob": _describe_transform_job,
            "ListTransformJobs": _list_transform_jobs,
            "StopTransformJob": self._stop_transform_job,
        }

    @property
    def operations(self) -> tuple[str, ...]:
        """Those that are served."""
        return tuple(self._actions)

    def call(self, operation: str, region: str, given: Json) -> Json:
        """The answer; None where the operation has none. Raises Refusal."""
        checked = checked_input(operation, given)
        store = self._stores.setdefault(region, Store(region, self._quotas))
        return self._actions[operation](store, checked)

    def _create_model(self, store: Store, given: Json) -> Json:
        _check_model(given)
        model = Model(name=given["ModelName"], arn="", request=given, created_at=0)
        for url in [container["ModelDataUrl"] for container in model.containers if "ModelDataUrl" in container]:
            if not self._has(url):
                raise Refusal(VALIDATION, f"Could not find model data at {url}.")
        return {"ModelArn": store.add_model(given).arn}

    def _has(self, url: str) -> bool:
        try:
            place = place_of(url)
            self._storage.check(place)
            return self._storage.has(place)
        except PlannerError as error:
            raise Refusal(VALIDATION, f"Could not access model data at {url}: {error}") from error

    def _create_transform_job(self, store: Store, given: Json) -> Json:
        _check_rules(given)
        try:
            for uri in (
                given["TransformInput"]["DataSource"]["S3DataSource"]["S3Uri"],
                given["TransformOutput"]["S3OutputPath"],
            ):
                self._storage.check(place_of(uri))
        except RequestRejectedError as error:
            raise Refusal(VALIDATION, str(error)) from error
        container = _only_container(store.model(given["ModelName"], NOT_FOUND))
        job = store.add_job(given)
        self._runs.start(store, job, container)
        return {"TransformJobArn": job.arn}

    def _stop_transform_job(self, store: Store, given: Json) -> None:
        job = store.job(given["TransformJobName"])
        if store.stop_job(job):
            self._runs.stop(job)


def _check_model(given: Json) -> None:
    """What the documentation asks of a model beyond the shapes. Raises Refusal."""
    if ("PrimaryContainer" in given) == bool(given.get("Containers")):
        raise Refusal(VALIDATION, "Specify either PrimaryContainer or Containers.")
    containers = [given["PrimaryContainer"]] if "PrimaryContainer" in given else given["Containers"]
    for container in containers:
        if "Image" not in container and "ModelPackageName" not in container:
            raise Refusal(VALIDATION, "Specify Image or ModelPackageName for each container.")
    environments = [container.get("Environment", {}) for container in containers]
    size = sum(len((name + value).encode()) for found in environments for name, value in found.items())
    if size > MODEL_ENVIRONMENT_BYTES:
        raise Refusal(VALIDATION, f"Environment has {size} bytes of names and values together; 32 KB are the most.")


def _check_rules(given: Json) -> None:
    """The rules between fields and the maxima of the documentation. Raises Refusal with all errors."""
    findings = [f for rule in RULES for f in rule(Fields(given), RequestContext())]
    errors = [f for f in findings if f.severity == "error" and f.rule not in _OURS]
    if errors:
        raise Refusal(VALIDATION, "; ".join(str(error) for error in errors))


def _only_container(model: Model) -> Json:
    """The container of a model that a transform job can run here. Raises Refusal."""
    containers = model.containers
    if any("ModelDataSource" in container for container in containers):
        raise Refusal(VALIDATION, "ModelDataSource cannot be used with batch transform. Give the Model a ModelDataUrl.")
    if len(containers) > 1 or "Image" not in containers[0]:
        raise Refusal(
            VALIDATION,
            f'Model "{model.arn}" is an inference pipeline or a model package, which this endpoint does not run. '
            "Give it one container with an Image.",
        )
    return containers[0]


def _shown(operation: str, request: Json, **ours: Json) -> Json:
    """The members of the answer that the request already has, and ours; what is None is left out."""
    members = output_members(operation)
    echoed = {name: value for name, value in request.items() if name in members}
    return echoed | {name: value for name, value in ours.items() if value is not None}


def _describe_model(store: Store, given: Json) -> Json:
    model = store.model(given["ModelName"])
    ours = {"ModelArn": model.arn, "CreationTime": _ms(model.created_at)}
    return _shown("DescribeModel", {"EnableNetworkIsolation": False, **model.request}, **ours)


def _delete_model(store: Store, given: Json) -> None:
    store.remove_model(given["ModelName"])


def _describe_transform_job(store: Store, given: Json) -> Json:
    job = store.job(given["TransformJobName"])
    return _shown(
        "DescribeTransformJob",
        job.request,
        TransformJobArn=job.arn,
        TransformJobStatus=job.status,
        FailureReason=job.failure_reason,
        CreationTime=_ms(job.created_at),
        TransformStartTime=_ms(job.started_at),
        TransformEndTime=_ms(job.ended_at),
    )


def _ms(seconds: float | None) -> float | None:
    """A time as the service reports it, to the millisecond."""
    return None if seconds is None else round(seconds, 3)


def _list_models(store: Store, given: Json) -> Json:
    found = page(
        [
            model
            for model in store.models()
            if given.get("NameContains", "") in model.name
            and given.get("CreationTimeAfter", 0) <= model.created_at < given.get("CreationTimeBefore", float("inf"))
        ],
        given,
        sort_keys={
            "Name": lambda model: (model.name, model.name),
            "CreationTime": lambda model: (model.created_at, model.name),
        },
        shown=lambda model: {"ModelName": model.name, "ModelArn": model.arn, "CreationTime": _ms(model.created_at)},
    )
    return {"Models": found.items} | ({"NextToken": found.next_token} if found.next_token else {})


def _list_transform_jobs(store: Store, given: Json) -> Json:
    found = page(
        [job for job in store.jobs() if _is_asked_for(job, given)],
        given,
        sort_keys={
            "Name": lambda job: (job.name, job.name),
            "CreationTime": lambda job: (job.created_at, job.name),
            "Status": lambda job: (job.status, job.name),
        },
        shown=_summary,
    )
    return {"TransformJobSummaries": found.items} | ({"NextToken": found.next_token} if found.next_token else {})


def _is_asked_for(job: Job, given: Json) -> bool:
    created, modified = _ms(job.created_at) or 0, _ms(job.modified_at) or 0
    return (
        given.get("NameContains", "") in job.name
        and given.get("StatusEquals", job.status) == job.status
        and created >= given.get("CreationTimeAfter", 0)
        and created <= given.get("CreationTimeBefore", created)
        and modified >= given.get("LastModifiedTimeAfter", 0)
        and modified <= given.get("LastModifiedTimeBefore", modified)
    )


def _summary(job: Job) -> Json:
    summary = {
        "TransformJobName": job.name,
        "TransformJobArn": job.arn,
        "CreationTime": _ms(job.created_at),
        "TransformEndTime": _ms(job.ended_at),
        "LastModifiedTime": _ms(job.modified_at),
        "TransformJobStatus": job.status,
        "FailureReason": job.failure_reason,
    }
    return {name: value for name, value in summary.items() if value is not None}
