"""Candidate laws fitted, judged by leaving points out, and averaged.

Which form a server follows is decided by held-out error, not by taste: over ten servers no single form was
best, and the average of the better ones was never far behind the best of them.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from planner.performance.fitting import least_squares
from planner.performance.points import FEWEST_POINTS, Points
from planner.performance.prediction import Floats
from planner.performance.scaling import Form, Law, forms

DISCREPANCY: Final = 0.03
"""Log standard deviation that a form may be wrong by besides noise; keeps precise points from dictating."""
_OUTLIER: Final = 2.5
"""Standard deviations past which a residual counts linearly instead of squared."""
TEMPER: Final = 0.5
"""Exponent of a law's weight per point: that of a Gaussian likelihood with unknown variance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Committee:
    """Laws averaged on the log scale, weighted by their errors at points left out."""

    laws: tuple[Law, ...]
    weights: Floats
    residuals: Floats
    """(n,): ln X measured - averaged."""
    folds: NDArray[np.bool_]
    """(folds, n): which points each fold leaves out; the first n leave out one point each, in order."""
    left_out_residuals: Floats
    """(folds, n): ln X measured - averaged at every point, by laws that never saw the fold's points."""
    log_errors: Floats
    """(laws,): root mean square of each law's errors at points left out."""


def folds_of(points: Points) -> NDArray[np.bool_]:
    """What is left out in turn: each point, and all points of each inner number of records or concurrency.

    A point alone has neighbours at its own records per request, which flatters: the planner asks for numbers
    of records that were never measured.
    """
    rows = list(np.eye(len(points), dtype=np.bool_))
    for values in (points.records_per_request, points.concurrency):
        inner = np.unique(values)[1:-1]
        rows += [values == value for value in inner if np.sum(values != value) >= FEWEST_POINTS]
    return np.stack(rows)


def fit_committee(points: Points) -> Committee:
    """The candidates that the points can tell apart, each fitted once to all points and once a fold."""
    folds = folds_of(points)
    centres = [_centres(points), *(_centres(points.keep(~fold)) for fold in folds)]
    laws, left_out = [], []
    for form in forms(points):
        law = fit_law(form, points)
        refitted = _fit(form, points, centres[1:], ~folds, np.tile(law.parameters, (len(folds), 1)))[0]
        laws.append(law)
        left_out.append(points.log_requests_per_s - _law(form, points, refitted).log_requests_per_s(points))
    errors = np.stack(left_out)[:, folds]
    noise = np.broadcast_to(np.hypot(points.noise, DISCREPANCY / 2), folds.shape)[folds]
    weights = _weights(errors, noise, len(points))
    fitted = np.stack([law.log_requests_per_s(points) for law in laws])
    return Committee(
        laws=tuple(laws),
        weights=weights,
        residuals=points.log_requests_per_s - weights @ fitted,
        folds=folds,
        left_out_residuals=np.tensordot(weights, np.stack(left_out), axes=1),
        log_errors=np.sqrt(np.mean(errors**2, axis=1)),
    )


def _weights(errors: Floats, noise: Floats, count: int) -> Floats:
    """Weights that fall with the left-out error as a likelihood would, each error counted by its precision.

    One outlier must not decide: errors are cut off at five times their median.
    """
    precision = (np.median(noise) / noise) ** 2
    size = np.abs(errors)
    cut = np.minimum(size, 5 * np.median(size, axis=1, keepdims=True))
    mean_square = (cut**2 + noise**2) @ precision / precision.sum()
    weight = (mean_square / mean_square.min()) ** (-TEMPER * count)
    return np.asarray(weight / weight.sum(), dtype=np.float64)


def _centres(points: Points) -> dict[str, tuple[float, float]]:
    """Centre and standard deviation of each parameter's prior, from the extremes of the data."""
    b, c = points.records_per_request, points.concurrency
    alone = np.exp(-points.log_requests_per_s) * c
    lightest = c == c.min()
    small, large = alone[lightest][np.argmin(b[lightest])], alone[lightest][np.argmax(b[lightest])]
    top = float(b[lightest].max())
    saturated = float(np.exp(np.median((points.log_requests_per_s + np.log(alone))[c == c.max()])))
    return {
        "s0": (np.log(small * 0.5), 2.0),
        "s1": (np.log(large / top * 0.7), 1.5),
        "sharpness": (np.log(1.5), 2.0),
        "slots": (np.log(max(saturated, 1.0)), 1.0),
        "share0": (-np.log(max(saturated, 1.0)) / 2 - 0.2, 1.0),
        "share1": (-np.log(max(saturated, 1.0)) / 2 - 0.2, 1.0),
        "knee_b": (np.mean(np.log(b)), 1.0),
        "s2": (np.log(large / top * 0.7), 1.0),
        "gamma": (0.0, 0.15),
        "s3": (np.log(large / top**2 * 0.1), 2.0),
        "knee_c": (np.mean(np.log(c)), 0.7),
        "slope_c": (np.log(0.03), 1.5),
        "sigma": (-1.5, 1.5),
    }


def _law(form: Form, points: Points, parameters: Floats) -> Law:
    return Law(form=form, parameters=np.clip(parameters, -60.0, 60.0), reference_cpus=float(points.cpus.max()))


def fit_law(form: Form, points: Points) -> Law:
    """The form's maximum a posteriori fit to ln X, outliers counted linearly (pseudo-Huber)."""
    centres = _centres(points)
    starts = np.stack(_starts(form, np.array([centres[name][0] for name in form.names]), points))
    every = np.ones((len(starts), len(points)), dtype=np.bool_)
    found, loss = _fit(form, points, [centres] * len(starts), every, starts)
    return _law(form, points, found[np.argmin(loss)])


def _fit(
    form: Form, points: Points, centres: list[dict[str, tuple[float, float]]], kept: NDArray[np.bool_], starts: Floats
) -> tuple[Floats, Floats]:
    """(parameters, losses) of one fit for each row of `kept` (which points it sees), with its own prior and start."""
    prior = np.array([[row[name] for name in form.names] for row in centres])
    scale = np.hypot(points.noise, DISCREPANCY)

    def residuals(vectors: Floats, fits: NDArray[np.intp]) -> Floats:
        """Scaled residuals, then distances from the prior."""
        z = (_law(form, points, vectors).log_requests_per_s(points) - points.log_requests_per_s) / scale
        bent = np.sign(z) * _OUTLIER * np.sqrt(2 * (np.sqrt(1 + (z / _OUTLIER) ** 2) - 1))
        away = (vectors - prior[fits, None, :, 0]) / prior[fits, None, :, 1]
        return np.concatenate([bent * kept[fits, None, :], away], axis=-1)

    return least_squares(residuals, starts)


def _starts(form: Form, centre: Floats, points: Points) -> list[Floats]:
    """The prior's centre, and for a knee in b or c also knees at the measured values between."""
    starts = [centre]
    for name, values in (("knee_b", points.records_per_request), ("knee_c", points.concurrency)):
        if name not in form.names:
            continue
        inner = np.unique(values)[1:-1]
        for value in inner[np.linspace(0, len(inner) - 1, min(3, len(inner))).astype(int)]:
            changed = centre.copy()
            changed[form.names.index(name)] = np.log(value)
            starts.append(changed)
    return starts
