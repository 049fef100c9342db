"""Simulated makespan beside the measured one: ``python -m benchmarks.simulation [SERVER ...]``.

Servers of benchmarks/servers are profiled on one CPU, at the jobs' own records per request and concurrencies among
others (how well points between are predicted is benchmarks.prediction's question). Then jobs on skewed objects
(log-normal sizes, sd of the logarithm 1) with two containers of one CPU each are simulated from the profile alone, and
run by `planner run`'s library call. Before each job its containers are tried for some seconds with the profile's
sample, whose records are none of the job's. Reported for each job:

    error              the median world's makespan against the mean of the runs
    stand-ins          the same with stand-ins tried in the containers' place: what they and the runner take from each
                       other, but not how fast the machine is at the container's work by now
    profile alone      the same as if nobody took CPU time from anybody and the machine were as fast as in the profile
    at its own latency the same with the simulated latency scaled to that of the run: what the simulation itself misses
                       (assignment, packing, waves, tails), without that of a machine whose speed has changed
    runs differ        how the runs disagree among themselves: the floor of any prediction
    even split         error of total work over both containers' throughput, which knows neither objects nor tails

MISSED: a run outside the simulated 90 %. With fewer than three CPUs the containers share theirs with the client.
Servers that draw their times draw them from a stream of their own in every start: that of `places`, always seed 0,
begins with draws that are a tenth to a quarter long, and would in every run of every container.
"""

import argparse
import http.client
import json
import random
import shlex
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import msgspec
import numpy as np

from planner.campaign.profiler import profile
from planner.container import Limits, ProcessContainer
from planner.container.contract import Container
from planner.jobs.local.run import run_job
from planner.jobs.local.settings import JobSettings
from planner.jobs.simulation.here import JobHere, side_by_side_here, tried_here
from planner.jobs.simulation.simulate import simulate_here
from planner.performance import predict
from planner.profiling.profile import Profile
from planner.records.dataset import BatchStrategy
from planner.records.scan import inspect

SERVERS = Path(__file__).with_name("servers")
RESULTS = Path(__file__).parent / "results" / "simulation.json"
CHOSEN = ("waiting", "places", "prefork", "forest", "kernel", "cache")
ANY_SEED = (
    "import random, runpy, sys; Seeded = random.Random; random.Random = lambda *_: Seeded(); "
    "sys.path.insert(0, sys.argv[1]); runpy.run_path(sys.argv[2], run_name='__main__')"
)
CONTENT_TYPE = "application/jsonlines"
BATCHES, LADDER = (1, 64, 511), (1, 2, 4)
"""511: records of a full request of 1 MB in these jobs."""
SAMPLE_RECORDS = 12_000
"""More than any server here remembers (the cache keeps 4,096): as in the jobs, whose records are all different, none is
found again. A smaller sample would be served from memory, which no job is."""
OBJECTS = 11
"""An odd number over two containers: uneven even before sizes are."""
INSTANCES = 2
MOST_RECORDS = 240_000
"""Of a MultiRecord job: half a gigabyte."""
RUNS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """One job's settings."""

    strategy: BatchStrategy
    concurrency: int
    seed: int


