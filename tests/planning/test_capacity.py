"""Many jobs: a plan each, deadlines and quotas kept, and what to ask for where they cannot be."""

import re
from pathlib import Path
from typing import Any

import pytest

from planner.documents import to_json, write_document
from planner.errors import CatalogueError, DocumentError, InfeasibleError, InputMissingError
from planner.planning.capacity import recommend_jobs
from planner.planning.capacity_plan import CapacityPlan
from planner.planning.job_table import JobQuestion, read_jobs
from planner.planning.parsimony import NEGLIGIBLE
from planner.planning.recommend import recommend
from planner.planning.ways import Grid
from planner.records.layout import describe
from tests.performance.synthetic import synthetic_profile

PROFILE = synthetic_profile()
TYPES = ("ml.c7i.large", "ml.c7i.xlarge")


def job(name: str, records: int = 20_000_000, *, start_s: float = 0.0, deadline_s: float = 7200.0) -> JobQuestion:
    return JobQuestion(
        name=name,
        profile=PROFILE,
        dataset=describe(records, 100, 50),
        start_s=start_s,
        deadline_s=deadline_s,
        region="us-east-1",
    )


def planned(*jobs: JobQuestion, **terms: Any) -> CapacityPlan:
    return recommend_jobs(jobs, instance_types=TYPES, **terms)


THREE = (job("a"), job("b", 60_000_000), job("c", 40_000_000, start_s=1800, deadline_s=5400))


def test_one_job_alone_gets_what_a_recommendation_gives_it() -> None:
    alone = recommend(PROFILE, describe(20_000_000, 100, 50), instance_types=TYPES, deadline_s=3000.0)
    together = planned(job("a", deadline_s=3000.0)).jobs[0]
    optimum = alone.exact_optimum.cost_usd if alone.exact_optimum else alone.estimate.cost_usd.mid
    assert optimum * (1 - 1e-9) <= together.estimate.cost_usd.mid <= optimum * (1 + NEGLIGIBLE) * (1 + 1e-9)
    assert together.start_s == 0
    assert together.end_s <= 3000.0


def test_deadlines_and_quotas_are_kept_at_every_time() -> None:
    plan = planned(*THREE, quotas={"c7i.large": 2, "c7i.xlarge": 1}, total_quota=2)
    for each in plan.jobs:
        assert each.earliest_start_s <= each.start_s
        assert each.end_s <= each.released_s + 1e-6
        assert each.released_s <= each.deadline_s + 1e-6
    limits = {"ml.c7i.large": 2, "ml.c7i.xlarge": 1}
    for moment in sorted(each.start_s for each in plan.jobs):
        running = [each.configuration for each in plan.jobs if each.start_s <= moment < each.end_s]
        assert sum(held.instance_count for held in running) <= 2
        for name, limit in limits.items():
            assert sum(held.instance_count for held in running if held.instance_type == name) <= limit
    assert {peak.instance_type: peak.instances for peak in plan.peaks}["*"] <= 2
    assert all(held.instances <= (limits | {"*": 2})[held.instance_type] for held in plan.usage)


def test_quotas_that_are_too_small_are_named_with_an_increase_that_is_then_enough() -> None:
    quotas = {"ml.c7i.large": 1, "ml.c7i.xlarge": 0}
    jobs = (job("a", 60_000_000, deadline_s=3600), job("b", 60_000_000, deadline_s=3600))
    with pytest.raises(InfeasibleError) as caught:
        planned(*jobs, quotas=quotas)
    asked = dict(re.findall(r"(ml\.\S+) to (\d+) \(\+", str(caught.value)))
    assert asked
    plan = planned(*jobs, quotas=quotas | {name: int(count) for name, count in asked.items()})
    cost = re.search(r"would then cost \$([\d.]+\d)", str(caught.value))
    assert cost is not None
    assert plan.cost_usd.mid == pytest.approx(float(cost[1]), rel=0.02)
    smaller = quotas | {name: int(count) - 1 for name, count in asked.items()}
    with pytest.raises(InfeasibleError):
        planned(*jobs, quotas=smaller)


