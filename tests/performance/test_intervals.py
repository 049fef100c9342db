import numpy as np
import pytest

from planner.interval import Z90
from planner.performance.intervals import Hull, half_width, inflation
from planner.performance.points import points_of
from tests.performance.synthetic import synthetic_profile


def test_the_factor_grows_with_the_errors_and_never_promises_less_than_the_normal_quantile() -> None:
    claimed = np.full(12, 0.02)
    errors = np.random.default_rng(1).normal(0, 0.02, 12)
    assert inflation(0 * errors + 1e-9, claimed) >= Z90
    assert inflation(10 * errors, claimed) > 5 * inflation(errors, claimed) / 2


def test_many_points_need_less_inflation_than_few() -> None:
    draw = np.random.default_rng(2).normal(0, 1, 4000)
    assert inflation(draw, np.ones(4000)) == pytest.approx(Z90, rel=0.06)
    assert inflation(draw[:12], np.ones(12)) > 1.2 * Z90 * min(1.0, float(np.std(draw[:12])))


def test_one_outlier_widens_but_does_not_decide() -> None:
    errors = np.array([1.0, -1, 1, -1, 1, -1, 1, -1, 1, -1, 1, 1000])
    assert 1.35 * Z90 < inflation(errors, np.ones(12)) < 6


def test_intervals_widen_with_distance_outside_the_hull_and_only_there() -> None:
    hull = Hull.of(points_of(synthetic_profile()))
    records = np.log(np.array([1.0, 512.0, 1024.0, 8192.0]))
    widths = half_width(
        factor=2.0, claimed=np.full(4, 0.02), spread=np.zeros(4), outside=hull.outside(records, np.zeros(4))
    )
    assert widths[:2] == pytest.approx(0.04)
    assert widths[1] < widths[2] < widths[3]
