"""A recommendation: what it chooses, what it says of what lost, and how it fails."""

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from planner.documents import replace, to_json
from planner.errors import CatalogueError, InfeasibleError, InputMissingError, RecordTooLargeError
from planner.interval import Interval
from planner.jobs.request import draft_request
from planner.performance.model import PerformanceModel
from planner.planning.compare import SD_SAME_TYPE
from planner.planning.plan import Plan
from planner.planning.recommend import recommend
from planner.profiling.profile import Profile
from planner.records.dataset import Dataset
from planner.records.layout import describe, repeated
from tests.performance.simulation import SIMULATED, Contention, simulated_profile
from tests.performance.synthetic import prefork, synthetic_profile
from tests.planning.cases import dataset, run

PROFILE = synthetic_profile()
MODEL = PerformanceModel.fit(PROFILE)
INPUT = describe(20_000_000, 100, 200)


def plan_for(profile: Profile = PROFILE, data: Dataset = INPUT, **goal: Any) -> Plan:
    goal.setdefault("instance_types", ("ml.m5.*", "ml.c7i.*", "ml.g5.xlarge"))
    goal.setdefault("model", MODEL if profile.measurements is PROFILE.measurements else None)
    return recommend(profile, data, **goal)


def test_the_choice_is_the_cheapest_of_everything_the_plan_lists() -> None:
    plan = plan_for()
    listed = [*plan.alternatives, *plan.pareto]
    assert len(listed) > 8
    optimum_usd = plan.exact_optimum.cost_usd if plan.exact_optimum else plan.estimate.cost_usd.mid
    assert all(other.estimate.cost_usd.mid >= optimum_usd * (1 - 1e-12) for other in listed)
    assert plan.estimate.cost_usd.mid <= optimum_usd * (1 + SD_SAME_TYPE)


def test_the_deadline_is_met_at_the_confidence_and_not_only_in_the_middle() -> None:
    free = plan_for()
    deadline_s = (free.estimate.finish_s.mid + free.estimate.finish_s.high) / 2
    plan = plan_for(deadline_s=deadline_s)
    assert free.estimate.finish_s.mid < deadline_s < free.estimate.finish_s.high
    assert plan.estimate.finish_s.high == pytest.approx(plan.estimate.finish_at_confidence_s)
    assert plan.estimate.finish_s.high <= deadline_s
    assert plan.estimate.cost_usd.mid >= free.estimate.cost_usd.mid


def test_a_slower_model_needs_another_plan() -> None:
    slow = synthetic_profile(prefork(fixed_s=10e-3, record_s=500e-6))
    fast, slower = plan_for(deadline_s=1500.0), plan_for(slow, deadline_s=1500.0)
    assert slower.configuration != fast.configuration
    assert slower.estimate.cost_usd.mid > 3 * fast.estimate.cost_usd.mid


def test_the_makespan_follows_from_the_printed_numbers() -> None:
    value = (plan := plan_for(deadline_s=1200.0)).estimate
    steady_s = plan.workload.records * value.busiest_instance_share / value.throughput_records_per_s.mid
    assert value.makespan_s.mid == pytest.approx(steady_s, rel=0.02)
    assert value.finish_s.mid == pytest.approx(value.startup_s.mid + value.makespan_s.mid)
    hours = value.billed_s.mid / 3600
    assert value.cost_usd.mid == pytest.approx(plan.configuration.instance_count * value.price.usd_per_hour * hours)


def test_a_gpu_type_is_refused_because_nothing_was_measured_on_one() -> None:
    refused = [r for r in plan_for().rejections if r.subject == "ml.g5.xlarge"]
    assert [r.limit for r in refused] == ["accelerator"]
    assert "no measurement" in refused[0].reason


def test_a_type_without_a_price_in_the_region_is_refused() -> None:
    plan = plan_for(region="me-south-1", instance_types=("ml.m5.*", "ml.c7i.*"))
    refused = {r.subject for r in plan.rejections if r.limit == "price"}
    assert "ml.c7i.xlarge" in refused
    assert plan.configuration.instance_type.startswith("ml.m5.")


def test_the_service_defaults_are_shown_even_when_their_type_was_not_asked_for() -> None:
    plan = plan_for(instance_types=("ml.c7i.*",))
    titles = [a.title for a in plan.alternatives]
    assert "service defaults, 1 x m5.xlarge" in titles
    assert plan.configuration.instance_type.startswith("ml.c7i.")
    assert all(p.configuration.instance_type.startswith("ml.c7i.") for p in plan.pareto)


