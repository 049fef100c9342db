"""Candidate laws fitted, judged by leaving points out, and averaged.

Which form a server follows is decided by held-out error, not by taste: over ten servers no single form was
best, and the average of the better ones was never far behind the best of them.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from planner.performance.points import FEWEST_POINTS, Points
from planner.performance.prediction import Floats
from planner.performance.scaling import Form, Law, forms

DISCREPANCY: Final = 0.03
"""Log standard deviation that a form may be wrong by besides noise; keeps precise points from dictating."""
_OUTLIER: Final = 2.5
"""Standard deviations past which a residual counts linearly instead of squared."""
_STEP: Final = 1e-6
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
    laws = tuple(fit_law(form, points) for form in forms(points))
    folds = folds_of(points)
    left_out = np.empty((len(laws), *folds.shape))
    for row, law in enumerate(laws):
        for index, fold in enumerate(folds):
            refitted = fit_law(law.form, points.keep(~fold), start=law.parameters)
            left_out[row, index] = points.log_requests_per_s - refitted.log_requests_per_s(points)
    errors, noise = left_out[:, folds], np.broadcast_to(points.noise, folds.shape)[folds]
    weights = _weights(errors, np.hypot(noise, DISCREPANCY / 2), len(points))
    fitted = np.stack([law.log_requests_per_s(points) for law in laws])
    return Committee(
        laws=laws,
        weights=weights,
        residuals=points.log_requests_per_s - weights @ fitted,
        folds=folds,
        left_out_residuals=np.tensordot(weights, left_out, axes=1),
        log_errors=np.sqrt(np.mean(errors**2, axis=1)),
    )


def _weights(errors: Floats, noise: Floats, count: int) -> Floats:
    """Weights that fall with the left-out error as a likelihood would.

    One outlier must not decide: errors are cut off at five times their median.
    """
    size = np.abs(errors)
    cut = np.minimum(size, 5 * np.median(size, axis=1, keepdims=True))
    mean_square = np.mean(cut**2 + noise**2, axis=1)
    weight = (mean_square / mean_square.min()) ** (-TEMPER * count)
    return np.asarray(weight / weight.sum(), dtype=np.float64)


def _prior(form: Form, points: Points) -> tuple[Floats, Floats]:
    """Centres and standard deviations of the parameters, from the extremes of the data."""
    b, c = points.records_per_request, points.concurrency
    alone = np.exp(-points.log_requests_per_s) * c
    lightest = c == c.min()
    small, large = alone[lightest][np.argmin(b[lightest])], alone[lightest][np.argmax(b[lightest])]
    top = float(b[lightest].max())
    saturated = float(np.exp(np.median((points.log_requests_per_s + np.log(alone))[c == c.max()])))
    centres = {
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
    chosen = np.array([centres[name] for name in form.names])
    return chosen[:, 0], chosen[:, 1]


def fit_law(form: Form, points: Points, *, start: Floats | None = None) -> Law:
    """The form's maximum a posteriori fit to ln X, outliers counted linearly (pseudo-Huber).

    `start` (a fit to nearly the same points) replaces the several starts that a bend or a knee needs.
    """
    from scipy.optimize import leastsq

    centre, width = _prior(form, points)
    reference_cpus = float(points.cpus.max())
    scale = np.hypot(points.noise, DISCREPANCY)

    def residuals(vector: Floats) -> Floats:
        """Scaled residuals, then distances from the prior: (rows,), or (vectors, rows) of several at once."""
        law = Law(form=form, parameters=np.clip(vector, -60.0, 60.0), reference_cpus=reference_cpus)
        z = (law.log_requests_per_s(points) - points.log_requests_per_s) / scale
        bent = np.sign(z) * _OUTLIER * np.sqrt(2 * (np.sqrt(1 + (z / _OUTLIER) ** 2) - 1))
        return np.concatenate([bent, (vector - centre) / width], axis=-1)

    def slopes(vector: Floats) -> Floats:
        """Forward differences, all parameters in one call."""
        moved = residuals(np.concatenate([vector[None, :], vector + _STEP * np.eye(len(vector))]))
        return np.asarray((moved[1:] - moved[0]) / _STEP, dtype=np.float64)

    best, least = centre, np.inf
    for candidate in [start] if start is not None else _starts(form, centre, points):
        found = leastsq(residuals, candidate, Dfun=slopes, col_deriv=True, maxfev=150, ftol=1e-6, full_output=True)[0]
        found = np.asarray(found, dtype=np.float64)
        loss = float(np.sum(residuals(found) ** 2))
        if loss < least:
            best, least = found, loss
    return Law(form=form, parameters=np.clip(best, -60.0, 60.0), reference_cpus=reference_cpus)


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
