import numpy as np
import pytest

from planner.performance.points import points_of
from planner.performance.residual import Surface, fit_residual, places
from tests.performance.synthetic import synthetic_profile

POINTS = points_of(synthetic_profile())
WHERE = places(POINTS)


def test_a_smooth_misfit_is_taken_up_where_it_was_seen_and_fades_far_away() -> None:
    misfit = 0.15 * np.sin(WHERE[:, 0] / 2)
    residual = fit_residual(POINTS, misfit)
    mean, sd = residual.at(WHERE)
    assert np.max(np.abs(mean - misfit)) < 0.05
    far_mean, far_sd = residual.at(np.array([[60.0, 20.0, 0.0]]))
    assert far_mean[0] == pytest.approx(0, abs=1e-6)
    assert far_sd[0] == pytest.approx(residual.amplitude)
    assert np.all(sd <= residual.amplitude)


def test_noise_alone_gives_next_to_no_correction() -> None:
    noise = np.random.default_rng(3).normal(0, 0.015, len(POINTS))
    mean, _ = fit_residual(POINTS, noise).at(WHERE)
    assert np.std(mean) < np.std(noise)


def test_leaving_a_point_out_equals_the_fit_without_it() -> None:
    misfit = 0.15 * np.sin(WHERE[:, 0] / 2)
    residual = fit_residual(POINTS, misfit)
    first = np.arange(len(POINTS)) < 2
    mean, sd = residual.without(misfit, first)
    changed = misfit.copy()
    changed[first] = 9.0
    again = residual.without(changed, first)
    assert again[0] == pytest.approx(mean)
    assert again[1] == pytest.approx(sd)
    assert np.all(sd > POINTS.noise[first])


def test_a_tabulated_plane_is_read_exactly_and_held_at_its_edges() -> None:
    rows, columns = np.linspace(0, 5, 11), np.linspace(0, 3, 7)
    surface = Surface(rows, columns, 2 * rows[:, None] - columns[None, :])
    read = surface.at(np.array([[1.23], [4.9], [99.0]]), np.array([[0.7, -5.0]]))
    assert read == pytest.approx(np.array([[1.76, 2.46], [9.1, 9.8], [9.3, 10.0]]), abs=1e-4)
