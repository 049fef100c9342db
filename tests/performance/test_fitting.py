import numpy as np
import pytest
from numpy.typing import NDArray

from planner.performance.fitting import least_squares
from planner.performance.prediction import Floats


def test_linear_problems_side_by_side_are_solved_as_one_by_one() -> None:
    random = np.random.default_rng(1)
    designs, targets = random.normal(size=(5, 9, 3)), random.normal(size=(5, 9))

    def residuals(vectors: Floats, problems: NDArray[np.intp]) -> Floats:
        return np.asarray(np.einsum("prk,pvk->pvr", designs[problems], vectors) - targets[problems, None, :])

    found, losses = least_squares(residuals, np.zeros((5, 3)))
    for index in range(5):
        best, loss, *_ = np.linalg.lstsq(designs[index], targets[index], rcond=None)
        assert found[index] == pytest.approx(best, abs=1e-2)
        assert losses[index] == pytest.approx(loss[0], rel=1e-3)


def test_a_curved_valley_is_followed_to_its_end_from_every_start() -> None:
    def rosenbrock(vectors: Floats, _problems: NDArray[np.intp]) -> Floats:
        x, y = vectors[..., 0], vectors[..., 1]
        return np.stack([10 * (y - x**2), 1 - x], axis=-1)

    found, losses = least_squares(rosenbrock, np.array([[-1.2, 1.0], [0.0, 0.0], [2.0, 3.0]]))
    assert found == pytest.approx(np.ones((3, 2)), abs=1e-2)
    assert np.all(losses < 1e-4)


def test_a_direction_that_no_residual_sees_does_no_harm() -> None:
    found, losses = least_squares(lambda vectors, _: vectors[..., :1] - 3.0, np.zeros((1, 2)))
    assert found[0] == pytest.approx([3.0, 0.0], abs=1e-3)
    assert losses[0] < 1e-6
