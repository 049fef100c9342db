"""The law of a closed server against theory: bounds, exact mean value analysis, Little's law."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.performance.committee import fit_committee, fit_law
from planner.performance.points import Points
from planner.performance.prediction import Floats
from planner.performance.scaling import Form, Law, forms, seconds_per_request

TIMES = st.floats(1e-5, 10.0)


def exact_mva(concurrency: int, queueing_s: Floats, delay_s: float) -> float:
    """Throughput of a closed product-form network by exact MVA (Reiser and Lavenberg, 1980)."""
    waiting = np.zeros_like(queueing_s)
    rate = 0.0
    for customers in range(1, concurrency + 1):
        residence = queueing_s * (1 + waiting)
        rate = customers / (delay_s + float(residence.sum()))
        waiting = rate * residence
    return rate


def points(b: Floats, c: Floats, rate: Floats) -> Points:
    blank = np.full(len(b), np.nan)
    return Points(
        records_per_request=b,
        concurrency=c,
        cpus=np.ones(len(b)),
        workers=blank,
        log_requests_per_s=np.log(rate),
        noise=np.full(len(b), 0.01),
        doubt=np.zeros(len(b)),
        below=np.zeros(len(b)),
        above=np.zeros(len(b)),
        session=np.zeros(len(b)),
        cpu_s_per_request=blank,
        p99_ratio=np.ones(len(b)),
    )


@given(service=TIMES, spacing=TIMES, ladder=st.integers(1, 200), sharpness=st.floats(1, 60))
def test_throughput_never_exceeds_the_asymptotic_bounds(
    service: float, spacing: float, ladder: int, sharpness: float
) -> None:
    seconds = seconds_per_request(np.array(service / ladder), np.array(spacing), np.array(float(ladder)), sharpness)
    assert seconds >= service / ladder * (1 - 1e-12)
    assert seconds >= spacing * (1 - 1e-12)
    assert seconds <= (service / ladder + spacing) * (1 + 1e-12)


@given(service=TIMES, spacing=TIMES, sharpness=st.floats(1, 20))
def test_more_requests_in_flight_never_lower_the_throughput_of_a_server_that_does_not_degrade(
    service: float, spacing: float, sharpness: float
) -> None:
    ladder = np.arange(1.0, 101.0)
    rate = 1 / seconds_per_request(service / ladder, np.full_like(ladder, spacing), ladder, sharpness)
    assert np.all(np.diff(rate) >= -1e-9 * rate[:-1])


def test_degradation_begins_at_its_knee() -> None:
    form = Form(degrading=True)
    chosen = {"knee_c": np.log(4.0), "slope_c": np.log(0.5)}
    parameters = np.array([chosen.get(name, 0.0) for name in form.names])
    law = Law(form=form, parameters=parameters, reference_cpus=1.0)
    assert law.slowdown(np.array([1.0, 4.0, 8.0])) == pytest.approx([1, 1, 1.5])


@pytest.mark.parametrize(("queueing", "delay"), [((5e-3,), 20e-3), ((5e-3, 1e-3), 4e-3), ((2e-3, 2e-3), 0.0)])
def test_the_law_follows_exact_mva_of_exponential_networks_it_was_not_shown(
    queueing: tuple[float, ...], delay: float
) -> None:
    shown, hidden = (1, 2, 4, 8), (3, 5, 6, 7)

    def rates(ladder: tuple[int, ...]) -> Points:
        cells = [(b, c) for b in (1, 10, 100) for c in ladder]
        exact = [exact_mva(c, np.array(queueing) * (1 + b / 20), delay * (1 + b / 20)) for b, c in cells]
        grid = np.array(cells, dtype=np.float64)
        return points(grid[:, 0], grid[:, 1], np.array(exact))

    law = fit_law(Form(), rates(shown))
    errors = law.log_requests_per_s(rates(hidden)) - rates(hidden).log_requests_per_s
    assert np.max(np.abs(errors)) < 0.04


def test_a_batched_kernel_needs_the_bend_and_gets_it_by_left_out_error() -> None:
    cells = np.array([(b, c) for b in (1, 4, 16, 32, 64, 128, 256, 512) for c in (1, 4)], dtype=np.float64)
    service = 2e-3 + 6e-5 * np.maximum(cells[:, 0] - 40, 0)
    committee = fit_committee(points(cells[:, 0], cells[:, 1], np.minimum(cells[:, 1], 2) / service))
    bent = sum(w for law, w in zip(committee.laws, committee.weights, strict=True) if law.form.bend)
    assert bent > 0.9
    assert committee.weights.sum() == pytest.approx(1)


def test_more_cpus_shorten_only_the_share_that_is_not_serial() -> None:
    cells = np.array([(b, c) for b in (1, 16, 256) for c in (1, 2, 8)] * 2, dtype=np.float64)
    cpus = np.repeat([1.0, 2.0], 9)
    service = 1e-3 * (1 + cells[:, 0] / 16)
    rate = 1 / np.maximum(service / cells[:, 1], service / cpus)
    shown = points(cells[:, 0], cells[:, 1], rate)
    scaled = Points(**{name: getattr(shown, name) for name in Points.__slots__ if name != "cpus"}, cpus=cpus)
    law = fit_law(Form(scaled=True), scaled)
    assert law.serial_share[0] < 0.1
    assert np.max(np.abs(law.log_requests_per_s(scaled) - scaled.log_requests_per_s)) < 0.05


def test_only_forms_that_the_points_can_tell_apart_are_tried() -> None:
    two_by_two = np.array([(b, c) for b in (1, 9) for c in (1, 2)], dtype=np.float64)
    few = forms(points(two_by_two[:, 0], two_by_two[:, 1], np.ones(4)))
    assert set(few) == {Form(), Form(slots=True)}


@given(st.lists(st.floats(-3, 3), min_size=5, max_size=5))
def test_service_time_and_spacing_never_fall_with_more_records(values: list[float]) -> None:
    law = Law(form=Form(), parameters=np.array(values), reference_cpus=1.0)
    records = np.geomspace(1, 1e6, 50)
    assert np.all(np.diff(law.service_time_s(records)) >= 0)
    assert np.all(np.diff(law.spacing_s(records)) >= 0)
