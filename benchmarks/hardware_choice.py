"""Which type should be chosen by predicted dollars per request? ``python benchmarks/hardware_choice.py``.

Benchmarks play the server, each with its whole suite held out of mean and spread, so that the rule of choice is judged
on hundreds of choices and not on one server's. A market is the types among which the choice is made: all 116, all but
the cheapest family or generation, and every family alone. Regret is dollars per request on the chosen type over the
least that any type of the market had, minus one. Last the same rules on Redis. Its
rows were seen beside the benchmarks' from the first trial on, so they test nothing that was chosen here.

What a single run per type has beyond the trend of its generation, family and size is its machine's luck
(`hardware_scores`), and the least of many is mostly the luckiest: "own trend known" is the regret of a prediction that
knew the server's trend exactly. The sizes' table says whether a size of a family is really better than another:
throughput per vCPU of EC2 families with two threads per core, most of them none of the 116 types'.
"""

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

import hardware
import hardware_fit
import hardware_scores
import numpy as np
from hardware_scores import GENERATION, GENERATIONS, INDEX, TYPES, VCPUS, Floats, classes, scores, smooth
from numpy.typing import NDArray

from planner.catalogue import price
from planner.interval import Z90

Mask: TypeAlias = NDArray[np.bool_]
FAMILIES: Final = np.array([kind.family for kind in TYPES])
USD_LN: Final[Floats] = np.log([cost.usd_per_hour for kind in TYPES if (cost := price(kind.name, "us-east-1"))])
TIED: Final = 0.03
"""Of ln dollars per request: this near to the least counts as equal. It is the least noise of a single machine that
`hardware_fit` allows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A benchmark, or a real server, and the suite that must not have been seen."""

    name: str
    suite: str
    row: Floats
    """ln throughput with all vCPUs busy [116]; NaN where a type was not run."""


def benchmark_servers(log: Mapping[str, Floats]) -> list[Server]:
    """Those that run on all vCPUs and still gain from them at 32; stress-ng's are not: no law of scaling is without."""
    suites = {
        "coremark": ["coremark:iterations_per_second:multi"],
        "passmark": [f"passmark:{name}:multi" for name in ("cpu_mark", "float_math", "extended_instructions_simd")],
        "geekbench": [f"geekbench6:{name}:multi" for name in hardware_scores.WELL_SCALING],
    }
    return [Server(name=name, suite=suite, row=log[name]) for suite, names in suites.items() for name in names]


def redis_servers() -> list[Server]:
    """The judged server at each of its pipeline depths; it is in no table, so no suite has to be held out."""
    return [
        Server(name=f"depth {depth}", suite="", row=np.log([rates[kind.name] for kind in TYPES]))
        for depth, rates in hardware.requests_per_s(hardware.MEASURED).items()
    ]


def markets() -> Iterator[tuple[str, Mask]]:
    """(name, its types); every family of at least four sizes is a market of the same name."""
    newest = np.equal(GENERATION, GENERATIONS.index("Sapphire Rapids"))
    yield "all 116 types", np.ones(len(TYPES), dtype=np.bool_)
    yield "without c7i", FAMILIES != "c7i"
    yield "without c7i, m7i, r7i", ~newest
    yield "... nor c6i", ~newest & (FAMILIES != "c6i")
    for family in dict.fromkeys(FAMILIES):
        if np.sum(family == FAMILIES) >= 4:
            yield "one family", family == FAMILIES


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A way of choosing a type from what its dollars per request are predicted to be."""

    expected: bool = False
    """By expected dollars, E[1/X] = exp(sd^2/2) / middle, not by their middle."""
    upper_end: bool = False
    """By the upper end of the interval."""
    tied_towards: float | Literal["measured"] | None = None
    """Of the sizes of the best type's family that are tied with it, the one nearest so many vCPUs, or those of the
    measured type; None: ties are not looked for."""

    def choose(self, usd_ln: Floats, sd: Floats, measured: int) -> int:
        """The type, given ln dollars per request (inf outside the market) and its standard deviation, both [116]."""
        cost = usd_ln + (sd**2 / 2 if self.expected else 0.0) + (Z90 * sd if self.upper_end else 0.0)
        best = int(cost.argmin())
        if self.tied_towards is None:
            return best
        vcpus = VCPUS[measured] if self.tied_towards == "measured" else self.tied_towards
        tied = (cost <= cost[best] + TIED) & (FAMILIES[best] == FAMILIES)
        return int(np.where(tied, np.abs(np.log(VCPUS / vcpus)), np.inf).argmin())


RULES: Final[Mapping[str, Rule]] = {
    "least middle": Rule(),
    "least expected": Rule(expected=True),
    "least upper end": Rule(upper_end=True),
    "tied: smallest": Rule(tied_towards=2),
    "expected, tied: smallest": Rule(expected=True, tied_towards=2),
    "tied: nearest the measured": Rule(tied_towards="measured"),
    "tied: nearest 4 vCPUs": Rule(tied_towards=4),
    "tied: nearest 8 vCPUs": Rule(tied_towards=8),
}
"""To take sizes for tied is to shrink the effect of size in a family to none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """The mean row [116] and the standard deviation [116, 116] of ratios, without a suite."""

    mean: Floats
    sd: Floats


def forecast(rows: hardware_scores.ClassRows, without: str) -> Forecast:
    """Of a workload of unknown class, as the shipped tables are made."""
    mean = hardware_fit.mean_rate(rows, without)
    covariance = hardware_fit.components(mean, rows.rate_spread, rows.weights, without).covariance()
    own = np.diag(covariance)
    sd = np.sqrt(np.maximum(own[:, None] + own[None, :] - 2 * covariance, 0.0))
    return Forecast(mean=mean, sd=sd * hardware_fit.table_z(rows) / Z90)


