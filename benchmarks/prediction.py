"""How well a 30 s profile predicts points it does not hold: ``python benchmarks/prediction.py [SERVER ...]``.

Each server of benchmarks/servers is started on one CPU and profiled as `planner profile` would; then it is started
again for each of two rounds and measured with wrk (Debian package wrk) on the other CPU, at points that are not in
the profile, up to the profile's own limits and, apart, at up to three times its concurrency. Reported beside each
other: the error of the prediction against the mean of the two rounds, the disagreement of the two rounds (the floor
of any model), and the share inside the 90 % interval. The CPU's speed is sampled in the profile and while wrk loads
the server: error and disagreement are told as well for rates brought to the profile's speed (columns with *).
Extrapolation is judged on the profile itself besides: of a model fitted without the largest number of records per
request, or the largest of requests in flight, what it says of the points left out.

``--keep DIR`` leaves the profile and the held-out rows of each server as JSON; ``--again DIR`` judges the model on
rows kept before, without measuring; with ``--without speeds`` as if the CPUs' speed were not sampled, ``--without
readings`` as if the machine had seemed steady besides, both stored nowhere.
The table, the points and, where matplotlib is installed, the residuals' plot are in benchmarks/results/: the servers
that ran take the place of what was stored of them, so a long run can be split. All servers take 25 minutes.
"""

import argparse
import contextlib
import json
import math
import random
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from wrk import load

from planner.campaign.profiler import profile
from planner.container import Limits, ProcessContainer
from planner.documents import read_document, replace, to_json
from planner.errors import ProfileError
from planner.performance import Bounds, PerformanceModel
from planner.profiling.core_speed import sampled
from planner.profiling.host import kept_off
from planner.profiling.one_speed import SENSITIVITY
from planner.profiling.payloads import read_sample
from planner.profiling.profile import REPEATABILITY, Measurement, Profile

RESULTS = Path(__file__).with_name("results")
SERVERS = Path(__file__).with_name("servers")
INSIDE = [(3, 1), (3, 3), (20, 1), (20, 2), (20, 4), (130, 1), (130, 3), (130, 4), (1000, 1), (1000, 2), (1000, 3)]
INSIDE += [(5000, 2)]
BEYOND = [(20, 8), (20, 12), (500, 8), (500, 12)]
ROUNDS = 2
COMPLETIONS = 150
"""wrk counts what was answered in its time: with c in flight at the end, up to c too few."""
SHORTEST_S, LONGEST_S = 2, 6
CONTENT_TYPE = "application/jsonlines"
FOUND = ("uvicorn_text", "waitress_compress")
"""Servers that came when the model was finished; nothing was chosen by them."""
BUDGET_S = 30.0
SIZES: dict[str, Callable[[Measurement], int]] = {
    "records": lambda row: row.records_per_request,
    "in flight": lambda row: row.concurrency,
}
"""By what a profile is cut."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One held-out point: the rate of each round, in records per second; one round where the profile measured it."""

    records_per_request: int
    concurrency: int
    rates: tuple[float, ...]
    speeds: tuple[float, ...] = ()
    """Of the CPU in each round (`planner.profiling.core_speed`)."""


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
    seen: dict[tuple[int, int], list[tuple[float, float]]] = {p: [] for p in INSIDE + BEYOND if p not in known}
    for turn in range(ROUNDS):
        with container_of(name) as container, kept_off(container.description.cpu_set or ()):
            for b, c in random.Random(turn).sample(list(seen), len(seen)):
                rate, speed = _requests_per_s(container, bodies[b], c, _about(measured, b))
                seen[b, c].append((b * rate, speed))
    return measured, [
        Row(
            records_per_request=b,
            concurrency=c,
            rates=tuple(rate for rate, _ in found),
            speeds=tuple(speed for _, speed in found),
        )
        for (b, c), found in seen.items()
    ]


def _requests_per_s(
    container: ProcessContainer, bodies: Sequence[bytes], concurrency: int, about: float
) -> tuple[float, float]:
    """By wrk, for as long as COMPLETIONS take at about so many requests per second; and the CPU's speed meanwhile."""
    url = f"http://{container.address.host}:{container.address.port}/invocations"
    seconds = min(max(SHORTEST_S, COMPLETIONS / about), LONGEST_S)
    with sampled(container.description.cpu_set) as samples:
        seen = load(url, bodies=bodies, content_type=CONTENT_TYPE, concurrency=concurrency, seconds=seconds)
    if seen.failed:
        raise SystemExit(f"{url}: {seen.failed} requests failed with {concurrency} in flight")
    return seen.requests_per_s, samples.mean_speed(-math.inf, math.inf) or math.nan


