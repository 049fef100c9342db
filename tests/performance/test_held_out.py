"""The model against servers that it was not made after: closed loops simulated request by request."""

import numpy as np
import pytest

from planner.performance import PerformanceModel
from tests.performance.simulation import SIMULATED, rate, simulated_profile
from tests.performance.synthetic import on_the_host

RUNGS = (1, 7, 51, 369, 2651)
LADDER = (1, 2, 4, 8)
CHECKERBOARD = [
    (b, c)
    for row, b in enumerate(RUNGS)
    for column, c in enumerate(LADDER)
    if (row + column) % 2 == 0 or (b in (1, 2651) and c in (1, 8))
]
HELD_OUT = [(b, c) for b in (3, 20, 130, 1000) for c in (1, 2, 3, 5, 8)]


def test_the_simulation_itself_keeps_known_theory() -> None:
    prefork, hidden, lock = (SIMULATED[name] for name in ("prefork", "hidden limit", "lock"))
    assert rate(prefork, 100, 1, 0)[0] == pytest.approx(1 / (4e-3 + 1e-4), rel=0.03)
    assert rate(prefork, 100, 8, 0)[0] == pytest.approx(2 / 4e-3, rel=0.03)
    assert rate(hidden, 100, 16, 0)[0] == pytest.approx(4 / (1e-2 + 2.5e-4), rel=0.03)
    assert rate(lock, 100, 16, 0)[0] == pytest.approx(1 / 4e-3, rel=0.03)


@pytest.fixture(scope="module")
def judged() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Errors and coverage of one new run at every held-out point, by server."""
    found = {}
    for name, server in SIMULATED.items():
        model = PerformanceModel.fit(simulated_profile(server, CHECKERBOARD, seed=40))
        predicted = on_the_host(model, HELD_OUT).throughput_records_per_s
        truth = np.array([b * rate(server, b, c, 900 + i)[0] for i, (b, c) in enumerate(HELD_OUT)])
        found[name] = (np.abs(predicted.mid / truth - 1), (predicted.low <= truth) & (truth <= predicted.high))
    return found


@pytest.mark.parametrize("name", SIMULATED)
def test_the_median_error_is_within_four_percent(judged: dict[str, tuple[np.ndarray, np.ndarray]], name: str) -> None:
    assert np.median(judged[name][0]) < 0.04


@pytest.mark.parametrize("name", SIMULATED)
def test_no_server_falls_far_short_of_its_ninety_percent(
    judged: dict[str, tuple[np.ndarray, np.ndarray]], name: str
) -> None:
    assert np.mean(judged[name][1]) >= 0.75


def test_over_all_servers_errors_and_coverage_are_what_is_promised(
    judged: dict[str, tuple[np.ndarray, np.ndarray]],
) -> None:
    assert np.quantile(np.concatenate([errors for errors, _ in judged.values()]), 0.9) < 0.12
    assert 0.85 <= np.mean(np.concatenate([covered for _, covered in judged.values()])) <= 0.99
