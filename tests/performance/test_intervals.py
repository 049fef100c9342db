import numpy as np
import pytest

from planner.interval import Z90
from planner.performance.intervals import Axis, Hull, gap_error, half_width, inflation, session_doubt, shared_doubt


def test_the_factor_grows_with_the_errors_and_never_promises_less_than_the_normal_quantile() -> None:
    claimed = np.full(12, 0.02)
    errors = np.random.default_rng(1).normal(0, 0.02, 12)
    assert inflation(0 * errors + 1e-9, claimed) >= Z90
    assert inflation(10 * errors, claimed) > 5 * inflation(errors, claimed) / 2


def test_many_points_need_less_inflation_than_few() -> None:
    draw = np.random.default_rng(2).normal(0, 1, 4000)
    assert inflation(draw, np.ones(4000)) == pytest.approx(Z90, rel=0.06)
    assert inflation(draw[:12], np.ones(12)) > 1.1 * Z90 * min(1.0, float(np.std(draw[:12])))


def test_one_outlier_widens_but_does_not_decide() -> None:
    errors = np.array([1.0, -1, 1, -1, 1, -1, 1, -1, 1, -1, 1, 1000])
    assert 1.25 * Z90 < inflation(errors, np.ones(12)) < 6


def test_intervals_widen_between_and_outside_the_measured_values_and_only_there() -> None:
    axis = Axis(values=np.log(np.array([1.0, 8.0, 512.0])), gap=0.1, growth=0.2)
    never = Axis(values=np.zeros(1), gap=0.0, growth=0.0)
    records = np.log(np.array([8.0, 512.0, 20.0, 64.0, 1024.0, 8192.0]))
    zero = np.zeros(6)
    widths = half_width(
        factor=2.0,
        claimed=np.full(6, 0.02),
        spread=zero,
        hull=Hull(records=axis, concurrency=never),
        ln_b=records,
        ln_c=zero,
    )
    assert widths[:2] == pytest.approx(0.04)
    assert widths[1] < widths[2] < widths[3]
    assert widths[1] < widths[4] < widths[5]


def test_the_error_between_values_is_that_of_values_left_out_over_their_distance() -> None:
    values = np.log(np.array([1.0, 8.0, 64.0]))
    gap = gap_error(values, [(float(values[1]), np.array([0.3, -0.3]))])
    assert gap == pytest.approx(0.3 / np.log(8))
    assert gap_error(values[:2], []) > 0


def test_what_the_session_is_off_by_is_that_of_the_points_nearby_however_many_they_are() -> None:
    ln_b, ln_c = np.log(np.array([[1.0, 16, 256], [1, 2, 8]]))
    assert session_doubt(np.full(3, 0.1), np.zeros(2), np.array([0.0, 2.0]), ln_b, ln_c) == pytest.approx(0.1 * Z90)
    near_the_first, near_the_last = session_doubt(np.array([0.0, 0.1, 0.2]), ln_b[[0, 2]], ln_c[[0, 2]], ln_b, ln_c)
    assert near_the_first < 0.05 * Z90
    assert near_the_last > 0.18 * Z90


def test_doubt_that_all_points_share_is_not_averaged_out_but_settled_by_a_quiet_one_nearby() -> None:
    ln_b, ln_c = np.log(np.array([[1.0, 16, 256], [8, 8, 8]]))
    place = ln_b[1:2], ln_c[1:2]
    assert shared_doubt(np.full(3, 0.3), *place, ln_b, ln_c) == pytest.approx(0.3)
    assert shared_doubt(np.array([0.3, 0.0, 0.3]), *place, ln_b, ln_c) < 0.1
    assert shared_doubt(np.array([0.3, 0.0, 0.3]), *place, ln_b, np.array([ln_c[0], 0.0, ln_c[2]])) > 0.25
    assert shared_doubt(np.zeros(3), *place, ln_b, ln_c) == pytest.approx(0)