def _about(measured: Profile, records_per_request: int) -> float:
    """Requests per second at the nearest measured number of records: how long to look, no more."""
    nearest = min(measured.measurements, key=lambda row: abs(math.log(row.records_per_request / records_per_request)))
    return nearest.throughput_records_per_s / records_per_request


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One held-out point and what the model says of it."""

    server: str
    row: Row
    predicted: float
    low: float
    high: float
    extrapolated: bool
    slower: tuple[float, ...] = ()
    """By what factor the CPU's speed made each round slower than the profile's points."""
    left_out: str | None = None
    """What the profile was cut by, where the point is one of its own."""

    @property
    def truth(self) -> float:
        """Records per second, the mean of the rounds."""
        return float(np.mean(self.row.rates))

    @property
    def error(self) -> float:
        """Relative, signed."""
        return self.predicted / self.truth - 1

    @property
    def floor(self) -> float:
        """How far the two rounds lie apart; NaN of a single one."""
        return abs(math.log(self.row.rates[0] / self.row.rates[1])) if len(self.row.rates) > 1 else math.nan

    @property
    def error_at_speed(self) -> float:
        """The error, had the rounds run at the profile's speed."""
        return self.predicted / float(np.mean(np.multiply(self.row.rates, self.slower))) - 1

    @property
    def floor_at_speed(self) -> float:
        """How far the rounds would then lie apart."""
        return abs(math.log(self.row.rates[0] * self.slower[0] / (self.row.rates[1] * self.slower[1])))

    @property
    def covered(self) -> bool:
        """Whether the interval holds the truth."""
        return self.low <= self.truth <= self.high


def mean_speed(measured: Profile) -> float:
    """Of the CPU over the profile's points, the geometric mean; NaN where it was not sampled."""
    known = [row.core_speed for row in measured.measurements if row.core_speed]
    return float(np.exp(np.mean(np.log(known)))) if known else math.nan


def judge_all(name: str, measured: Profile, rows: Sequence[Row], speed: float) -> list[Judged]:
    """The model's word on every held-out row, and on what its profile had without its largest points.

    speed: of the CPU while the profile was measured.
    """
    found = judge(name, measured, rows, speed)
    for left_out, size in SIZES.items():
        most = max(size(row) for row in measured.measurements)
        beyond = [row for row in measured.measurements if size(row) == most]
        own = [
            Row(
                records_per_request=row.records_per_request,
                concurrency=row.concurrency,
                rates=(row.throughput_records_per_s,),
            )
            for row in beyond
        ]
        rest = replace(measured, measurements=tuple(row for row in measured.measurements if row not in beyond))
        with contextlib.suppress(ProfileError):
            found += judge(name, rest, own, speed, left_out=left_out)
    return found


def judge(
    name: str, measured: Profile, rows: Sequence[Row], speed: float, *, left_out: str | None = None
) -> list[Judged]:
    """The model's word on the rows."""
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
    busy = rate.mid * columns.cpu_s_per_record.mid
    return [
        Judged(
            server=name,
            row=row,
            predicted=float(rate.mid[index]),
            low=float(rate.low[index]),
            high=float(rate.high[index]),
            extrapolated=bool(columns.extrapolated[index]),
            slower=tuple((speed / then) ** (SENSITIVITY * min(1.0, float(busy[index]))) for then in row.speeds),
            left_out=left_out,
        )
        for index, row in enumerate(rows)
    ]


def line(name: str, judged: Sequence[Judged]) -> str:
    """A row of the table."""
    errors = 100 * np.array([point.error for point in judged])
    widths = 100 * np.array([math.log(point.high / point.predicted) for point in judged])
    floor = 100 * np.array([point.floor for point in judged if len(point.row.rates) > 1])
    rounds = f"{np.median(floor):8.1f} {np.quantile(floor, 0.9):7.1f}" if len(floor) else f"{'':16}"
    covered = 100 * float(np.mean([point.covered for point in judged]))
    size = np.abs(errors)
    text = (
        f"{name:22} {len(judged):4d} {np.median(size):8.1f} {np.quantile(size, 0.9):7.1f} {np.median(errors):+8.1f} "
        f"{rounds} {covered:8.0f} {np.median(widths):8.1f}"
    )
    moved = [point for point in judged if len(point.slower) == ROUNDS and not any(map(math.isnan, point.slower))]
    if not moved:
        return text
    size = 100 * np.abs([point.error_at_speed for point in moved])
    apart = 100 * np.median([point.floor_at_speed for point in moved])
    return f"{text} {np.median(size):8.1f} {np.quantile(size, 0.9):7.1f} {apart:8.1f}"


