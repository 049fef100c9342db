"""Plans as rows for a spreadsheet: one CSV file, one row per configuration, numbers in base units."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TypeAlias

from planner.documents import written_whole
from planner.interval import Interval
from planner.planning.plan import Alternative, Plan
from planner.planning.space import Configuration

Cell: TypeAlias = str | int | float | bool | None


def write_plans(path: Path, plans: Mapping[str, Plan]) -> None:
    """Write the rows of all plans, each under its name, whole or not at all. Raises OutputError."""
    import pandas as pd

    table = pd.DataFrame([row for name, plan in plans.items() for row in rows(name, plan)])
    with written_whole(path) as stream:
        table.to_csv(stream, index=False)


def rows(name: str, plan: Plan) -> Iterator[dict[str, Cell]]:
    """The choice, the exact optimum, the alternatives, the front, and every type's best; seconds and US dollars."""
    value = plan.estimate
    yield {
        "plan": name,
        "kind": "choice",
        "title": "choice",
        **_configuration(plan.configuration),
        **_interval("cost_usd", value.cost_usd),
        **_interval("finish_s", value.finish_s),
        "usd_per_hour": value.price.usd_per_hour,
        "records_per_s_per_instance": value.throughput_records_per_s.mid,
        "bottleneck": value.bottleneck,
        "extrapolated": value.extrapolated,
        "within_noise": False,
        "reason": "",
    }
    for kind, alternatives in (("alternative", plan.alternatives), ("front", plan.pareto)):
        for alternative in alternatives:
            yield _alternative(name, kind, alternative)
    for row in plan.types:
        yield {
            "plan": name,
            "kind": "best of type",
            "title": row.configuration.instance_type,
            **_configuration(row.configuration),
            **_interval("cost_usd", row.cost_usd),
            **_interval("finish_s", row.finish_s),
            "usd_per_hour": row.usd_per_hour,
            "records_per_s_per_instance": row.throughput_records_per_s.mid,
            "bottleneck": row.bottleneck,
            "extrapolated": None,
            "within_noise": row.within_noise,
            "reason": row.reason,
        }


def _alternative(name: str, kind: str, row: Alternative) -> dict[str, Cell]:
    value = row.estimate
    return {
        "plan": name,
        "kind": kind,
        "title": row.title,
        **_configuration(row.configuration),
        **_interval("cost_usd", value.cost_usd),
        **_interval("finish_s", value.finish_s),
        "usd_per_hour": value.price.usd_per_hour,
        "records_per_s_per_instance": value.throughput_records_per_s.mid,
        "bottleneck": value.bottleneck,
        "extrapolated": value.extrapolated,
        "within_noise": row.within_noise,
        "reason": row.reason,
    }


def _configuration(held: Configuration) -> dict[str, Cell]:
    return {
        "instance_type": held.instance_type,
        "instance_count": held.instance_count,
        "batch_strategy": held.batch_strategy,
        "max_payload_mb": held.max_payload_mb,
        "max_concurrent_transforms": held.max_concurrent_transforms,
    }


def _interval(name: str, value: Interval) -> dict[str, Cell]:
    return {f"{name}_low": value.low, f"{name}_mid": value.mid, f"{name}_high": value.high}
