from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.performance.prediction import Floats
from planner.performance.service import fit_demand, fit_line

RECORDS = np.array([1.0, 4, 16, 64, 256, 1024])


@given(fixed=st.floats(0, 10), per_record=st.floats(1e-6, 10))
def test_an_exact_line_is_recovered(fixed: float, per_record: float) -> None:
    line = fit_line(RECORDS, fixed + per_record * RECORDS)
    assert line.at(RECORDS) == pytest.approx(fixed + per_record * RECORDS, rel=1e-6)


@given(st.lists(st.floats(1e-6, 1e6), min_size=6, max_size=6))
def test_costs_are_never_negative_and_never_fall(values: list[float]) -> None:
    line = fit_line(RECORDS, np.array(values))
    assert line.fixed >= 0
    assert line.per_record >= 0


@pytest.mark.parametrize(("values", "flat"), [(10.0 / RECORDS, True), (RECORDS**1.5, False)])
def test_a_falling_or_a_bent_cost_gets_the_best_line_without_a_negative_part(values: np.ndarray, flat: bool) -> None:
    line = fit_line(RECORDS, values)
    assert (line.per_record == 0) is flat
    assert (line.fixed == 0) is not flat


def test_one_outlier_does_not_tilt_the_line() -> None:
    values = 1e-3 + 2e-5 * RECORDS
    values[3] *= 5
    line = fit_line(RECORDS, values)
    clean = np.delete(RECORDS, 3)
    assert line.at(clean) == pytest.approx(1e-3 + 2e-5 * clean, rel=0.05)


def test_with_one_number_of_records_the_cost_is_proportional() -> None:
    line = fit_line(np.array([8.0, 8.0]), np.array([4.0, 4.0]))
    assert (line.fixed, line.per_record) == pytest.approx((0, 0.5))


def knee(records: Floats) -> Floats:
    return 2e-3 + 6e-5 * np.maximum(records - 32, 0)


def attention(records: Floats) -> Floats:
    return 1e-3 + 2e-5 * records + 2e-7 * records**2


BETWEEN = np.sqrt(RECORDS[1:] * RECORDS[:-1])


@pytest.mark.parametrize("cost", [knee, attention])
def test_cpu_time_that_bends_is_followed_between_the_points(cost: Callable[[Floats], Floats]) -> None:
    bent, line = fit_demand(RECORDS, cost(RECORDS)), fit_line(RECORDS, cost(RECORDS))
    errors = [np.abs(np.log(fit.at(BETWEEN) / cost(BETWEEN))) for fit in (bent, line)]
    assert np.mean(errors[0]) < 0.6 * np.mean(errors[1])


def test_cpu_time_on_a_line_is_left_there() -> None:
    straight = 1e-3 + 2e-5 * RECORDS
    assert fit_demand(RECORDS, straight).at(BETWEEN) == pytest.approx(1e-3 + 2e-5 * BETWEEN, rel=1e-3)


def test_noise_does_not_bend_cpu_time() -> None:
    noise = np.exp(np.random.default_rng(1).normal(0, 0.04, len(RECORDS)))
    demand = fit_demand(RECORDS, (1e-3 + 2e-5 * RECORDS) * noise)
    assert demand.at(RECORDS) == pytest.approx(1e-3 + 2e-5 * RECORDS, rel=0.08)