def table(judged: Sequence[Judged]) -> str:
    """By server, and by regime: % error (median, 90th percentile, signed), % between rounds, % covered, half width.

    And, with a *, error and what lies between rounds at the profile's speed of the CPU.
    """
    head = f"{'':22} {'n':>4} {'error':>8} {'p90':>7} {'signed':>8} {'rounds':>8} {'p90':>7} {'covered':>8} {'± %':>8}"
    head += f" {'error*':>8} {'p90*':>7} {'rounds*':>8}"
    by_wrk = [point for point in judged if point.left_out is None]
    servers = sorted({point.server for point in judged})
    groups = {name: [point for point in by_wrk if point.server == name] for name in servers}
    groups["all"] = by_wrk
    groups["servers found later"] = [point for point in by_wrk if point.server in FOUND]
    groups["within measured range"] = [point for point in by_wrk if not point.extrapolated]
    groups["more in flight"] = [point for point in by_wrk if point.extrapolated]
    groups["cut: more in flight"] = [point for point in judged if point.left_out == "in flight"]
    groups["cut: more records"] = [point for point in judged if point.left_out == "records"]
    return "\n".join([head, *(line(name, group) for name, group in groups.items() if group)])


def store(judged: Sequence[Judged]) -> str:
    """The table of these servers and of the others as they were stored; it, the points and the plot are written."""
    path = RESULTS / "prediction.json"
    ran = {point.server for point in judged}
    before = [Judged(**{**one, "row": Row(**one["row"])}) for one in json.loads(path.read_text())]
    merged = sorted([*judged, *(one for one in before if one.server not in ran)], key=lambda one: one.server)
    path.write_text(json.dumps([asdict(point) for point in merged], indent=1) + "\n")
    (RESULTS / "prediction.txt").write_text(table(merged) + "\n")
    with contextlib.suppress(ModuleNotFoundError):
        draw([point for point in merged if point.left_out is None], RESULTS / "prediction.png")
    return table(merged)


def draw(judged: Sequence[Judged], path: Path) -> None:
    """The residuals, a panel for each server: error with its 90 % interval against records per request."""
    from matplotlib import pyplot as plt

    servers = sorted({point.server for point in judged})
    figure, axes = plt.subplots(2, -(-len(servers) // 2), figsize=(17, 6), sharex=True, sharey=True)
    for panel, name in zip(axes.flat, servers, strict=False):
        for point in (point for point in judged if point.server == name):
            at = point.row.records_per_request * 1.06**point.row.concurrency
            bar = [point.low / point.truth - 1, point.high / point.truth - 1]
            colour = "tab:blue" if point.covered else "tab:red"
            panel.plot([at, at], [100 * end for end in bar], color=colour, alpha=0.35, linewidth=2)
            panel.plot(at, 100 * point.error, "^" if point.extrapolated else "o", color=colour, markersize=4)
        panel.axhline(0, color="black", linewidth=0.6)
        panel.set(title=name, xscale="log", ylim=(-50, 75))
    figure.supxlabel("records per request (side by side: requests in flight; triangles: beyond the measured range)")
    figure.supylabel("predicted / measured - 1, %, with the 90 % interval; red: missed")
    figure.tight_layout()
    figure.savefig(path, dpi=80)


def blinded(profile: Profile, without: str) -> Profile:
    """The profile as if the CPUs' speed had not been sampled, nor, without readings, the machine been read."""
    changes = {"core_speed": None} | ({"unsteadiness": REPEATABILITY} if without == "readings" else {})
    return replace(profile, measurements=tuple(replace(row, **changes) for row in profile.measurements))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("servers", nargs="*", default=names())
    parser.add_argument("--budget-s", type=float, default=BUDGET_S)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--again", type=Path)
    parser.add_argument(
        "--without", choices=("speeds", "readings"), help="with --again: what the profiler shall not have known"
    )
    asked = parser.parse_args()
    judged: list[Judged] = []
    with tempfile.TemporaryDirectory() as folder:
        sample = Path(folder) / "sample.jsonl"
        write_sample(sample)
        for name in asked.servers:
            if asked.again:
                measured = read_document(asked.again / f"{name}.profile.json", Profile)
                rows = [Row(**row) for row in json.loads((asked.again / f"{name}.rows.json").read_text())]
            else:
                measured, rows = measure(name, sample, asked.budget_s)
            speed = mean_speed(measured)
            if asked.without:
                measured = blinded(measured, asked.without)
            if asked.keep:
                asked.keep.mkdir(parents=True, exist_ok=True)
                (asked.keep / f"{name}.profile.json").write_text(to_json(measured))
                (asked.keep / f"{name}.rows.json").write_text(json.dumps([asdict(row) for row in rows], indent=1))
            found = judge_all(name, measured, rows, speed)
            print(
                line(name, found[: len(rows)]), f" ({len(measured.measurements)} points)", file=sys.stderr, flush=True
            )
            judged += found
    print(store(judged) if asked.budget_s == BUDGET_S and not asked.without else table(judged))


if __name__ == "__main__":
    main()