def test_types_of_one_generation_are_within_noise_and_a_slow_guess_is_not() -> None:
    plan = plan_for(instance_types=("ml.c7i.xlarge", "ml.m7i.xlarge"))
    by_title = {a.title: a for a in plan.alternatives}
    assert by_title["runner-up 1"].within_noise
    assert "within noise" in by_title["runner-up 1"].reason
    assert not by_title["one record per request"].within_noise


def test_workers_grow_with_the_instance_and_other_variables_are_kept() -> None:
    container = replace(PROFILE.container, environment={"OMP_NUM_THREADS": "1"})
    plan = plan_for(replace(PROFILE, container=container), instance_types=("ml.m5.4xlarge",))
    assert plan.configuration.environment == {"OMP_NUM_THREADS": "1", "SAGEMAKER_MODEL_SERVER_WORKERS": "16"}


def test_a_latency_near_the_worker_timeout_raises_that_timeout_where_its_variable_is_known() -> None:
    slow = synthetic_profile(prefork(fixed_s=30.0, record_s=0.01))
    data = describe(2000, 100, 20)
    known = plan_for(slow, data, instance_types=("ml.m5.xlarge",))
    assert int(known.configuration.environment["SAGEMAKER_MODEL_SERVER_TIMEOUT"]) > known.estimate.latency_p99_s.high
    unknown = replace(slow, container=replace(slow.container, worker_variable=None))
    plan = plan_for(unknown, data, instance_types=("ml.m5.xlarge",))
    assert "SAGEMAKER_MODEL_SERVER_TIMEOUT" not in plan.configuration.environment
    assert any(r.limit == "time-out" for r in plan.rejections)


def test_a_container_that_fits_no_memory_names_the_limit() -> None:
    heavy = synthetic_profile(idle_memory_bytes=60 * 2**30)
    with pytest.raises(InfeasibleError, match=r"no configuration of .* GiB"):
        plan_for(heavy, instance_types=("ml.m5.large", "ml.m5.xlarge"))


def test_a_type_without_memory_for_its_usual_workers_is_planned_with_fewer() -> None:
    hungry = synthetic_profile(idle_memory_bytes=8 * 2**30)
    refused = plan_for(hungry, instance_types=("ml.m5.2xlarge",))
    assert any(r.subject == "ml.m5.2xlarge" and r.limit == "memory" for r in refused.rejections)
    workers = int(refused.configuration.environment["SAGEMAKER_MODEL_SERVER_WORKERS"])
    assert 1 <= workers < 8
    assert refused.estimate.memory_bytes is not None
    assert refused.estimate.memory_bytes.high <= 0.9 * 32 * 2**30 - 2**30
    unknown = replace(hungry, container=replace(hungry.container, worker_variable=None))
    with pytest.raises(InfeasibleError):
        plan_for(unknown, instance_types=("ml.m5.2xlarge",))


def test_an_impossible_deadline_names_the_nearest_miss_and_what_to_relax() -> None:
    with pytest.raises(InfeasibleError) as caught:
        plan_for(deadline_s=300.0, max_instance_count=10)
    assert re.search(
        r"no configuration of [\d,]+ meets the deadline of 5 m 00 s at 95% confidence; the fastest needs "
        r"\d+ m \d\d s \(\d+ x ml\.[a-z0-9.]+, limited by [a-z-]+\)\. To get one: raise --deadline, "
        r"widen --instance-type, raise --max-instance-count",
        str(caught.value),
    )


def test_a_deadline_before_the_start_is_not_to_be_met_by_more_objects_or_instances() -> None:
    with pytest.raises(InfeasibleError, match="limited by start-up") as caught:
        plan_for(deadline_s=1.0, max_instance_count=10)
    assert str(caught.value).endswith(
        "To get one: raise --deadline, give --startup if yours is shorter, lower --confidence."
    )


def test_the_nearest_miss_is_a_deadline_that_can_be_met() -> None:
    with pytest.raises(InfeasibleError) as caught:
        plan_for(budget_usd=0.0001)
    found = re.search(r"the cheapest costs \$([\d.]+)", str(caught.value))
    assert found is not None
    assert plan_for(budget_usd=float(found[1]) + 1e-4).estimate.cost_at_confidence_usd is not None
    with pytest.raises(InfeasibleError):
        plan_for(budget_usd=float(found[1]) - 1e-4)


def test_only_refused_types_end_in_an_error_that_says_why() -> None:
    with pytest.raises(InfeasibleError, match="profile holds no measurement on such a device"):
        plan_for(instance_types=("ml.g5.*",))


