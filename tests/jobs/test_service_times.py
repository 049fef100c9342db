import math

import numpy as np
import pytest

from planner.documents import replace
from planner.jobs.simulation.service_times import times_here, times_of_plan, times_of_plan_alone
from planner.performance import predict
from planner.planning.recommend import recommend
from planner.records.layout import describe
from tests.performance.synthetic import GRID, synthetic_profile


def test_latency_samples_of_the_nearest_points_give_the_noise() -> None:
    """Half the requests of large payloads take three times as long as the others; those of small ones are even."""
    profile = synthetic_profile(points=GRID)
    rows = tuple(
        replace(row, latency_s=tuple(0.5 * row.mean_latency_s * (1 + 2 * (i % 2)) for i in range(400)))
        if row.records_per_request >= 256
        else replace(row, latency_s=(row.mean_latency_s,) * 400)
        for row in profile.measurements
    )
    profile = replace(profile, measurements=rows)
    shapes = [times_here(profile, np.array([b]), mean=b, concurrency=2, cpus=2.0).shape for b in (500.0, 1.0)]
    assert sorted(set(shapes[0].round(9))) == pytest.approx([0.5, 1.5])
    assert set(shapes[1].round(9)) == {1.0}


def test_times_here_are_the_predictions_of_the_profile() -> None:
    profile = synthetic_profile()
    sizes = np.array([16.0, 100.0, 256.0])
    times = times_here(profile, sizes, mean=100.0, concurrency=4, cpus=2.0)
    for b in sizes:
        latency = predict(profile, records_per_request=int(b), concurrency=4).latency_s
        assert float(times.at(b)) == pytest.approx(latency.mid)
    interval = predict(profile, records_per_request=100, concurrency=4).throughput_records_per_s
    assert times.slower == pytest.approx(math.log(interval.mid / interval.low))
    assert times.faster == pytest.approx(math.log(interval.high / interval.mid))
    alone = predict(profile, records_per_request=100, concurrency=1).latency_s.mid
    assert times.drain[0] == pytest.approx(alone / float(times.at(np.array(100.0))))


def test_drains_end_at_one_and_never_fall() -> None:
    profile = synthetic_profile()
    drain = times_here(profile, np.array([64.0]), mean=64.0, concurrency=12, cpus=2.0).drain
    assert len(drain) == 12
    assert drain[-1] == 1.0
    assert np.all(np.diff(drain) >= 0)


def test_sizes_between_predicted_ones_are_read_off() -> None:
    times = times_here(synthetic_profile(), np.linspace(1, 500, 300), mean=100.0, concurrency=2, cpus=2.0)
    assert len(times.sizes) == 64
    exact = times_here(synthetic_profile(), np.array([123.4]), mean=100.0, concurrency=2, cpus=2.0)
    assert float(times.at(np.array(123.4))) == pytest.approx(float(exact.seconds[0]), rel=0.01)
    assert float(times.at(np.array(0.0))) == 0.0


def test_the_plan_sets_the_level_with_and_without_its_profile() -> None:
    """Little's law at the plan's throughput: c b / X is the latency of a mean request."""
    profile, data = synthetic_profile(), describe(10_000_000, 4096, 10)
    plan = recommend(profile, data, instance_types=("ml.c5.2xlarge",), workload_class="scalar", max_instance_count=2)
    value, c = plan.estimate, plan.configuration.max_concurrent_transforms
    mean = np.array([value.records_per_request])
    expected = c * value.records_per_request / value.throughput_records_per_s.mid
    for times in (times_of_plan(plan, data, profile, mean), times_of_plan_alone(plan, mean)):
        assert float(times.at(mean)[0]) == pytest.approx(expected)
        assert times.shape.mean() == pytest.approx(1.0)
        assert times.slower == pytest.approx(
            math.log(value.throughput_records_per_s.mid / value.throughput_records_per_s.low)
        )


def test_without_a_profile_the_noise_has_the_plans_tail() -> None:
    profile, data = synthetic_profile(), describe(10_000_000, 4096, 10)
    plan = recommend(profile, data, instance_types=("ml.c5.2xlarge",), max_instance_count=2)
    times = times_of_plan_alone(plan, np.array([100.0]))
    wanted = plan.estimate.latency_p99_s.mid / plan.estimate.latency_s.mid
    assert float(np.quantile(times.shape, 0.99)) == pytest.approx(wanted, rel=0.01)
