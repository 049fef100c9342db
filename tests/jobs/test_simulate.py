import hashlib
import math
from dataclasses import replace as replace_dataclass

import numpy as np
import pytest

from planner.documents import replace, to_json
from planner.errors import DocumentError, InputMissingError, ProfileError
from planner.interval import Interval
from planner.jobs.sharing import SideBySide
from planner.jobs.simulation.document import Simulation
from planner.jobs.simulation.here import JobHere
from planner.jobs.simulation.requests import object_requests
from planner.jobs.simulation.service_times import ServiceTimes, times_of_plan
from planner.jobs.simulation.simulate import billed_startup_s, simulate, simulate_here
from planner.jobs.simulation.worlds import Chances, Job, play_out
from planner.performance import predict
from planner.planning.plan import Plan
from planner.planning.recommend import recommend
from planner.profiling.profile import Profile
from planner.records.dataset import Dataset
from planner.records.layout import describe, repeated
from tests.performance.synthetic import synthetic_profile
from tests.planning.cases import AnalyticModel, dataset, run

DIGEST = hashlib.sha256(to_json(synthetic_profile()).encode()).hexdigest()
DATA = describe(64_000_000, 1000, 64)


@pytest.fixture(name="profile", scope="module")
def _profile() -> Profile:
    return synthetic_profile()


@pytest.fixture(name="plan", scope="module")
def _plan(profile: Profile) -> Plan:
    return recommend(profile, DATA, deadline_s=1500.0, instance_types=("ml.c5.*",), max_instance_count=20)


def certain(plan: Plan) -> Plan:
    """The plan with nothing unknown left: only what requests, objects and instances do remains."""
    value = plan.estimate
    exact = {
        name: Interval.exactly(getattr(value, name).mid)
        for name in ("throughput_records_per_s", "startup_s", "billed_s", "makespan_s")
    }
    return replace(plan, estimate=replace(value, **exact))


def quantile(simulation: Simulation, probability: float) -> float:
    return dict(simulation.makespan_s.quantiles)[probability]


def test_the_same_seed_gives_the_same_numbers_and_another_seed_others(plan: Plan, profile: Profile) -> None:
    def numbers(seed: int) -> str:
        found = simulate(plan, profile=profile, worlds=20, seed=seed, record_failure_rate=1e-6)
        return to_json(replace(found, created_at=""))

    assert numbers(3) == numbers(3)
    assert numbers(3) != numbers(4)


def one_type(data: Dataset, count: int, *, cores: float) -> Plan:
    """The plan on so many instances of one type, whose capacity is that of so many busy threads; all of it known."""
    found = recommend(
        synthetic_profile(),
        data,
        model=AnalyticModel(error=0.0),
        speed_of=lambda _: (Interval.exactly(1.0), Interval.exactly(cores)),
        max_instance_count=count,
        objective="time",
        instance_types=("ml.c5.2xlarge",),
        startup_s=Interval.exactly(60.0),
    )
    assert found.configuration.instance_count == count
    return certain(found)


def times(plan: Plan, data: Dataset, cores: float) -> ServiceTimes:
    sizes = object_requests(data, plan.configuration.batch_strategy, plan.configuration.max_payload_mb).sizes
    return times_of_plan(
        plan,
        data,
        synthetic_profile(),
        sizes,
        model=AnalyticModel(error=0.0),
        speed_of=lambda _: (Interval.exactly(1.0), Interval.exactly(cores)),
    )