def test_an_unknown_type_or_region_is_a_catalogue_error() -> None:
    with pytest.raises(CatalogueError):
        plan_for(instance_types=("ml.m99.*",))
    with pytest.raises(CatalogueError):
        plan_for(region="atlantis-1")


def test_a_record_that_no_request_can_carry_is_refused_with_its_size() -> None:
    with pytest.raises(RecordTooLargeError, match="104,857,600 bytes"):
        plan_for(data=dataset([run(2, 100 * 2**20)]))


def test_an_input_without_records_is_refused() -> None:
    with pytest.raises(InputMissingError):
        plan_for(data=dataset([run(0, 1)]))


def test_whole_objects_are_sent_one_by_one_where_there_is_no_split_type() -> None:
    profile = synthetic_profile(points=((1, 1), (1, 2), (1, 4), (1, 8), (2, 1), (2, 4)))
    plan = plan_for(profile, describe(5000, 3 * 2**20, 5000, split_type="None"))
    assert plan.configuration.batch_strategy == "SingleRecord"
    assert plan.configuration.max_payload_mb == 4
    assert plan.estimate.requests == 5000


def test_one_large_object_is_told_to_be_cut() -> None:
    plan = plan_for(data=dataset([run(10_000_000, 100)]))
    assert plan.configuration.instance_count == 1
    assert any("One object cannot use more than one instance" in w for w in plan.warnings)


def test_skewed_objects_cost_idle_money_that_is_named() -> None:
    skewed = dataset([run(10_000_000, 100), run(100_000, 100, copies=50, key="b")])
    plan = plan_for(data=skewed, objective="time", budget_usd=5.0, max_instance_count=4)
    warned = [w for w in plan.warnings if w.startswith("Uneven")]
    assert len(warned) == 1
    assert "$" in warned[0]


def test_cutting_up_one_object_is_advised_with_a_saving_that_comes_true() -> None:
    goal: dict[str, Any] = {"instance_types": ("ml.c7i.large", "ml.m5.24xlarge"), "deadline_s": 1500.0}
    plan = plan_for(data=dataset([run(50_000_000, 100)]), **goal)
    assert plan.reshard is not None
    advised = [w for w in plan.warnings if w.startswith(f"Cut into {plan.reshard.objects:,} objects")]
    assert f"planner reshard INPUT --objects {plan.reshard.objects} --output DIR" in advised[0]
    cut = plan_for(data=describe(50_000_000, 100, plan.reshard.objects), **goal)
    assert cut.estimate.cost_usd.mid == pytest.approx(plan.reshard.cost_usd, rel=0.01)
    assert plan.estimate.cost_usd.mid - cut.estimate.cost_usd.mid == pytest.approx(plan.reshard.saving_usd, rel=0.1)
    assert cut.reshard is None


def test_the_fastest_is_told_what_its_last_seconds_cost() -> None:
    plan = plan_for(objective="time")
    told = [w for w in plan.warnings if w.startswith("The last seconds are dear")]
    assert len(told) == 1
    assert not any(w.startswith("The last seconds") for w in plan_for().warnings)


def test_a_good_layout_is_left_alone() -> None:
    assert plan_for(deadline_s=1500.0).reshard is None


def test_a_small_job_is_told_that_start_up_dominates() -> None:
    plan = plan_for(data=describe(1000, 100, 1))
    assert plan.estimate.bottleneck == "start-up"
    assert any(w.startswith("Start-up (") for w in plan.warnings)


def test_a_known_start_up_replaces_the_published_one() -> None:
    plan = plan_for(startup_s=Interval(low=50, mid=60, high=90))
    assert plan.estimate.startup_s == Interval(low=50, mid=60, high=90)
    assert plan.estimate.finish_s.mid == pytest.approx(60 + plan.estimate.makespan_s.mid)
    assert "as given" in plan.assumptions[0]


def test_the_draft_of_the_request_is_that_of_the_choice() -> None:
    plan = plan_for(emit=draft_request)
    resources = plan.transform_job["TransformResources"]
    assert resources["InstanceType"] == plan.configuration.instance_type
    assert plan.transform_job["MaxPayloadInMB"] == plan.configuration.max_payload_mb


def test_a_plan_survives_being_written_and_read() -> None:
    plan = plan_for()
    assert msgspec.json.decode(to_json(plan).encode(), type=Plan) == plan


def test_the_same_question_gets_the_same_answer() -> None:
    first, again = plan_for(deadline_s=1500.0), plan_for(deadline_s=1500.0)
    assert to_json(replace(again, created_at=first.created_at)) == to_json(first)


