"""The shipped speed tables against the scores they were computed from, and what held-out scores say of them."""

import csv
import io
import runpy
from pathlib import Path
from typing import Any

import pytest

from planner.catalogue.tables import CC_BY_SA, rows

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def rebuilt(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.syspath_prepend(BENCHMARKS)
    return runpy.run_path(str(BENCHMARKS / "hardware_tables.py"))


def as_read_back(table: list[dict[str, str]]) -> list[dict[str, str]]:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, list(table[0]))
    writer.writeheader()
    writer.writerows(table)
    return list(csv.DictReader(io.StringIO(stream.getvalue())))


def test_the_shipped_tables_are_what_the_scores_give(rebuilt: dict[str, Any]) -> None:
    log = rebuilt["scores"]()
    by_class = rebuilt["classes"](log)
    expected = {
        "speeds.csv": rebuilt["speed_rows"](by_class, log),
        "spreads.csv": rebuilt["spread_rows"](by_class, log),
        "processor_generations.csv": rebuilt["processor_rows"](),
        "dividers.csv": rebuilt["divider_rows"](),
    }
    for name, table in expected.items():
        for shipped, built in zip(rows(f"{CC_BY_SA}{name}"), as_read_back(table), strict=True):
            assert shipped.keys() == built.keys()
            for column, text in shipped.items():
                if column.endswith("_ln") or column in {"value", "speedup_at_physical_cores"}:
                    assert float(text) == pytest.approx(float(built[column]), rel=1e-3, abs=2e-4), (name, built)
                else:
                    assert text == built[column], (name, built)


def test_every_held_out_suite_is_covered(rebuilt: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(BENCHMARKS)
    fit = runpy.run_path(str(BENCHMARKS / "hardware_fit.py"))
    unknown = rebuilt["classes"](rebuilt["scores"]())["unknown"]
    shares = fit["held_out_coverage"](unknown, fit["table_z"](unknown))
    assert set(shares) == {"coremark", "passmark", "geekbench", "zstd"}
    for suite, share in shares.items():
        assert share.mean() >= 0.9, suite


def test_the_judge_runs_and_the_errors_stay_within_their_marks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(BENCHMARKS)
    judge = runpy.run_path(str(BENCHMARKS / "hardware.py"))
    measured = judge["requests_per_s"](judge["MEASURED"])
    found = judge["points"](measured, judge["by_class"]("unknown"))
    errors = sorted(point.error for point in found)
    near = sorted(point.error for point in found if point.same_generation and point.target.vcpus <= 32)
    assert errors[len(errors) // 2] <= 0.14
    assert errors[int(0.9 * len(errors))] <= 0.40
    assert near[len(near) // 2] <= 0.05
    shares = [sum(point.covered for point in each) / len(each) for each in judge["clusters"](found).values()]
    assert min(shares) >= 0.75
    assert 0.85 <= sum(shares) / len(shares) <= 0.97