def test_a_job_that_can_never_be_in_time_is_named_before_any_quota() -> None:
    with pytest.raises(InfeasibleError, match="job late: no configuration of"):
        planned(job("fine"), job("late", deadline_s=200.0), total_quota=1)


def test_the_same_question_gets_the_same_answer() -> None:
    from planner.documents import replace

    first, again = (planned(*THREE[:2], total_quota=3) for _ in range(2))
    assert to_json(replace(again, created_at=first.created_at)) == to_json(first)


def test_slots_end_where_deadlines_do() -> None:
    grid = Grid.over([job("a", deadline_s=5400), job("b", start_s=600, deadline_s=7200)])
    assert grid.slots >= 48
    assert grid.before(5400) * grid.slot_s == pytest.approx(5400)
    assert grid.after(600) * grid.slot_s == pytest.approx(600)
    odd = Grid.over([job("a", start_s=1234.5, deadline_s=7201.7)])
    assert odd.after(1234.5) * odd.slot_s >= 1234.5
    assert odd.before(7201.7) * odd.slot_s <= 7201.7 + 1e-6


@pytest.fixture
def table(tmp_path: Path) -> Path:
    write_document(tmp_path / "profile.json", PROFILE)
    write_document(tmp_path / "dataset.json", describe(1000, 100, 5))
    return tmp_path / "jobs.csv"


def test_a_table_of_jobs_is_read_as_csv_and_as_json(table: Path) -> None:
    table.write_text(
        "name,profile,dataset,records,record_bytes,objects,deadline,start,region\n"
        "a,profile.json,dataset.json,,,,90m,,\n"
        "b,profile.json,,1000,100,5,2h,30m,eu-west-1\n"
    )
    a, b = read_jobs(table, region="us-east-1")
    assert (a.name, a.start_s, a.deadline_s, a.region) == ("a", 0.0, 5400.0, "us-east-1")
    assert (b.name, b.start_s, b.deadline_s, b.region) == ("b", 1800.0, 7200.0, "eu-west-1")
    assert (a.dataset.records, b.dataset.records) == (1000, 1000)
    as_json = table.with_suffix(".json")
    as_json.write_text('[{"name": "a", "profile": "profile.json", "dataset": "dataset.json", "deadline": "90m"}]')
    assert read_jobs(as_json, region="us-east-1")[0].deadline_s == 5400.0


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("a,,dataset.json,,,,1h", r"job 1 \(a\): profile is missing"),
        ("a,profile.json,dataset.json,5,,,1h", "either dataset, or records"),
        ("a,profile.json,,5,x,1,1h", "records, record_bytes, objects: invalid literal"),
        ("a,profile.json,dataset.json,,,,soon", "deadline: 'soon' is not a quantity"),
        ("a,profile.json,dataset.json,,,,1h,extra", "more cells than the heading has"),
        ("a,profile.json,dataset.json,,,,0", "deadline: 0 is not after its start"),
        ("a,profile.json,dataset.json,,,,1h\na,profile.json,dataset.json,,,,1h", "two jobs are named 'a'"),
    ],
)
def test_a_faulty_row_is_named(table: Path, row: str, said: str) -> None:
    table.write_text(f"name,profile,dataset,records,record_bytes,objects,deadline\n{row}\n")
    with pytest.raises(DocumentError, match=said):
        read_jobs(table, region="us-east-1")


def test_a_table_that_is_none_is_named(table: Path) -> None:
    with pytest.raises(InputMissingError):
        read_jobs(table, region="us-east-1")
    table.write_text('{"name": "a"}')
    with pytest.raises(DocumentError, match="a list of objects"):
        read_jobs(table, region="us-east-1")
    table.write_text("nome,profile\na,b\n")
    with pytest.raises(DocumentError, match="no column 'nome'"):
        read_jobs(table, region="us-east-1")


def test_an_unknown_type_of_a_quota_is_a_catalogue_error() -> None:
    with pytest.raises(CatalogueError):
        planned(job("a"), quotas={"ml.x9.huge": 1})