SHAPES = (
    Shape(strategy="MultiRecord", concurrency=1, seed=1),
    Shape(strategy="MultiRecord", concurrency=4, seed=2),
    Shape(strategy="SingleRecord", concurrency=2, seed=3),
    Shape(strategy="SingleRecord", concurrency=4, seed=4),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One job: seconds."""

    server: str
    strategy: str
    concurrency: int
    requests: int
    simulated_s: float
    low_s: float
    high_s: float
    even_s: float
    """Work over the throughput of both containers, as if it could be divided at will."""
    profile_alone_s: float
    """The median without what containers and runner cost each other."""
    stand_ins_s: float
    """The median with what stand-ins found of that."""
    slowdown: float
    """What the containers found a request to take while both are at work, in units of the profile's."""
    measured_s: tuple[float, ...]
    simulated_latency_s: float
    measured_latency_s: tuple[float, ...]

    @property
    def truth_s(self) -> float:
        """Mean of the runs."""
        return float(np.mean(self.measured_s))

    @property
    def own_error(self) -> float:
        """The same at the run's own mean latency."""
        return self.simulated_s * float(np.mean(self.measured_latency_s)) / self.simulated_latency_s / self.truth_s - 1

    @property
    def error(self) -> float:
        """Of the median world, relative."""
        return self.simulated_s / self.truth_s - 1


def record(source: random.Random, index: int) -> bytes:
    """A JSON line of 1.5 to 2.5 kB."""
    return json.dumps({"id": index, "text": source.randbytes(source.randint(750, 1250)).hex()}).encode() + b"\n"


def write_sample(path: Path) -> None:
    source = random.Random(0)
    path.write_bytes(b"".join(record(source, i) for i in range(SAMPLE_RECORDS)))


def write_objects(folder: Path, records: int, seed: int) -> None:
    """Objects whose sizes are log-normal, and that hold so many records together."""
    source = random.Random(seed)
    weights = [source.lognormvariate(0.0, 1.0) for _ in range(OBJECTS)]
    folder.mkdir()
    for number, weight in enumerate(weights):
        count = max(1, round(records * weight / sum(weights)))
        path = folder / f"part-{number:03d}.jsonl"
        path.write_bytes(b"".join(record(source, i) for i in range(count)))


def container_of(name: str, environment: Mapping[str, str], limits: Limits) -> Container:
    one_thread = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    command = shlex.join([sys.executable, "-c", ANY_SEED, str(SERVERS), f"{SERVERS / name}.py"])
    return ProcessContainer(command, environment={**environment, **one_thread}, limits=limits)


def keeps_connections(name: str) -> bool:
    """Whether the server leaves a connection open after an answer."""
    with container_of(name, {}, Limits(cpus=1)) as container:
        assert isinstance(container, ProcessContainer)
        connection = http.client.HTTPConnection(container.address.host, container.address.port, timeout=10)
        connection.request("GET", "/ping")
        answer = connection.getresponse()
        answer.read()
        connection.close()
    return not answer.will_close


def job(name: str, measured: Profile, shape: Shape, folder: Path, *, seconds: float, keeps: bool) -> Row:
    """Write the objects, simulate, run."""
    per_request = 1 if shape.strategy == "SingleRecord" else BATCHES[-1]
    rate = predict(measured, records_per_request=per_request, concurrency=shape.concurrency, cpus=1)
    records = int(rate.throughput_records_per_s.mid * INSTANCES * seconds)
    if shape.strategy == "MultiRecord":
        records = min(records, MOST_RECORDS)
    source = folder / f"in-{shape.seed}"
    write_objects(source, records, shape.seed)
    dataset = inspect(source, split_type="Line")
    asked = JobHere(
        batch_strategy=shape.strategy,
        max_payload_mb=1,
        max_concurrent_transforms=shape.concurrency,
        instance_count=INSTANCES,
        cpus=1.0,
    )
    stand_ins = side_by_side_here(measured, dataset, asked, keeps_connections=keeps)
    tried = tried_here(
        measured, dataset, asked, lambda env, limits: container_of(name, env, limits), folder / "sample.jsonl"
    )
    found = simulate_here(measured, dataset, asked, side_by_side=tried)
    quantiles = dict(found.makespan_s.quantiles)
    even = predict(
        measured, records_per_request=round(found.records / found.requests), concurrency=shape.concurrency, cpus=1
    ).throughput_records_per_s.mid
    settings = JobSettings(
        content_type=CONTENT_TYPE,
        split_type="Line",
        assemble_with="Line",
        batch_strategy=shape.strategy,
        max_payload_mb=1,
        max_concurrent_transforms=shape.concurrency,
        instance_count=INSTANCES,
    )
    spans, latencies = [], []
    for turn in range(RUNS):
        done = run_job(
            source,
            folder / f"out-{shape.seed}-{turn}",
            settings,
            lambda env, limits: container_of(name, env, limits),
            cpus=1.0,
        )
        assert done.state == "Completed"
        # The simulation cuts requests by the mean record of each object.
        assert abs(done.requests / found.requests - 1) < 0.01, (done.requests, found.requests)
        assert done.latency_s is not None
        spans.append(done.makespan_s)
        latencies.append(done.latency_s.mean)
    return Row(
        server=name,
        strategy=shape.strategy,
        concurrency=shape.concurrency,
        requests=found.requests,
        simulated_s=quantiles[0.5],
        low_s=quantiles[0.05],
        high_s=quantiles[0.95],
        even_s=found.records / INSTANCES / even,
        profile_alone_s=dict(simulate_here(measured, dataset, asked).makespan_s.quantiles)[0.5],
        stand_ins_s=dict(simulate_here(measured, dataset, asked, side_by_side=stand_ins).makespan_s.quantiles)[0.5],
        slowdown=tried.slowdown,
        measured_s=tuple(spans),
        simulated_latency_s=shape.concurrency
        * sum(row.utilization.mid for row in found.instances)
        * found.makespan_s.mean
        / found.requests,
        measured_latency_s=tuple(latencies),
    )


def show(row: Row) -> None:
    spread = abs(row.measured_s[0] / row.measured_s[-1] - 1)
    inside = all(row.low_s <= span <= row.high_s for span in row.measured_s)
    cells = (
        f"{row.server:10} {row.strategy:12} c={row.concurrency} {row.requests:6,} requests",
        f"simulated {row.simulated_s:6.2f} s ({row.low_s:.2f} to {row.high_s:.2f}{'' if inside else ', MISSED'})",
        f"measured {row.truth_s:6.2f} s",
        f"error {row.error:+6.1%} (slowdown {row.slowdown:.2f})",
        f"stand-ins {row.stand_ins_s / row.truth_s - 1:+6.1%}, alone {row.profile_alone_s / row.truth_s - 1:+6.1%}",
        f"at its own latency {row.own_error:+6.1%}",
        f"runs differ {spread:5.1%}",
        f"even split {row.even_s / row.truth_s - 1:+.1%}",
    )
    print("  ".join(cells), flush=True)


def against_runs(servers: list[str], *, budget_s: float, seconds: float, output: Path) -> None:
    stored = json.loads(output.read_text()) if output.exists() else []
    rows = [msgspec.convert(row, Row) for row in stored if row["server"] not in servers]
    for name in servers:
        keeps = keeps_connections(name)
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            write_sample(folder / "sample.jsonl")
            measured = profile(
                container_of(name, {}, Limits(cpus=1)),
                payload=folder / "sample.jsonl",
                content_type=CONTENT_TYPE,
                time_budget_s=budget_s,
                records_per_request=BATCHES,
                concurrency=LADDER,
            )
            for shape in SHAPES:
                rows.append(job(name, measured, shape, folder, seconds=seconds, keeps=keeps))
                show(rows[-1])
                output.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")
    columns = {
        "error": [row.error for row in rows],
        "stand-ins": [row.stand_ins_s / row.truth_s - 1 for row in rows],
        "profile alone": [row.profile_alone_s / row.truth_s - 1 for row in rows],
        "at the run's own latency": [row.own_error for row in rows],
        "disagreement of two runs": [row.measured_s[0] / row.measured_s[-1] - 1 for row in rows],
        "even split": [row.even_s / row.truth_s - 1 for row in rows],
    }
    for name, values in columns.items():
        sizes = np.abs(values)
        print(f"{len(rows)} jobs, {name}: median {np.median(sizes):.1%}, 90th percentile {np.quantile(sizes, 0.9):.1%}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("servers", nargs="*", default=list(CHOSEN))
    parser.add_argument("--budget-s", type=float, default=20.0, help="of each profile")
    parser.add_argument("--seconds", type=float, default=6.0, help="that an evenly divided job would take")
    parser.add_argument("--output", type=Path, default=RESULTS, help="rows as JSON; those of other servers are kept")
    asked = parser.parse_args()
    against_runs(asked.servers, budget_s=asked.budget_s, seconds=asked.seconds, output=asked.output)


if __name__ == "__main__":
    main()
