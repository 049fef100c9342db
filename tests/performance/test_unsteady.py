"""The model's intervals on a machine whose own speed changes from window to window, unseen."""

import math

import numpy as np
import pytest
from scipy.stats import norm

from planner.documents import replace
from planner.interval import Interval
from planner.performance import PerformanceModel
from planner.performance.predicting import predict
from planner.profiling.profile import REPEATABILITY, Profile, UsualSpeed
from planner.profiling.reference import unsteadiness
from tests.performance.synthetic import on_the_host, prefork, synthetic_profile

SCATTER = 0.15
"""Standard deviation of ln X from window to window."""
ALIKE = 0.5
"""Correlation of one window and the next: a mean of twelve keeps half the deviation of one."""
HELD_OUT = [(2, 2), (8, 1), (8, 4), (32, 8), (128, 2), (128, 8)]
SESSIONS = 12


def on_an_unsteady_machine(profile: Profile, source: np.random.Generator) -> Profile:
    """The profile as it would have been measured there, its readings scattering as much but not alike."""
    deviation, rows = source.normal(), []
    readings_s = 0.01 * np.exp(source.normal(0, SCATTER, len(profile.measurements)))
    for row in profile.measurements:
        deviation = ALIKE * deviation + math.sqrt(1 - ALIKE**2) * source.normal()
        faster = math.exp(SCATTER * deviation)
        seen = row.throughput_interval_records_per_s
        rows.append(
            replace(
                row,
                duration_s=row.duration_s / faster,
                throughput_records_per_s=row.throughput_records_per_s * faster,
                throughput_interval_records_per_s=Interval(
                    low=seen.low * faster, mid=seen.mid * faster, high=seen.high * faster
                ),
                latency_s=tuple(latency / faster for latency in row.latency_s),
                cpu_s=None if row.cpu_s is None else row.cpu_s / faster,
                unsteadiness=unsteadiness(readings_s.tolist()),
            )
        )
    return replace(profile, measurements=tuple(rows))


def inside(profile: Profile) -> float:
    """Probability that one window measured later, at one of the held-out points, lies within the model's interval."""
    model = PerformanceModel.fit(profile)
    rate = on_the_host(model, HELD_OUT).throughput_records_per_s
    server = prefork()
    truth = np.array([b * server.requests_per_s(b, c, model.host_cpus) for b, c in HELD_OUT])
    below, above = (norm.cdf(np.log(end / truth) / SCATTER) for end in (rate.low, rate.high))
    return float(np.mean(above - below))


@pytest.fixture(scope="module")
def sessions() -> list[Profile]:
    """The same server profiled again and again there."""
    source = np.random.default_rng(5)
    return [on_an_unsteady_machine(synthetic_profile(prefork()), source) for _ in range(SESSIONS)]


@pytest.fixture(scope="module")
def covered(sessions: list[Profile]) -> list[float]:
    return [inside(profile) for profile in sessions]


def test_intervals_hold_what_is_measured_there_later(covered: list[float]) -> None:
    assert 0.85 <= np.mean(covered) <= 0.97
    assert min(covered) >= 0.6


def test_without_the_readings_they_would_not(sessions: list[Profile], covered: list[float]) -> None:
    blind = [
        replace(profile, measurements=tuple(replace(row, unsteadiness=REPEATABILITY) for row in profile.measurements))
        for profile in sessions
    ]
    found = [inside(profile) for profile in blind]
    assert np.mean(found) < np.mean(covered) - 0.05
    assert min(found) < 0.6


def test_a_prediction_says_what_the_machine_did_and_that_of_a_quiet_one_does_not(sessions: list[Profile]) -> None:
    found = predict(sessions[0], records_per_request=64, concurrency=4)
    assert any("the machine's own speed changed while it was profiled" in warning for warning in found.warnings)
    assert next(term.value for term in found.terms if term.name == "session error") == pytest.approx(7, abs=3)
    quiet = predict(synthetic_profile(prefork()), records_per_request=64, concurrency=4)
    assert not any("speed changed" in warning for warning in quiet.warnings)
    assert next(term.value for term in quiet.terms if term.name == "session error") == 0


def test_a_session_faster_than_usual_promises_the_usual() -> None:
    """All its windows had CPUs of one speed, 4 % above that of ten sessions."""
    profile = synthetic_profile(prefork())
    profile = replace(profile, measurements=tuple(replace(row, core_speed=2.6e7) for row in profile.measurements))
    usual = replace(profile, usual_speed=UsualSpeed(core_speed=2.5e7, session_core_speed=2.6e7, sessions=10))
    own, brought = (
        on_the_host(PerformanceModel.fit(each), HELD_OUT).throughput_records_per_s.mid for each in (profile, usual)
    )
    assert np.all(brought < 0.985 * own)
    assert np.all(brought > 0.96 * own)
    told = predict(usual, records_per_request=8, concurrency=2).terms
    assert [round(term.value, 1) for term in told if term.name == "usual speed"] == [-3.8]
    assert not [term for term in predict(profile, records_per_request=8, concurrency=2).terms if "usual" in term.name]