@pytest.mark.parametrize(("objects", "count"), [(3, 1), (12, 3), (12, 12), (41, 4)])
@pytest.mark.parametrize("cores", [1.0, 5.0, 8.0])
def test_without_noise_a_simple_layout_ends_where_the_plan_has_its_waves(
    objects: int, count: int, cores: float
) -> None:
    """Equal objects of whole requests: the closed form is W s_n / X (1 + gap / 2), and gap / 2 is all it may miss."""
    data = describe(objects * 256 * 5040, 4096, objects)
    plan = one_type(data, count, cores=cores)
    chosen, value = plan.configuration, plan.estimate
    requests = object_requests(data, chosen.batch_strategy, chosen.max_payload_mb)
    noiseless = replace_dataclass(times(plan, data, cores), shape=np.ones(1))
    job = Job(
        requests=requests,
        times=noiseless,
        instances=count,
        startup_s=value.startup_s,
        billed_startup_s=Interval.exactly(0.0),
    )
    worlds = play_out(job, Chances(worlds=2, seed=1, random_assignment=0.0, instance_log_sd=0.0))
    steady_s = data.records * value.busiest_instance_share / value.throughput_records_per_s.mid
    on_busiest, c = round(value.requests * value.busiest_instance_share), chosen.max_concurrent_transforms
    gap = math.ceil(on_busiest / c) * c / on_busiest - 1
    assert requests.requests == value.requests
    assert worlds.makespan_s[0] == worlds.makespan_s[1]
    assert steady_s * (1 - 1e-9) <= worlds.makespan_s[0] <= steady_s * (1 + gap + 1e-9)
    assert worlds.makespan_s[0] == pytest.approx(value.makespan_s.mid, abs=steady_s * (gap / 2 + 1e-9))
    assert worlds.in_flight_s[0].max() == pytest.approx(c * steady_s)


@pytest.mark.parametrize("objects", [1, 7, 40])
def test_with_noise_one_busy_instance_ends_when_the_plan_says_within_the_standard_error(objects: int) -> None:
    """One full CPU, so that no answer waits for another's end: the mean is the work over the throughput."""
    data = describe(objects * 256 * 5040, 4096, objects)
    plan, speed = one_type(data, 1, cores=1.0), (Interval.exactly(1.0), Interval.exactly(1.0))
    found = (
        simulate(plan, profile=None, dataset=data, worlds=500, random_assignment=0.0),
        simulate(
            replace(plan, profile_digest=DIGEST),
            profile=synthetic_profile(),
            dataset=data,
            model=AnalyticModel(error=0.0),
            speed_of=lambda _: speed,
            worlds=500,
        ),
    )
    makespan = found[1].makespan_s
    assert makespan.sd > 0
    assert makespan.mean == pytest.approx(plan.estimate.makespan_s.mid, abs=4 * makespan.standard_error)
    assert found[0].makespan_s.mean == pytest.approx(makespan.mean, rel=0.02)


def test_nine_in_ten_worlds_lie_in_the_plans_intervals(plan: Plan, profile: Profile) -> None:
    found, value = simulate(plan, profile=profile, worlds=1000), plan.estimate
    for distribution, interval in (
        (found.makespan_s, value.makespan_s),
        (found.finish_s, value.finish_s),
        (found.cost_usd, value.cost_usd),
    ):
        assert distribution is not None
        quantiles = dict(distribution.quantiles)
        assert quantiles[0.05] == pytest.approx(interval.low, rel=0.1)
        # The middle of a sum of lopsided quantities lies above the sum of their middles.
        assert 0.9 * interval.mid < quantiles[0.5] < interval.mid + (interval.high - interval.mid) / 4
        assert quantiles[0.95] == pytest.approx(interval.high, rel=0.1)


def test_a_later_deadline_is_never_less_likely_to_be_met(plan: Plan) -> None:
    chances = []
    for deadline_s in (1.0, 400.0, 700.0, 1000.0, 2000.0, 1e5):
        met = simulate(plan, worlds=100, deadline_s=deadline_s).deadline
        assert met is not None
        assert met.standard_error > 0
        chances.append(met.probability)
    assert chances == sorted(chances)
    assert (chances[0], chances[-1]) == (0.0, 1.0)


def test_the_deadline_and_the_budget_are_the_plans_unless_others_are_given(profile: Profile) -> None:
    plan = recommend(profile, DATA, deadline_s=1500.0, budget_usd=3.0, instance_types=("ml.c5.xlarge",))
    found = simulate(plan, worlds=20)
    assert found.deadline is not None
    assert found.budget is not None
    assert (found.deadline.limit, found.budget.limit) == (1500.0, 3.0)
    other = simulate(plan, worlds=20, deadline_s=900.0, budget_usd=1.0)
    assert other.deadline is not None
    assert other.budget is not None
    assert (other.deadline.limit, other.budget.limit) == (900.0, 1.0)


