"""Advice to measure on other hardware: given when it is expected to pay, and by what it would save."""

import numpy as np
import pytest

from planner.catalogue import instance_type
from planner.documents import replace
from planner.performance.benchmark_scores import WorkloadClass
from planner.performance.hardware import liking_sd, throughput_ratio
from planner.planning.worth_probing import expected_saving
from planner.records.layout import describe
from tests.planning.test_recommend import PROFILE, plan_for

TYPES = ("ml.m6i.*", "ml.m7i.*")
LARGE = describe(20_000_000_000, 100, 20_000)
SECOND = replace(
    PROFILE, host=replace(PROFILE.host, cpu_model="Intel(R) Xeon(R) Platinum 8488C", cpu_vendor="GenuineIntel")
)


def said(plan_warnings: tuple[str, ...]) -> list[str]:
    return [line for line in plan_warnings if line.startswith("A second profile would pay")]


@pytest.mark.parametrize(("d", "s"), [(0.0, 0.2), (0.1, 0.2), (0.4, 0.3)])
def test_the_expected_saving_is_the_mean_of_what_knowing_would_have_saved(d: float, s: float) -> None:
    other = np.exp(d + s * np.random.default_rng(0).standard_normal(1_000_000))
    saved = np.maximum(0.0, 1 - other)
    assert expected_saving(10.0, d, s) == pytest.approx(10 * saved.mean(), abs=5 * 10 * saved.std() / 1000)


def test_nothing_is_saved_where_nothing_is_open() -> None:
    assert expected_saving(10.0, 0.1, 0.0) == 0.0
    assert expected_saving(10.0, 1.0, 0.1) < 1e-9


def test_sizes_of_one_generation_leave_nothing_for_a_measurement_to_tell() -> None:
    small, large = instance_type("ml.m7i.large"), instance_type("ml.c7i.24xlarge")
    assert liking_sd(small, large) == pytest.approx(0.0, abs=1e-6)
    assert throughput_ratio(small, large).high > throughput_ratio(small, large).mid


def test_eight_bit_networks_leave_more_open_than_other_code() -> None:
    old, new = instance_type("ml.m5.xlarge"), instance_type("ml.m7i.xlarge")
    assert liking_sd(old, new, "int8_dnn") > liking_sd(old, new, "scalar") > 0


def test_a_large_job_is_told_which_machines_to_measure_on() -> None:
    plan = plan_for(data=LARGE, instance_types=TYPES)
    (line,) = said(plan.warnings)
    assert plan.configuration.instance_type.split(".")[1] in line
    assert "--also" in line


def test_a_small_job_is_not_worth_a_measurement() -> None:
    assert said(plan_for(data=describe(200_000, 100, 20), instance_types=TYPES).warnings) == []


def test_nothing_is_advised_where_one_generation_or_the_fastest_was_asked_for_or_a_second_profile_is_there() -> None:
    assert said(plan_for(data=LARGE, instance_types=("ml.m7i.*",)).warnings) == []
    assert said(plan_for(data=LARGE, instance_types=TYPES, objective="time").warnings) == []
    assert said(plan_for(data=LARGE, instance_types=TYPES, also=[SECOND]).warnings) == []


def test_many_runs_make_a_measurement_pay_that_one_does_not() -> None:
    data = describe(100_000_000, 100, 200)
    once, often = (plan_for(data=data, instance_types=TYPES, runs_per_month=runs) for runs in (None, 10_000))
    assert said(once.warnings) == []
    assert len(said(often.warnings)) == 1


def test_noise_between_types_is_that_of_the_workload_class() -> None:
    def noise_percent(workload_class: WorkloadClass) -> int:
        plan = plan_for(data=LARGE, instance_types=("ml.m6i.large", "ml.m7i.large"), workload_class=workload_class)
        (reason,) = [each.reason for each in plan.types if each.reason != "the choice"]
        return int(reason.partition("±")[2].partition("%")[0])

    assert noise_percent("int8_dnn") > 2 * noise_percent("scalar")