def regrets(servers: Sequence[Server], known: Mapping[str, Forecast]) -> dict[tuple[str, str], list[float]]:
    """By (market, rule): every server, every measured type of the five."""
    result: dict[tuple[str, str], list[float]] = {}
    for server in servers:
        of, seen = known[server.suite], np.isfinite(server.row)
        filled = hardware_scores.filled(server.row, of.mean)
        truth, trend = USD_LN - filled, USD_LN - smooth(filled)
        for market, mask in markets():
            outside = np.where(mask & seen, 0.0, np.inf)
            least = (truth + outside).min()
            ideal = int((trend + outside).argmin())
            result.setdefault((market, "own trend known"), []).append(float(np.expm1(truth[ideal] - least)))
            for measured in (INDEX[name] for name in hardware.SOURCES):
                cost = USD_LN - (of.mean - of.mean[measured]) + outside
                for name, rule in RULES.items():
                    chosen = rule.choose(cost, of.sd[:, measured], measured)
                    result.setdefault((market, name), []).append(float(np.expm1(truth[chosen] - least)))
    return result


def print_regrets(title: str, found: Mapping[tuple[str, str], Sequence[float]]) -> None:
    """Mean and median / 90th percentile in percent; the last column is the mean of the markets' means."""
    names = list(dict.fromkeys(market for market, _ in found))
    print(f"\n{title}: mean, median / 90th percentile in %\n{'':<27}" + "".join(f"{name:>24}" for name in names))
    for rule in (*RULES, "own trend known"):
        cells = [np.array(found[market, rule]) * 100 for market in names]
        shown = "".join(
            f"{each.mean():>10.1f} {np.median(each):>5.1f} /{np.quantile(each, 0.9):>6.1f}" for each in cells
        )
        print(f"{rule:<27}{shown}   mean {np.mean([each.mean() for each in cells]):.1f}")


def per_vcpu(column: str) -> dict[str, dict[int, float]]:
    """Throughput per vCPU, in logs, by EC2 family and vCPUs; one processor and two threads per core."""
    result: dict[tuple[str, str], dict[int, float]] = {}
    with (hardware_scores.SCORES / "ec2_processors.csv").open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            family, vcpus = row["ec2_type"].partition(".")[0], round(float(row["vcpus"]))
            shared = family.startswith("t") or family.endswith("-flex")  # CPU credits: not a whole CPU
            if float(row["threads_per_core"]) == 2 and float(row[column] or 0) > 0 and not shared:
                result.setdefault((family, row["cpu_model"]), {})[vcpus] = float(np.log(float(row[column]) / vcpus))
    return {family: sizes for (family, _), sizes in result.items() if {2, 4, 8, 16} <= sizes.keys()}


def print_sizes() -> None:
    """Per benchmark: throughput per vCPU beside 8 vCPUs of the family, and the regret of always taking that size."""
    ours = {kind.family for kind in TYPES}
    print("Throughput per vCPU beside the family's 8 vCPUs: mean ± standard error in %, [regret of always this size:")
    print("mean, 90th percentile in %]; hyperthreaded EC2 families")
    for column in ("div16_n", "coremark_multi", "passmark_cpu_mark"):
        for whose in ("all", "not ours"):
            known = [sizes for family, sizes in per_vcpu(column).items() if whose == "all" or family not in ours]
            cells = []
            for vcpus in (2, 4, 8, 16):
                step = np.array([sizes[vcpus] - sizes[8] for sizes in known])
                regret = np.expm1([max(sizes[s] for s in (2, 4, 8, 16)) - sizes[vcpus] for sizes in known])
                error = step.std(ddof=1) / np.sqrt(len(step))
                cells.append(
                    f"{vcpus:>4}: {100 * step.mean():>+5.1f} ±{100 * error:>4.1f} "
                    f"[{100 * regret.mean():>4.1f} {100 * np.quantile(regret, 0.9):>5.1f}]"
                )
            print(f"{column:<18}{f'{whose} ({len(known)})':<14}{'  '.join(cells)}")


def print_redis_sizes(servers: Sequence[Server]) -> None:
    """The judged server's throughput per vCPU by size, in the families that share their processors with c7i and c6i."""
    sizes = ("large", "xlarge", "2xlarge", "4xlarge", "8xlarge")
    rows = [server.row - np.log(VCPUS) for server in servers]
    print("\nRedis, throughput per vCPU beside the family's 2xlarge, mean of all depths in %: " + ", ".join(sizes))
    for family in ("c7i", "m7i", "r7i", "c6i", "m6i", "r6i"):
        at = [INDEX[f"ml.{family}.{size}"] for size in sizes]
        steps = np.mean([row[at] - row[INDEX[f"ml.{family}.2xlarge"]] for row in rows], axis=0)
        print(f"{family:<6}" + "".join(f"{100 * np.expm1(step):>+8.1f}" for step in steps))


def main() -> None:
    """Print the sizes' table, the rules on benchmarks and on Redis."""
    print_sizes()
    log = scores()
    rows = classes(log)["unknown"]
    servers = benchmark_servers(log)
    known = {suite: forecast(rows, suite) for suite in dict.fromkeys([*(each.suite for each in servers), ""])}
    found = regrets(servers, known)
    choices = sum(len(each) for (_, rule), each in found.items() if rule == "least middle")
    print_regrets(f"Regret, {len(servers)} benchmarks as servers, suite held out, {choices} choices", found)
    redis = redis_servers()
    print_regrets("Regret, Redis", regrets(redis, known))
    print_redis_sizes(redis)


if __name__ == "__main__":
    main()