def test_money_adds_up(plan: Plan, profile: Profile) -> None:
    found, n = simulate(plan, profile=profile, worlds=100), plan.configuration.instance_count
    assert found.cost_usd is not None
    assert found.billed_s is not None
    price = plan.estimate.price.usd_per_hour / 3600
    assert found.cost_usd.mean == pytest.approx(n * price * found.billed_s.mean)
    assert found.idle is not None
    waited_s = sum(found.makespan_s.mean - row.busy_s.mean for row in found.instances)
    assert found.idle.usd.mean == pytest.approx(price * waited_s)


def test_one_large_object_keeps_the_other_instances_waiting(profile: Profile) -> None:
    even, skewed = dataset([run(100_000, copies=10)]), dataset([run(500_000), run(20_000, copies=25)])
    plan = recommend(profile, even, instance_types=("ml.c5.xlarge",), max_instance_count=5, objective="time")
    work = replace(plan.workload, objects=26)
    found = [
        simulate(given, profile=profile, dataset=data, worlds=100, random_assignment=0.0)
        for given, data in ((plan, even), (replace(plan, workload=work), skewed))
    ]
    assert found[0].idle is not None
    assert found[1].idle is not None
    assert found[1].idle.share_of_cost > 5 * found[0].idle.share_of_cost
    assert [row.objects for row in found[1].instances] == [6, 5, 5, 5, 5]
    assert found[1].instances[0].utilization.mid > 2 * found[1].instances[1].utilization.mid
    assert found[1].makespan_s.mean > 2 * found[0].makespan_s.mean


def test_objects_at_random_take_longer_than_objects_dealt(plan: Plan) -> None:
    assert plan.configuration.instance_count > 1
    means = [simulate(plan, worlds=100, random_assignment=share).makespan_s.mean for share in (0.0, 0.5, 1.0)]
    assert means == sorted(means)
    assert means[2] > 1.02 * means[0]


def test_an_input_described_by_numbers_needs_no_dataset(profile: Profile) -> None:
    data = repeated(describe(300_001, 500, 7), 3)
    plan = recommend(profile, data, repeat=3, instance_types=("ml.c5.xlarge",), max_instance_count=3)
    given, remembered = (replace(simulate(plan, dataset=d, worlds=20), created_at="") for d in (data, None))
    assert given == remembered


def test_millions_of_requests_are_played_as_sums_and_the_document_says_so(profile: Profile) -> None:
    data = describe(900_000_000, 1000, 3000)
    plan = recommend(profile, data, deadline_s=7200.0, instance_types=("ml.c5.*",))
    found = simulate(plan, profile=profile, worlds=100)
    assert found.requests == plan.estimate.requests
    assert found.requests * found.worlds > 20_000_000
    assert 0 < found.summed_share < 1
    assert 0 < found.sum_error_bound_s < 1e-3 * found.makespan_s.mean
    assert any("played as sums" in line for line in found.assumptions)
    assert quantile(found, 0.5) == pytest.approx(plan.estimate.makespan_s.mid, rel=0.1)


def test_the_billed_start_up_is_found_in_the_plans_own_figures(plan: Plan, profile: Profile) -> None:
    """Distances from the middles add in quadrature in the plan; taken apart again they give the start-up back."""
    startup, makespan = Interval(low=10.0, mid=60.0, high=400.0), Interval(low=80.0, mid=100.0, high=150.0)
    billed = Interval(low=160 - math.hypot(50.0, 20.0), mid=160.0, high=160 + math.hypot(340.0, 50.0))
    found = billed_startup_s(replace(plan.estimate, makespan_s=makespan, billed_s=billed))
    assert (found.low, found.mid, found.high) == pytest.approx((startup.low, startup.mid, startup.high))


