"""Does a profile at half a CPU and one foretell two? ``python benchmarks/cpu_limits.py [SERVER ...]``.

Each server of benchmarks/servers, and a model directory with as many gunicorn workers as CPUs, is profiled once across
0.5 and 1 CPU (`planner profile --cpus 0.5,1`; the fraction is a quota, so this needs root), then measured with wrk
(Debian package wrk) on both CPUs of this machine, which the client has to share: requests are long, and wrk's part of
the two CPUs stands beside each point. What two busy CPUs of this machine do against one (hyperthreads of one core do
less than two cores) is measured with two programs of our own before and after, and is an input of the prediction. How
fast a thread of our own runs is measured around the profile and before each point: what that changes by, no profile can
foretell.

``--keep DIR`` leaves what was measured as JSON; ``--again DIR`` judges the model on it without measuring. The table
and the points are in benchmarks/results/: the servers that ran take the place of what was stored of them, so a long run
can be split. All servers take ten minutes.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from prediction import CONTENT_TYPE, RESULTS, SERVERS, names, write_sample
from wrk import load

from planner.campaign.across import profile_across
from planner.container import Container, Limits, ModelDirectoryContainer, ProcessContainer
from planner.documents import read_document, to_json
from planner.performance import Bounds, PerformanceModel
from planner.profiling.payloads import read_sample
from planner.profiling.profile import Profile

LIMITS: Final = (0.5, 1.0)
CPUS: Final = 2.0
POINTS: Final = ((300, 1), (300, 4), (1000, 2), (1000, 4), (3000, 1), (3000, 2), (3000, 4), (1000, 8))
SECONDS: Final = 2
BUDGET_S: Final = 20.0
MODEL_DIR: Final = "per_cpu"
_INFERENCE: Final = """
import hashlib

def model_fn(folder): return None

def input_fn(body, kind): return body.splitlines()

def predict_fn(records, model):
    for record in records:
        for _ in range(40):
            record = hashlib.sha256(record).digest()
    return records

def output_fn(records, accept): return b"1\\n" * len(records)
"""
_SPIN: Final = {
    "hashing": "import hashlib\ndef step(d=b''):\n    for _ in range(2000): d = hashlib.sha256(d).digest()",
    "matrices": "import numpy as np\na = np.ones((256, 256), dtype=np.float32)\ndef step(): a @ a",
}
_TIMED: Final = """
import os, sys, time
os.sched_setaffinity(0, {int(sys.argv[1])})
exec(sys.argv[3])
step()
end, count = time.perf_counter() + float(sys.argv[2]), 0
while time.perf_counter() < end:
    step()
    count += 1
print(count)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One point on both CPUs."""

    records_per_request: int
    concurrency: int
    records_per_s: float
    client_share: float
    """Of the two CPUs, wrk's."""
    machine: float | None = None
    """Speed of a thread of our own just before, over that around the profile."""


def container_of(name: str, folder: Path, cpus: float | None, more: Mapping[str, str]) -> Container:
    """The server with so many CPUs, numeric libraries on one thread."""
    environment = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", **more}
    if name == MODEL_DIR:
        (folder / "inference.py").write_text(_INFERENCE)
        return ModelDirectoryContainer(folder, environment=environment, limits=Limits(cpus=cpus))
    command = f"{sys.executable} {SERVERS / name}.py"
    return ProcessContainer(command, environment=environment, limits=Limits(cpus=cpus))


def two_busy_cpus(seconds: float = 0.5, rounds: int = 7) -> dict[str, float]:
    """What two busy CPUs of this machine do together against one alone, by kind of work: the median of the rounds."""
    cpus = sorted(os.sched_getaffinity(0))[:2]
    found = {}
    for kind, program in _SPIN.items():
        ratios = []
        for _ in range(rounds):
            alone = sum(_steps([cpu], seconds, program) for cpu in cpus) / 2
            ratios.append(_steps(cpus, seconds, program) / alone)
        found[kind] = float(np.median(ratios))
    return found


