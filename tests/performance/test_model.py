"""The whole model on profiles of servers whose law is known."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.documents import replace
from planner.errors import ProfileError
from planner.performance import BOTTLENECKS, Bounds, Columns, PerformanceModel
from planner.performance.prediction import Floats
from tests.performance.synthetic import SERVERS, locked, prefork, synthetic_profile, waiting

RECORDS = np.array([1, 2, 4, 8, 16, 32, 64, 128, 256, 512])
LADDER = np.array([1, 2, 3, 4, 6, 8])


def exactly(value: float | Floats) -> Bounds:
    column = np.asarray(value, dtype=np.float64)
    return Bounds(low=column, mid=column, high=column)


def on_host(model: PerformanceModel, records: Floats, ladder: Floats) -> Columns:
    return model.predict_columns(
        records_per_request=records,
        concurrency=ladder,
        vcpus=np.array(model.host_cpus),
        latency_speed=exactly(1.0),
        capacity_cores=exactly(model.host_capacity_cores),
    )


@pytest.fixture(scope="module")
def models() -> dict[str, PerformanceModel]:
    return {name: PerformanceModel.fit(synthetic_profile(server, seed=7)) for name, server in SERVERS.items()}


@pytest.mark.parametrize("name", SERVERS)
def test_points_that_were_not_measured_are_predicted_within_a_few_percent(
    models: dict[str, PerformanceModel], name: str
) -> None:
    predicted = on_host(models[name], RECORDS[:, None], LADDER[None, :]).throughput_records_per_s.mid
    truth = np.array([[SERVERS[name].requests_per_s(b, c, 2.0) * b for c in LADDER] for b in RECORDS])
    errors = np.abs(predicted / truth - 1)
    assert np.median(errors) < 0.03
    assert np.quantile(errors, 0.9) < 0.10


@pytest.mark.parametrize("name", SERVERS)
def test_intervals_hold_new_measurements_of_every_kind_of_server(
    models: dict[str, PerformanceModel], name: str
) -> None:
    predicted = on_host(models[name], RECORDS[:, None], LADDER[None, :]).throughput_records_per_s
    random = np.random.default_rng(5)
    truth = np.array([[SERVERS[name].requests_per_s(b, c, 2.0) * b for c in LADDER] for b in RECORDS])
    measured = truth * np.exp(0.02 * random.standard_normal(truth.shape))
    covered = np.mean((predicted.low <= measured) & (measured <= predicted.high))
    assert covered >= 0.85
    assert np.median(predicted.high / predicted.low) < 1.4


@pytest.mark.parametrize(
    ("name", "expected"), [("prefork", "cpu"), ("locked", "serial section"), ("kernel", "cpu"), ("waiting", "workers")]
)
def test_the_bottleneck_under_load_is_the_one_the_server_has(
    models: dict[str, PerformanceModel], name: str, expected: str
) -> None:
    found = on_host(models[name], np.array(256.0), LADDER).bottleneck
    assert BOTTLENECKS[int(found[0])] == "service time"
    assert BOTTLENECKS[int(found[-1])] == expected


@settings(max_examples=25, deadline=None)
@given(
    records=st.integers(1, 100_000),
    ladder=st.integers(1, 100),
    vcpus=st.sampled_from([2, 4, 8, 48, 192]),
    speed=st.floats(0.5, 2.0),
    name=st.sampled_from(sorted(SERVERS)),
)
def test_every_prediction_keeps_littles_law_and_orders_its_bounds(  # noqa: PLR0917 - Hypothesis passes by name
    models: dict[str, PerformanceModel], records: int, ladder: int, vcpus: int, speed: float, name: str
) -> None:
    columns = models[name].predict_columns(
        records_per_request=np.array([records]),
        concurrency=np.array([ladder]),
        vcpus=np.array([vcpus]),
        latency_speed=Bounds(low=np.array([0.9 * speed]), mid=np.array([speed]), high=np.array([1.2 * speed])),
        capacity_cores=Bounds(
            low=np.array([0.4 * speed * vcpus]), mid=np.array([0.6 * speed * vcpus]), high=np.array([speed * vcpus])
        ),
    )
    in_flight = columns.throughput_records_per_s.mid / records * columns.latency_s.mid
    assert in_flight == pytest.approx(ladder)
    for bounds in (
        columns.throughput_records_per_s,
        columns.latency_s,
        columns.latency_p99_s,
        columns.cpu_s_per_record,
        columns.memory_bytes,
    ):
        assert np.all(bounds.low <= bounds.mid)
        assert np.all(bounds.mid <= bounds.high)
    assert np.all(columns.latency_p99_s.mid >= columns.latency_s.mid)
    assert np.all(columns.throughput_records_per_s.mid * columns.cpu_s_per_record.mid <= vcpus * (1 + 1e-9))


@settings(max_examples=25, deadline=None)
@given(
    records=st.integers(1, 10_000),
    ladder=st.integers(1, 100),
    speeds=st.tuples(st.floats(0.3, 3.0), st.floats(0.3, 3.0)).map(sorted),
)
def test_a_faster_machine_of_the_same_size_is_never_slower(
    models: dict[str, PerformanceModel], records: int, ladder: int, speeds: list[float]
) -> None:
    rates = [
        models["prefork"]
        .predict_columns(
            records_per_request=np.array(records),
            concurrency=np.array(ladder),
            vcpus=np.array(8.0),
            latency_speed=exactly(speed),
            capacity_cores=exactly(8 * speed * 0.6),
        )
        .throughput_records_per_s.mid
        for speed in speeds
    ]
    assert rates[0] <= rates[1] * (1 + 1e-9)


def test_more_workers_and_cpus_carry_a_cpu_bound_server_up_in_proportion(models: dict[str, PerformanceModel]) -> None:
    sizes = np.array([2.0, 4.0, 16.0, 96.0])
    rates = models["prefork"].predict_columns(
        records_per_request=np.array(256.0),
        concurrency=4 * sizes,
        vcpus=sizes,
        latency_speed=exactly(1.0),
        capacity_cores=exactly(sizes),
    )
    grown = rates.throughput_records_per_s.mid / rates.throughput_records_per_s.mid[0]
    assert grown == pytest.approx(sizes / 2, rel=0.02)
    wide = np.log(rates.throughput_records_per_s.high / rates.throughput_records_per_s.low)
    assert np.all(np.diff(wide) > 0)


def test_a_lock_does_not_grow_with_the_machine() -> None:
    model = PerformanceModel.fit(synthetic_profile(locked()))
    rates = model.predict_columns(
        records_per_request=np.array(512.0),
        concurrency=np.array(8.0),
        vcpus=np.array([2.0, 64.0]),
        latency_speed=exactly(1.0),
        capacity_cores=exactly(np.array([2.0, 64.0])),
    ).throughput_records_per_s.mid
    assert rates[1] == pytest.approx(rates[0], rel=0.1)


def test_time_spent_waiting_is_not_shortened_by_a_faster_machine() -> None:
    model = PerformanceModel.fit(synthetic_profile(waiting()))
    rates = [
        float(
            model.predict_columns(
                records_per_request=np.array(16.0),
                concurrency=np.array(1.0),
                vcpus=np.array(2.0),
                latency_speed=exactly(speed),
                capacity_cores=exactly(2 * speed),
            ).throughput_records_per_s.mid
        )
        for speed in (1.0, 2.0)
    ]
    assert rates[1] == pytest.approx(rates[0], rel=0.03)


def test_hyperthreads_slow_each_other_only_once_they_share_cores(models: dict[str, PerformanceModel]) -> None:
    rates = (
        models["prefork"]
        .predict_columns(
            records_per_request=np.array(256.0),
            concurrency=np.array([1.0, 8.0, 16.0, 64.0]),
            vcpus=np.array(16.0),
            latency_speed=exactly(1.0),
            capacity_cores=exactly(10.0),
        )
        .throughput_records_per_s.mid
    )
    alone = rates / rates[0]
    assert alone[1] == pytest.approx(8, rel=0.1)
    assert 8 < alone[3] <= 10.5


def test_outside_the_measured_hull_is_called_extrapolation_and_is_wider(models: dict[str, PerformanceModel]) -> None:
    inside, more_records, more_in_flight = (
        on_host(models["prefork"], np.array(float(b)), np.array(float(c))) for b, c in ((64, 4), (5000, 4), (64, 64))
    )
    assert not inside.extrapolated
    assert more_records.extrapolated
    assert more_in_flight.extrapolated

    def width(columns: Columns) -> float:
        return float(columns.throughput_records_per_s.high / columns.throughput_records_per_s.low)

    assert width(more_records) > width(inside)
    assert width(more_in_flight) > width(inside)


def test_load_per_worker_decides_what_is_extrapolation_on_a_larger_machine(models: dict[str, PerformanceModel]) -> None:
    within, beyond = (
        models["prefork"].predict_columns(
            records_per_request=np.array(64.0),
            concurrency=np.array(c),
            vcpus=np.array(32.0),
            latency_speed=exactly(1.0),
            capacity_cores=exactly(32.0),
        )
        for c in (100.0, 300.0)
    )
    assert not within.extrapolated
    assert beyond.extrapolated


def test_cpu_limits_that_were_measured_predict_one_that_was_not() -> None:
    server = prefork(workers=4)
    profile = synthetic_profile(server, cpus=(0.5, 1.0))
    model = PerformanceModel.fit(profile)
    predicted = model.predict_columns(
        records_per_request=RECORDS[:, None].astype(np.float64),
        concurrency=LADDER[None, :].astype(np.float64),
        vcpus=np.array(2.0),
        latency_speed=exactly(1.0),
        capacity_cores=exactly(model.capacity_cores_at(2)),
        workers=np.array(4),
    ).throughput_records_per_s.mid
    truth = np.array([[server.requests_per_s(b, c, 2.0) * b for c in LADDER] for b in RECORDS])
    assert np.median(np.abs(predicted / truth - 1)) < 0.10


def test_bytes_per_record_are_recovered(models: dict[str, PerformanceModel]) -> None:
    assert models["prefork"].request_bytes_per_record == pytest.approx(100, rel=0.01)
    assert models["prefork"].response_bytes_per_record == pytest.approx(8, rel=0.01)


def test_workers_follow_the_vcpus(models: dict[str, PerformanceModel]) -> None:
    assert [models["prefork"].workers_on(v) for v in (1, 2, 16, 192)] == [1, 2, 16, 192]
    assert models["waiting"].workers_on(8) == 4
    assert models["locked"].workers_on(8) == 8


@pytest.mark.parametrize("points", [[(1, 1), (4, 1), (16, 2)], [(8, 2)] * 9])
def test_a_profile_with_too_few_points_is_refused_with_what_to_measure(points: list[tuple[int, int]]) -> None:
    with pytest.raises(ProfileError, match=r"measure two values of each or more"):
        PerformanceModel.fit(synthetic_profile(points=points))


def test_replicates_are_one_point_with_less_noise() -> None:
    doubled = [*itertools.product((1, 16, 64), (1, 4))] * 2
    model = PerformanceModel.fit(synthetic_profile(points=doubled))
    assert len(model.host.points) == 6


def test_a_server_whose_cpu_and_memory_cannot_be_seen_is_still_predicted() -> None:
    profile = synthetic_profile(cpu_visible=False, memory_visible=False)
    columns = on_host(PerformanceModel.fit(profile), RECORDS, np.array(2.0))
    assert np.all(np.isnan(columns.cpu_s_per_record.mid))
    assert np.all(np.isnan(columns.memory_bytes.high))
    truth = np.array([prefork().requests_per_s(b, 2, 2.0) * b for b in RECORDS])
    assert np.median(np.abs(columns.throughput_records_per_s.mid / truth - 1)) < 0.03


def test_one_mad_measurement_does_not_carry_the_others_away() -> None:
    profile = synthetic_profile()
    rows = list(profile.measurements)
    rows[4] = replace(rows[4], throughput_records_per_s=rows[4].throughput_records_per_s / 3)
    columns = on_host(
        PerformanceModel.fit(replace(profile, measurements=tuple(rows))), RECORDS[:, None], LADDER[None, :]
    )
    truth = np.array([[prefork().requests_per_s(b, c, 2.0) * b for c in LADDER] for b in RECORDS])
    assert np.median(np.abs(columns.throughput_records_per_s.mid / truth - 1)) < 0.05


def test_a_server_that_still_grew_at_the_last_rung_may_stop_growing_beyond_it() -> None:
    server = waiting(slots=4)
    unsaturated = [(b, c) for b in (1, 16, 256) for c in (1, 2, 4)]
    model = PerformanceModel.fit(synthetic_profile(server, points=unsaturated))
    predicted = on_host(model, np.array(16.0), np.array(16.0)).throughput_records_per_s
    assert predicted.low <= server.requests_per_s(16, 16, 2.0) * 16 <= predicted.high