def test_bad_records_cost_what_is_asked_about_them(plan: Plan, profile: Profile) -> None:
    assert simulate(plan, profile=profile, worlds=20).loss is None
    loss = simulate(plan, profile=profile, worlds=20, record_failure_rate=1e-6).loss
    assert loss is not None
    assert loss.objects == pytest.approx(64 * (1 - (1 - 1e-6) ** 1_000_000))
    assert loss.rerun_usd is not None
    assert loss.rerun_usd > 0


def test_another_profile_is_refused(plan: Plan) -> None:
    with pytest.raises(ProfileError, match=r"digest .* the plan rests on"):
        simulate(plan, profile=synthetic_profile(seed=9))


def test_another_input_is_refused_with_every_total_that_differs(plan: Plan) -> None:
    with pytest.raises(DocumentError, match=r"65 objects instead of 64, 64,000,001 records instead of 64,000,000"):
        simulate(plan, dataset=describe(64_000_001, 1000, 65))


def test_objects_of_unknown_sizes_are_asked_for(plan: Plan) -> None:
    with pytest.raises(InputMissingError, match="Give --dataset"):
        simulate(replace(plan, workload=replace(plan.workload, input="s3://bucket/in/")))


@pytest.mark.parametrize(("worlds", "share"), [(1, 0.5), (10, -0.1), (10, 1.1)])
def test_impossible_numbers_are_refused(plan: Plan, worlds: int, share: float) -> None:
    with pytest.raises(ValueError, match=r"worlds|share"):
        simulate(plan, worlds=worlds, random_assignment=share)


def test_few_worlds_are_warned_of(plan: Plan) -> None:
    assert any("199 worlds" in line for line in simulate(plan, worlds=199).warnings)
    assert not any("worlds" in line for line in simulate(plan, worlds=200).warnings)


def test_on_this_host_there_is_work_but_no_start_up_and_no_bill(profile: Profile) -> None:
    data = describe(400_000, 2048, 8)
    job = JobHere(max_payload_mb=1, max_concurrent_transforms=2, cpus=2.0)
    found = simulate_here(profile, data, job, worlds=100)
    assert (found.cost_usd, found.startup_s, found.idle, found.planned_finish_s) == (None,) * 4
    assert found.finish_s == found.makespan_s
    rate = predict(profile, records_per_request=512, concurrency=2).throughput_records_per_s.mid
    assert quantile(found, 0.5) == pytest.approx(400_000 / rate, rel=0.05)
    halves = simulate_here(profile, data, replace_dataclass(job, instance_count=2, cpus=1.0), worlds=100)
    assert [row.objects for row in halves.instances] == [4, 4]
    assert quantile(halves, 0.5) == pytest.approx(quantile(found, 0.5), rel=0.2)


def test_what_containers_cost_each_other_here_lengthens_the_job_and_is_said(profile: Profile) -> None:
    data = describe(400_000, 2048, 7)
    found = SideBySide(
        instances=2,
        cpus=1.0,
        profiled_requests_per_s=100.0,
        alone_requests_per_s=100.0,
        together_requests_per_s=50.0,
        client_cpu_s_per_request=1e-3,
        requests=100,
        keeps_connections=True,
    )

    def here(cost: SideBySide | None) -> Simulation:
        job = JobHere(max_payload_mb=1, max_concurrent_transforms=2, instance_count=2, cpus=1.0)
        return simulate_here(profile, data, job, worlds=100, side_by_side=cost)

    plain, shared = here(None), here(found)
    longer, shorter = (row.busy_s.mean for row in plain.instances)
    assert quantile(shared, 0.5) == pytest.approx(2 * shorter + (longer - shorter), rel=0.05)
    assert shared.side_by_side == found
    assert any("2.00 times what it took in the profile" in line for line in shared.assumptions)
    assert any("what they cost each other was not measured" in line for line in plain.warnings)
    assert not shared.warnings or "cost each other" not in " ".join(shared.warnings)
    late = here(replace(found, tried="containers", warming_s=0.25))
    assert quantile(late, 0.5) == pytest.approx(quantile(shared, 0.5) + 0.25)
    assert any("answered 250 ms later" in line for line in late.assumptions)
    with pytest.raises(ValueError, match="side_by_side is of 3"):
        here(replace(found, instances=3))
