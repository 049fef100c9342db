"""The schedule is the cheapest that keeps every quota at every time; what is missing is named exactly."""

import itertools
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from planner.planning.schedule import TOTAL, Demand, Option, Slotted, cheapest, least_increase, usage

TYPES = ("ml.a.large", "ml.b.large")
quick = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])

options = st.builds(
    Option,
    instance_type=st.sampled_from(TYPES),
    instances=st.integers(1, 3),
    slots=st.integers(1, 3),
    cost_usd=st.integers(1, 40).map(lambda cents: cents / 8),
)
demands = st.lists(
    st.builds(
        Demand,
        options=st.lists(options, min_size=1, max_size=2).map(tuple),
        first_slot=st.integers(0, 1),
        end_slot=st.integers(4, 5),
    ),
    min_size=1,
    max_size=3,
)
quotas = st.dictionaries(st.sampled_from([*TYPES, TOTAL]), st.integers(0, 5), max_size=3)


def every(jobs: Sequence[Demand]) -> "itertools.product[tuple[Slotted, ...]]":
    """Every way in which the jobs can be placed."""
    return itertools.product(
        *(
            [
                Slotted(option=o, slot=s)
                for o, option in enumerate(job.options)
                for s in range(job.first_slot, job.end_slot - option.slots + 1)
            ]
            for job in jobs
        )
    )


def cost(jobs: Sequence[Demand], placed: Sequence[Slotted]) -> float:
    return sum(job.options[each.option].cost_usd for job, each in zip(jobs, placed, strict=True))


def excess(jobs: Sequence[Demand], placed: Sequence[Slotted], limits: dict[str, int]) -> int:
    """Instances above all quotas together."""
    held = usage(jobs, placed, 5)
    return sum(max(0, max(held.get(name, [0])) - limit) for name, limit in limits.items())


@quick
@given(jobs=demands, limits=quotas)
def test_the_schedule_is_the_cheapest_that_trying_all_finds(jobs: list[Demand], limits: dict[str, int]) -> None:
    kept = [cost(jobs, placed) for placed in every(jobs) if not excess(jobs, placed, limits)]
    found = cheapest(jobs, limits)
    assert (found is None) == (not kept)
    if found is not None:
        assert excess(jobs, found.jobs, limits) == 0
        assert found.cost_usd == pytest.approx(min(kept)) == cost(jobs, found.jobs)
        assert found.gap < 1e-6
        for job, placed in zip(jobs, found.jobs, strict=True):
            assert job.first_slot <= placed.slot <= job.end_slot - job.options[placed.option].slots


@quick
@given(jobs=demands, limits=quotas)
def test_the_increase_is_the_least_and_makes_it_feasible(jobs: list[Demand], limits: dict[str, int]) -> None:
    found = least_increase(jobs, limits)
    assert found is not None
    assert sum(found.above.values()) == min(excess(jobs, placed, limits) for placed in every(jobs))
    raised = {name: limit + found.above[name] for name, limit in limits.items()}
    again = cheapest(jobs, raised)
    assert again is not None
    assert again.cost_usd == pytest.approx(found.cost_usd)


@quick
@given(jobs=demands, limits=quotas, more=st.integers(1, 3))
def test_more_quota_never_costs_more(jobs: list[Demand], limits: dict[str, int], more: int) -> None:
    before = cheapest(jobs, limits)
    after = cheapest(jobs, {name: limit + more for name, limit in limits.items()})
    if before is not None:
        assert after is not None
        assert after.cost_usd <= before.cost_usd + 1e-9


def test_a_job_starts_as_early_as_the_others_let_it() -> None:
    one = Demand(
        options=(Option(instance_type="ml.a.large", instances=2, slots=2, cost_usd=1.0),), first_slot=1, end_slot=9
    )
    found = cheapest([one, one, replace(one, first_slot=0)], {"ml.a.large": 4})
    assert found is not None
    assert sorted(placed.slot for placed in found.jobs) == [0, 1, 2]


def test_a_job_longer_than_its_window_fits_no_quota() -> None:
    long = Demand(
        options=(Option(instance_type="ml.a.large", instances=1, slots=9, cost_usd=1.0),), first_slot=0, end_slot=8
    )
    assert cheapest([long], {}) is None
    assert least_increase([long], {"ml.a.large": 0}) is None
