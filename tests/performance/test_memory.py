import numpy as np
import pytest

from planner.performance.memory import MemoryModel, fit_memory
from tests.performance.synthetic import prefork, synthetic_profile

BASE = 200 * 2**20


@pytest.fixture(name="model", scope="module")
def _model() -> MemoryModel:
    model = fit_memory(synthetic_profile(prefork()), 2.0)
    assert model is not None
    return model


def peak(model: MemoryModel, b: float, c: float, k: float) -> tuple[float, float, float]:
    bounds = model.predict(records_per_request=np.array(b), concurrency=np.array(c), workers=np.array(k))
    return float(bounds.low), float(bounds.mid), float(bounds.high)


def test_base_and_memory_per_record_in_progress_are_recovered(model: MemoryModel) -> None:
    assert peak(model, 10_000, 2, 2)[1] == pytest.approx(BASE + 2000 * 10_000 * 2, rel=0.02)


def test_requests_that_wait_for_a_worker_hold_no_working_memory(model: MemoryModel) -> None:
    assert peak(model, 10_000, 50, 2)[1] == pytest.approx(peak(model, 10_000, 2, 2)[1])


def test_every_worker_is_taken_to_hold_a_model_of_its_own_unless_it_shares_it(model: MemoryModel) -> None:
    low, mid, high = peak(model, 1, 1, 16)
    assert mid == pytest.approx(8 * BASE, rel=0.02)
    assert low == pytest.approx(BASE, rel=0.02)
    assert high > mid


def test_the_upper_bound_holds_every_measured_peak(model: MemoryModel) -> None:
    for row in synthetic_profile(prefork()).measurements:
        assert row.memory_peak_bytes is not None
        assert peak(model, row.records_per_request, row.concurrency, 2)[2] >= row.memory_peak_bytes


def test_memory_that_was_not_visible_is_not_guessed() -> None:
    assert fit_memory(synthetic_profile(memory_visible=False), 2.0) is None