def _steps(cpus: Sequence[int], seconds: float, program: str) -> int:
    """Steps of the program that one process on each CPU does at once."""
    single = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", _TIMED]
    running = [
        subprocess.Popen([*command, str(cpu), str(seconds), program], stdout=subprocess.PIPE, text=True, env=single)
        for cpu in cpus
    ]
    return sum(int(process.communicate()[0]) for process in running)


def _speed(seconds: float = 0.2) -> float:
    """Steps of hashing per second of one thread on the last CPU, where containers of one CPU run."""
    return _steps([max(os.sched_getaffinity(0))], seconds, _SPIN["hashing"]) / seconds


def measure(name: str, folder: Path, sample: Path, budget_s: float) -> tuple[Profile, list[Row]]:
    """The profile across the limits, and the points on both CPUs."""
    model = folder / name
    model.mkdir()
    before = _speed()
    measured = profile_across(
        lambda cpus, more: container_of(name, model, cpus, more),
        cpus=LIMITS,
        payload=sample,
        content_type=CONTENT_TYPE,
        time_budget_s=budget_s,
    )
    around = (before + _speed()) / 2
    loaded = read_sample(sample, content_type=CONTENT_TYPE, accept=None, split_type="Line")
    rows = []
    with container_of(name, model, CPUS, {}) as container:
        url = f"http://{container.address.host}:{container.address.port}/invocations"
        for b, c in POINTS:
            machine = _speed() / around
            seen = load(url, bodies=loaded.bodies(b), content_type=CONTENT_TYPE, concurrency=c, seconds=SECONDS)
            if seen.failed:
                raise SystemExit(f"{name}: {seen.failed} requests failed with {c} in flight")
            share = seen.cpu_s / (CPUS * seen.seconds)
            rate = b * seen.requests_per_s
            rows.append(
                Row(records_per_request=b, concurrency=c, records_per_s=rate, client_share=share, machine=machine)
            )
    return measured, rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One point and what the model says of it."""

    row: Row
    error: float
    """Predicted over measured, less 1."""
    is_inside: bool
    """Of the 90 % interval."""


def judge(name: str, measured: Profile, rows: Sequence[Row], gain: Mapping[str, float]) -> list[Judged]:
    """The model of the profile, asked for CPUS; `gain` is what two busy CPUs did against one."""
    model = PerformanceModel.fit(measured)
    ratios = [ratio / CPUS for ratio in gain.values()]
    here, one = model.capacity_cores_at(CPUS), np.array(1.0)
    workers = model.workers_on(CPUS) if name == MODEL_DIR else model.workers
    rate = model.predict_columns(
        records_per_request=np.array([row.records_per_request for row in rows]),
        concurrency=np.array([row.concurrency for row in rows]),
        vcpus=np.array(CPUS),
        latency_speed=Bounds(low=one, mid=one, high=one),
        capacity_cores=Bounds(
            low=np.array(here * min(ratios)), mid=np.array(here * float(np.mean(ratios))), high=np.array(here)
        ),
        workers=None if workers is None else np.array(float(workers)),
    ).throughput_records_per_s
    return [
        Judged(
            row=row,
            error=float(rate.mid[index]) / row.records_per_s - 1,
            is_inside=bool(rate.low[index] <= row.records_per_s <= rate.high[index]),
        )
        for index, row in enumerate(rows)
    ]


def report(name: str, measured: Profile, judged: Sequence[Judged]) -> str:
    """The server's line, and its points below."""
    errors = [abs(one.error) for one in judged]
    model = PerformanceModel.fit(measured)
    share = "none" if model.host.serial_share is None else f"{model.host.serial_share:.2f}"
    head = (
        f"{name:16} median {100 * float(np.median(errors)):5.1f} %  worst {100 * max(errors):5.1f} %  "
        f"inside {sum(one.is_inside for one in judged)} of {len(judged)}  "
        f"serial share {share}  points {len(measured.measurements)}"
    )
    machine = [abs(one.row.machine - 1) for one in judged if one.row.machine is not None]
    if machine:
        head += f"  the machine itself {100 * float(np.median(machine)):.0f} %"
    usable = model.host.parallelism
    lines = [head, f"    CPUs usable: {usable.likely:g}, {usable.least:g} to {usable.most:g}: {usable.words}"]
    for one in judged:
        row = one.row
        lines.append(
            f"    {row.records_per_request:5,} records x {row.concurrency}: {row.records_per_s:9,.0f} records/s, "
            f"predicted {100 * one.error:+6.1f} %{'' if one.is_inside else ' (outside)'}, "
            f"wrk {100 * row.client_share:.1f} % of the CPUs"
            f"{'' if row.machine is None else f', the machine itself {100 * (row.machine - 1):+.0f} %'}"
        )
    return "\n".join(lines)


