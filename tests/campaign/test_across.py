"""One profile across CPU limits and worker counts, on real servers of two shapes."""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest

from planner.campaign.across import profile_across
from planner.campaign.cross_section import POINTS_EACH, cross, section_points
from planner.campaign.resume import own_rows
from planner.campaign.session import Progress
from planner.container import Container, Limits, ProcessContainer
from planner.container.contract import ContainerDescription, Startup
from planner.documents import read_document
from planner.errors import ContainerLimitError
from planner.performance import PerformanceModel
from planner.profiling.profile import Measurement, Profile
from tests.container.test_process import needs_cgroup

VARIABLE = "SAGEMAKER_MODEL_SERVER_WORKERS"

POOL = """
import os, threading, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

WORKERS = int(os.environ["SAGEMAKER_MODEL_SERVER_WORKERS"])
assert WORKERS != 5, "five are too many"
PLACES = threading.Semaphore(WORKERS)

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def answer(self, body):
        self.send_response(200)
        self.send_header("Content-Type", "text/csv")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def do_GET(self):
        self.answer(b"")

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with PLACES:
            time.sleep(0.001 + 2e-5 * len(body.splitlines()))
        self.answer(body)

    def log_message(self, *_):
        pass

ThreadingHTTPServer(("127.0.0.1", int(os.environ["SAGEMAKER_BIND_TO_PORT"])), Handler).serve_forever()
"""


class _KilledError(Exception):
    """The end of the planner, as far as files can tell."""


class Counted(ProcessContainer):
    """A container that notes each start."""

    starts: list[tuple[float | None, int | None]]

    def start(self) -> Startup:
        self.starts.append((self.description.limits.cpus, self.description.workers))
        return super().start()


class Opener:
    """Opens a pool of so many places at a setting; notes the (CPU limit, workers) of each start."""

    def __init__(self, folder: Path) -> None:
        self.script = folder / "serve.py"
        self.script.write_text(POOL)
        self.starts: list[tuple[float | None, int | None]] = []

    def __call__(self, cpus: float | None, more: Mapping[str, str]) -> Container:
        environment = {VARIABLE: "1", **more}
        container = Counted(
            f"{sys.executable} {self.script}", environment=environment, limits=Limits(cpus=cpus), startup_timeout_s=20
        )
        container.starts = self.starts
        return container


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    path = tmp_path / "sample.csv"
    path.write_bytes(b"".join(b"%d,%d\n" % (i, i) for i in range(100)))
    return path


def session(
    opener: Opener, sample: Path, *, progress: Callable[[Progress], None] = lambda _: None, **options: Any
) -> Profile:
    return profile_across(
        opener, payload=sample, content_type="text/csv", time_budget_s=4.0, progress=progress, **options
    )


def rows_at(profile: Profile, workers: int) -> list[Measurement]:
    return [row for row in profile.measurements if row.workers == workers]


def test_each_other_worker_count_gets_four_points_and_the_better_one_is_measured_again(
    sample: Path, tmp_path: Path
) -> None:
    opener, seen, output = Opener(tmp_path), list[Progress](), tmp_path / "profile.json"
    result = session(opener, sample, cpus=(1,), workers=(1, 2, 5), output=output, progress=seen.append)
    assert result.complete
    assert read_document(output, Profile) == result
    assert result.container.workers == 1
    assert len(rows_at(result, 2)) == POINTS_EACH
    assert len(own_rows(result)) >= 4
    # The base, each other one (five do not start), then base and challenger again.
    assert opener.starts == [(1, 1), (1, 2), (1, 5), (1, 1), (1, 2)]
    assert any(warning.startswith("not measured with 1 CPU, 5 workers") for warning in result.warnings)
    assert result.best is not None
    assert result.best.workers == 2
    assert any("2 workers measured" in w and f"--env {VARIABLE}=2" in w for w in result.warnings)
    assert {"measuring (1 CPU, 1 worker)", "measuring (1 CPU, 2 workers)"} <= {step.doing for step in seen}
    assert not psutil.Process().children()
    model = PerformanceModel.fit(result)
    assert model.workers == 1


def test_a_killed_session_goes_on_with_what_is_missing(sample: Path, tmp_path: Path) -> None:
    output, first, second = tmp_path / "profile.json", Opener(tmp_path), Opener(tmp_path)

    def interrupt(step: Progress) -> None:
        if step.measurement is not None and step.measurement.workers == 2:
            raise _KilledError

    with pytest.raises(_KilledError):
        session(first, sample, cpus=(1,), workers=(1, 2), output=output, progress=interrupt)
    assert not psutil.Process().children()
    before = read_document(output, Profile)
    assert not before.complete
    assert len(rows_at(before, 2)) == 1
    after = session(second, sample, cpus=(1,), workers=(1, 2), output=output, resume=True)
    assert after.complete
    assert second.starts[:1] == [(1, 2)]
    assert len(rows_at(after, 2)) == POINTS_EACH
    assert rows_at(before, 1)[0].latency_s in [row.latency_s for row in after.measurements]
    again = Opener(tmp_path)
    assert session(again, sample, cpus=(1,), workers=(1, 2), output=output, resume=True) == after
    assert again.starts == []


@needs_cgroup
def test_a_fraction_of_a_cpu_is_measured_beside_the_whole_and_the_model_has_both(sample: Path, tmp_path: Path) -> None:
    opener = Opener(tmp_path)
    result = session(opener, sample, cpus=(0.5, 1))
    assert opener.starts == [(1, 1), (0.5, 1)]
    halved = [row for row in result.measurements if row.cpus == 0.5]
    assert len(halved) == POINTS_EACH
    assert all(row.throttled_s is not None and row.workers == 1 for row in halved)
    model = PerformanceModel.fit(result)
    assert model.measured_cpus == (0.5, 1.0)
    assert model.host.serial_share is not None
    assert not any("workers measured" in warning for warning in result.warnings)


def test_workers_that_cannot_be_set_are_refused_with_the_way_out() -> None:
    about = ContainerDescription(backend="process", target="serve", environment={}, limits=Limits(cpus=1))
    with pytest.raises(ContainerLimitError, match=r"--env SAGEMAKER_MODEL_SERVER_WORKERS=N.*--tune"):
        cross(about, (1,), (1, 2))


def test_the_largest_limit_and_the_containers_own_workers_are_the_base() -> None:
    about = ContainerDescription(
        backend="model-dir", target="m", environment={}, limits=Limits(cpus=2), workers=2, worker_variable="W"
    )
    plan = cross(about, (0.5, 1, 2), (1, 2, 4))
    assert (plan.base.cpus, plan.base.workers, dict(plan.base.environment)) == (2, 2, {})
    assert [(other.cpus, other.workers) for other in plan.others] == [(1, 2), (0.5, 2), (2, 1), (2, 4)]
    assert all(other.environment == {"W": str(other.workers)} for other in plan.others)
    unlisted = cross(about, (), (3, 8))
    assert (unlisted.base.workers, unlisted.base.environment) == (3, {"W": "3"})


@pytest.mark.parametrize("large", [1, 500])
@pytest.mark.parametrize("workers", [1, 2, 8])
def test_a_section_has_four_different_points(large: int, workers: int) -> None:
    points = section_points(large, workers)
    assert len(set(points)) == POINTS_EACH
    assert {(large, workers), (large, 2 * workers)} <= {(p.records_per_request, p.concurrency) for p in points}
