import math

import numpy as np
import pytest

from planner.documents import replace
from planner.performance.memory import MemoryModel, fit_memory
from planner.profiling.profile import Measurement, Profile
from planner.units import MIB
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


def measured_with(
    counts: tuple[int, ...], *, shared: float, each: float, per_record: float, noise: float = 0.01
) -> Profile:
    """A cross-section at each worker count, with known parts and seeded noise."""
    random, rows = np.random.default_rng(0), list[Measurement]()
    template = synthetic_profile(prefork())
    for count in counts:
        for b, c in ((1, 1), (1, 2 * count), (10_000, count), (10_000, 2 * count)):
            peak_bytes = shared + each * count + per_record * b * min(c, count)
            factor = math.exp(noise * random.standard_normal())
            rows.append(
                replace(
                    template.measurements[0],
                    records_per_request=b,
                    concurrency=c,
                    workers=count,
                    memory_peak_bytes=int(peak_bytes * factor),
                )
            )
    return replace(template, measurements=tuple(rows))


@pytest.mark.parametrize(("shared", "each"), [(400 * MIB, 15 * MIB), (20 * MIB, 180 * MIB)], ids=["preload", "own"])
def test_several_worker_counts_tell_what_is_shared(shared: float, each: float) -> None:
    found = fit_memory(measured_with((1, 2, 4), shared=shared, each=each, per_record=2000), 2.0)
    assert found is not None
    assert found.tells_shared
    assert found.worker_bytes == pytest.approx(each, rel=0.15, abs=8 * MIB)
    truth = shared + 16 * each + 2000 * 1000 * 16
    low, mid, high = peak(found, 1000, 32, 16)
    assert mid == pytest.approx(truth, rel=0.12)
    assert low < mid < high
    assert "1, 2, 4 workers" in found.basis


def test_one_worker_count_keeps_the_cautious_assumption_and_says_so() -> None:
    found = fit_memory(measured_with((2,), shared=400 * MIB, each=15 * MIB, per_record=2000), 2.0)
    assert found is not None
    assert not found.tells_shared
    assert peak(found, 1, 1, 8)[1] == pytest.approx(4 * 430 * MIB, rel=0.05)
    assert "measured with 2 workers only" in found.basis
    assert "--workers" in found.basis