def test_a_model_larger_than_the_volume_is_refused_and_one_near_it_warned_of() -> None:
    with pytest.raises(InfeasibleError, match=r"30 GB, fixed\): load it from S3"):
        plan_for(model_bytes=31 * 10**9)
    assert any("archive and extraction" in w for w in plan_for(model_bytes=16 * 10**9).warnings)
    assert not any("volume" in w for w in plan_for(model_bytes=10**9).warnings)


def test_the_profiled_model_is_weighed_where_it_still_stands(tmp_path: Path) -> None:
    archive = tmp_path / "model.tar.gz"
    with archive.open("wb") as stream:
        stream.truncate(31 * 10**9)  # a hole: nothing is written
    container = replace(PROFILE.container, backend="model-dir", target=str(archive))
    with pytest.raises(InfeasibleError, match=r"the model has 28\.9 GiB"):
        plan_for(replace(PROFILE, container=container))


def test_an_output_larger_than_the_volume_is_warned_of() -> None:
    rows = tuple(replace(row, response_bytes=row.records_per_request * 1e4) for row in PROFILE.measurements)
    plan = plan_for(replace(PROFILE, measurements=rows), max_instance_count=2)
    assert any("more than its volume" in w for w in plan.warnings)


def test_a_repeated_input_is_an_assumption_and_no_warning() -> None:
    plan = plan_for(data=repeated(INPUT, 3), repeat=3)
    assert any("taken 3 times over" in line for line in plan.assumptions)
    assert not any("times over" in line or "described" in line for line in plan.warnings)


def test_remarks_on_many_points_are_one_line() -> None:
    rows = tuple(
        replace(row, warnings=("disturbed: x",), disturbed_share=0.01 * i) for i, row in enumerate(PROFILE.measurements)
    )
    left_out = ("not measured: 5 records", "not measured: 6 records", "something else")
    warned = plan_for(replace(PROFILE, measurements=rows, warnings=left_out)).warnings
    assert sum("profiled points carry remarks" in w and "up to 11% of the machine" in w for w in warned) == 1
    assert sum(w.startswith("not measured") for w in warned) == 1
    assert "something else" in warned


def test_the_confidence_must_be_a_probability_of_at_least_one_half() -> None:
    with pytest.raises(ValueError, match=r"at least 0.5 and below 1"):
        plan_for(confidence=1.0)


def test_a_type_without_a_quota_is_an_assumption_and_one_with_it_is_not() -> None:
    assumed = plan_for()
    name = assumed.configuration.instance_type
    said = [line for line in assumed.assumptions if line.startswith("Quota:")]
    assert len(said) == 1
    assert f"'{name} for transform job usage'" in said[0]
    given = plan_for(quotas={name: 100})
    assert given.configuration.instance_type == name
    assert not any(line.startswith("Quota:") for line in given.assumptions)


CHECKERBOARD = ((1, 1), (1, 8), (100, 4), (500, 1), (500, 8), (100, 2), (1000, 4), (1000, 2))


def test_disturbed_points_are_said_in_the_plan_as_in_a_prediction() -> None:
    disturbed = simulated_profile(
        SIMULATED["prefork"], CHECKERBOARD, seed=3, contention=lambda _source: Contention(threads=2)
    )
    said = [line for line in plan_for(disturbed).warnings if "held the CPUs" in line]
    assert len(said) == 1
    assert said[0].startswith("Other programs")
    assert not any("held the CPUs" in line for line in plan_for().warnings)


def test_the_workload_class_says_where_it_is_from() -> None:
    inferred, given = plan_for(), plan_for(workload_class="fp_simd")
    assert any(line.startswith("Workload class: unknown (no model's files") for line in inferred.assumptions)
    assert any("all classes widen" in line for line in inferred.assumptions)
    assert "Workload class: fp_simd (given)." in given.assumptions


def test_a_second_profile_narrows_the_plan_and_is_named_in_it() -> None:
    host = replace(PROFILE.host, cpu_model="Intel(R) Xeon(R) Platinum 8488C", cpu_vendor="GenuineIntel")
    second = replace(PROFILE, host=host)
    types = ("ml.c7i.2xlarge",)
    alone, both = plan_for(instance_types=types), plan_for(instance_types=types, also=[second])
    widths = [plan.estimate.throughput_records_per_s for plan in (alone, both)]
    assert widths[1].high / widths[1].low < widths[0].high / widths[0].low
    assert any("8488C" in line for line in both.assumptions)
    assert len(both.second_profile_digests) == 1
    assert alone.second_profile_digests == ()
    assert msgspec.json.decode(to_json(both), type=Plan) == both
