"""How well a 30 s profile predicts points it does not hold: ``python benchmarks/prediction.py [SERVER ...]``.

Each server of benchmarks/servers is started on one CPU and profiled as `planner profile` would; then it is started
again for each of two rounds and measured with wrk (Debian package wrk) on the other CPU, at points that are not in
the profile, up to the profile's own limits and, apart, at up to three times its concurrency. Reported beside each
other: the error of the prediction against the mean of the two rounds, the disagreement of the two rounds (the floor
of any model), and the share inside the 90 % interval.

``--keep DIR`` leaves the profile and the held-out rows of each server as JSON; ``--again DIR`` judges the model on
rows kept before, without measuring.
"""

import argparse
import json
import math
import random
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from wrk import load

from planner.campaign.profiler import profile
from planner.container import Limits, ProcessContainer
from planner.documents import read_document, to_json
from planner.performance import Bounds, PerformanceModel
from planner.profiling.host import kept_off
from planner.profiling.payloads import read_sample
from planner.profiling.profile import Profile

SERVERS = Path(__file__).with_name("servers")
INSIDE = [(3, 1), (3, 3), (20, 1), (20, 2), (20, 4), (130, 1), (130, 3), (130, 4), (1000, 1), (1000, 2), (1000, 3)]
INSIDE += [(5000, 2)]
BEYOND = [(20, 8), (20, 12), (500, 8), (500, 12)]
ROUNDS = 2
COMPLETIONS = 150
"""wrk counts what was answered in its time: with c in flight at the end, up to c too few."""
SHORTEST_S, LONGEST_S = 2, 6
CONTENT_TYPE = "application/jsonlines"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One held-out point: the rate of each round, in records per second."""

    records_per_request: int
    concurrency: int
    rates: tuple[float, ...]


def names() -> list[str]:
    """The servers, by file."""
    return sorted(path.stem for path in SERVERS.glob("*.py") if path.stem != "serving")


def write_sample(path: Path) -> None:
    """Twenty thousand distinct JSON lines of 250 to 550 bytes, seeded."""
    source = random.Random(0)
    lines = [json.dumps({"id": i, "text": source.randbytes(source.randint(110, 260)).hex()}) for i in range(20_000)]
    path.write_text("\n".join(lines) + "\n")


def container_of(name: str) -> ProcessContainer:
    """The server on one CPU; numeric libraries on one thread."""
    one_thread = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    command = f"{sys.executable} {SERVERS / name}.py"
    return ProcessContainer(command, environment=one_thread, limits=Limits(cpus=1))


def measure(name: str, sample: Path, budget_s: float) -> tuple[Profile, list[Row]]:
    """A profile, and the held-out rows from the server started afresh for each round."""
    measured = profile(container_of(name), payload=sample, content_type=CONTENT_TYPE, time_budget_s=budget_s)
    known = {(row.records_per_request, row.concurrency) for row in measured.measurements}
    loaded = read_sample(sample, content_type=CONTENT_TYPE, accept=None, split_type="Line")
    bodies = {b: loaded.bodies(b) for b in {b for b, _ in INSIDE + BEYOND}}
    rates: dict[tuple[int, int], list[float]] = {point: [] for point in INSIDE + BEYOND if point not in known}
    for turn in range(ROUNDS):
        with container_of(name) as container, kept_off(container.description.cpu_set or ()):
            for b, c in random.Random(turn).sample(list(rates), len(rates)):
                rates[b, c].append(b * _requests_per_s(container, bodies[b], c, _about(measured, b)))
    rows = [Row(records_per_request=b, concurrency=c, rates=tuple(found)) for (b, c), found in rates.items()]
    return measured, rows


def _requests_per_s(container: ProcessContainer, bodies: Sequence[bytes], concurrency: int, about: float) -> float:
    """By wrk, for as long as COMPLETIONS take at about so many requests per second."""
    url = f"http://{container.address.host}:{container.address.port}/invocations"
    seconds = min(max(SHORTEST_S, COMPLETIONS / about), LONGEST_S)
    seen = load(url, bodies=bodies, content_type=CONTENT_TYPE, concurrency=concurrency, seconds=seconds)
    if seen.failed:
        raise SystemExit(f"{url}: {seen.failed} requests failed with {concurrency} in flight")
    return seen.requests_per_s


def _about(measured: Profile, records_per_request: int) -> float:
    """Requests per second at the nearest measured number of records: how long to look, no more."""
    nearest = min(measured.measurements, key=lambda row: abs(math.log(row.records_per_request / records_per_request)))
    return nearest.throughput_records_per_s / records_per_request


def judge(measured: Profile, rows: Sequence[Row]) -> Iterator[tuple[Row, float, bool, bool, float]]:
    """(row, error, inside the interval, extrapolated, half width) of every held-out row."""
    model = PerformanceModel.fit(measured)
    one, capacity = np.array(1.0), np.array(model.host_capacity_cores)
    columns = model.predict_columns(
        records_per_request=np.array([row.records_per_request for row in rows]),
        concurrency=np.array([row.concurrency for row in rows]),
        vcpus=np.array(model.host_cpus),
        latency_speed=Bounds(low=one, mid=one, high=one),
        capacity_cores=Bounds(low=capacity, mid=capacity, high=capacity),
        workers=None if model.workers is None else np.array(model.workers),
    )
    rate = columns.throughput_records_per_s
    for index, row in enumerate(rows):
        truth = float(np.mean(row.rates))
        inside = bool(rate.low[index] <= truth <= rate.high[index])
        half = float(np.log(rate.high[index] / rate.mid[index]))
        yield row, float(rate.mid[index] / truth - 1), inside, bool(columns.extrapolated[index]), half


def report(name: str, measured: Profile, rows: Sequence[Row]) -> dict[str, float]:
    """One line for the server, and its figures."""
    judged = list(judge(measured, rows))
    figures: dict[str, float] = {"points": float(len(measured.measurements))}
    for regime, wanted in (("inside", False), ("beyond", True)):
        chosen = [(row, error, held, half) for row, error, held, outside, half in judged if outside is wanted]
        if not chosen:
            continue
        errors = np.abs([error for _, error, _, _ in chosen])
        floor = [abs(np.log(row.rates[0] / row.rates[1])) for row, _, _, _ in chosen]
        figures[f"{regime} median %"] = 100 * float(np.median(errors))
        figures[f"{regime} p90 %"] = 100 * float(np.quantile(errors, 0.9))
        figures[f"{regime} floor %"] = 100 * float(np.median(floor))
        figures[f"{regime} covered %"] = 100 * float(np.mean([held for _, _, held, _ in chosen]))
        figures[f"{regime} half width %"] = 100 * float(np.median([half for _, _, _, half in chosen]))
    print(f"{name:16} " + "  ".join(f"{key} {value:.1f}" for key, value in figures.items()), flush=True)
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("servers", nargs="*", default=names())
    parser.add_argument("--budget-s", type=float, default=30.0)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--again", type=Path)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        sample = Path(folder) / "sample.jsonl"
        write_sample(sample)
        for name in asked.servers:
            if asked.again:
                measured = read_document(asked.again / f"{name}.profile.json", Profile)
                rows = [Row(**row) for row in json.loads((asked.again / f"{name}.rows.json").read_text())]
            else:
                measured, rows = measure(name, sample, asked.budget_s)
            if asked.keep:
                asked.keep.mkdir(parents=True, exist_ok=True)
                (asked.keep / f"{name}.profile.json").write_text(to_json(measured))
                (asked.keep / f"{name}.rows.json").write_text(json.dumps([asdict(row) for row in rows], indent=1))
            report(name, measured, rows)


if __name__ == "__main__":
    main()