def kept(folder: Path, name: str) -> tuple[Profile, list[Row], dict[str, float]]:
    """What an earlier run measured."""
    found = json.loads((folder / f"{name}.rows.json").read_text())
    rows = [Row(**row) for row in found["rows"]]
    return read_document(folder / f"{name}.profile.json", Profile), rows, found["gain"]


def keep(folder: Path, name: str, measured: Profile, rows: Sequence[Row], gain: Mapping[str, float]) -> None:
    """Leave it for another look."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.profile.json").write_text(to_json(measured))
    (folder / f"{name}.rows.json").write_text(json.dumps({"rows": [asdict(r) for r in rows], "gain": gain}, indent=1))


def store(found: Mapping[str, Mapping[str, Any]]) -> str:
    """The table of these servers and of the others as they were stored; both files are written."""
    path = RESULTS / "cpu_limits.json"
    merged = {**(json.loads(path.read_text()) if path.exists() else {}), **found}
    path.write_text(json.dumps(merged, indent=1, sort_keys=True) + "\n")
    gains = {name: f"{ratio:.2f}" for name, ratio in list(merged.values())[-1]["gain"].items()}
    errors = np.abs([error for one in merged.values() for error in one["errors"]])
    inside = np.mean([is_inside for one in merged.values() for is_inside in one["inside"]])
    machine = [abs(speed - 1) for one in merged.values() for speed in one.get("machine", ()) if speed is not None]
    drift = f"the machine itself {100 * float(np.median(machine)):.1f} %  " if machine else ""
    last = (
        f"all              median {100 * float(np.median(errors)):.1f} %  "
        f"90th percentile {100 * float(np.quantile(errors, 0.9)):.1f} %  inside {100 * float(inside):.0f} %  "
        f"{drift}(two busy CPUs against one: {', '.join(f'{kind} {ratio}' for kind, ratio in gains.items())})"
    )
    table = "\n".join([*(merged[name]["report"] for name in sorted(merged)), last])
    (RESULTS / "cpu_limits.txt").write_text(table + "\n")
    return last


def main() -> None:
    """Measure or judge again, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("servers", nargs="*", default=[*names(), MODEL_DIR])
    parser.add_argument("--budget-s", type=float, default=BUDGET_S)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--again", type=Path)
    asked = parser.parse_args()
    found: dict[str, dict[str, Any]] = {}
    gain = {} if asked.again else two_busy_cpus()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        sample = folder / "sample.jsonl"
        write_sample(sample)
        for name in asked.servers:
            if asked.again:
                measured, rows, gain = kept(asked.again, name)
            else:
                measured, rows = measure(name, folder, sample, asked.budget_s)
            if asked.keep:
                keep(asked.keep, name, measured, rows, gain)
            judged = judge(name, measured, rows, gain)
            found[name] = {
                "report": report(name, measured, judged),
                "errors": [one.error for one in judged],
                "machine": [one.row.machine for one in judged],
                "inside": [one.is_inside for one in judged],
                "gain": gain,
            }
            print(found[name]["report"], flush=True)
    if asked.budget_s == BUDGET_S:
        print(store(found))


if __name__ == "__main__":
    main()
