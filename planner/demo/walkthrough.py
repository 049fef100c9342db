"""The main job from end to end: a real model served, profiled and planned, its request checked, all on this machine."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from rich.console import RenderableType
from rich.text import Text

from planner.campaign.profiler import Progress, profile
from planner.container import open_container
from planner.container.contract import Container, Limits
from planner.demo.model import make_demo_model
from planner.documents import write_document
from planner.jobs import TransformJobDocument, draft_request, emitted, request, write_emitted
from planner.performance.predicting import predict
from planner.performance.prediction import Prediction
from planner.planning.plan import Plan
from planner.planning.recommend import recommend
from planner.profiling.profile import Measurement, Profile
from planner.records import inspect, repeated
from planner.report import dataset as dataset_report
from planner.report import plan as plan_report
from planner.report import profile as profile_report
from planner.units import show_rate, show_seconds

OBJECTS: Final = 12
CHECKED_POINT: Final = (2_200, 3)
"""Records per request and concurrency between the points that the profile measures."""


class Narrator(Protocol):
    """Who shows the walk-through as it goes on."""

    def step(self, title: str, result: RenderableType) -> None:
        """One step is done, with this to show for it; a plain string is shown as it stands, not wrapped."""
        ...

    def progress(self, step: Progress) -> None:
        """Where a profiling session is at."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """What the walk-through made; each is also a file in its folder."""

    profile: Profile
    plan: Plan
    job: TransformJobDocument


def walk_through(
    folder: Path,
    narrator: Narrator,
    *,
    trees: int,
    repeat: int,
    deadline_s: float,
    time_budget_s: float,
    region: str = "us-east-1",
) -> Walk:
    """Train, serve, profile, inspect, check a prediction, recommend and emit the request; the documents in folder.

    trees sets how slow the model is; repeat how many times over the input on disk is planned for.
    """
    made = make_demo_model(folder, trees=trees, objects=OBJECTS)
    narrator.step(
        "The model",
        Text(
            f"A random forest of {trees} trees on the digits that ship with scikit-learn "
            f"({made.accuracy:.1%} of held-out images right), packed as {made.archive} and served from it by gunicorn."
        ),
    )
    measured = profile(
        _container(made.archive),
        payload=made.sample,
        content_type="application/jsonlines",
        accept="application/jsonlines",
        time_budget_s=time_budget_s,
        output=folder / "profile.json",
        progress=narrator.progress,
    )
    write_document(folder / "profile.json", measured)
    narrator.step("The profile, measured here", profile_report.render(measured))
    checked = _check_prediction(measured, _container(made.archive), made.sample, narrator.progress)
    narrator.step("A prediction, checked", checked)
    dataset = inspect(made.input_folder)
    write_document(folder / "dataset.json", dataset)
    narrator.step("The input", dataset_report.render(dataset))
    plan = recommend(
        measured, repeated(dataset, repeat), deadline_s=deadline_s, region=region, repeat=repeat, emit=draft_request
    )
    write_document(folder / "plan.json", plan)
    narrator.step(f"The plan for {repeat:,} times that input", plan_report.render(plan))
    job = request(
        plan, model_name="digits", input_uri="s3://my-bucket/digits/in/", output_uri="s3://my-bucket/digits/out/"
    )
    write_document(folder / "transform_job.json", job)
    write_emitted(folder / "request.json", job, "json")
    narrator.step("The request", emitted(job, "json").rstrip())
    return Walk(profile=measured, plan=plan, job=job)


def _container(archive: Path) -> Container:
    return open_container(model_dir=archive, environment={}, limits=Limits())


def _check_prediction(
    measured: Profile, container: Container, sample: Path, progress: Callable[[Progress], None]
) -> Text:
    """The model's word for a point that it has not seen, beside a measurement of it."""
    records, concurrency = CHECKED_POINT
    predicted = predict(measured, records_per_request=records, concurrency=concurrency)
    (seen,) = profile(
        container,
        payload=sample,
        content_type="application/jsonlines",
        accept="application/jsonlines",
        time_budget_s=4,
        records_per_request=(records,),
        concurrency=(concurrency,),
        progress=progress,
    ).measurements
    return Text(_beside(predicted, seen))


def _beside(predicted: Prediction, seen: Measurement) -> str:
    interval = predicted.throughput_records_per_s
    error = interval.mid / seen.throughput_records_per_s - 1
    held = "inside" if interval.low <= seen.throughput_records_per_s <= interval.high else "OUTSIDE"
    return (
        f"At {seen.records_per_request:,} records per request and {seen.concurrency} in flight, which the profile does "
        f"not hold, the model expects {show_rate(interval.mid, 'records')} "
        f"({interval.low:,.0f} to {interval.high:,.0f}) and {show_seconds(predicted.latency_s.mid)} per request.\n"
        f"Measured now: {show_rate(seen.throughput_records_per_s, 'records')} and "
        f"{show_seconds(seen.mean_latency_s)}: {error:+.1%}, {held} the 90 % interval."
    )
