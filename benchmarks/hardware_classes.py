"""Is a workload class worth naming, and is it safe to infer? ``python benchmarks/hardware_classes.py``.

Benchmarks of a known kind play servers whose class was inferred: their suite is held out of the means and spreads of
every class. Inferred rightly or wrongly, the interval is the hull of the class's and of an unknown class's
(`planner.performance.workload_class`). Below, how well stress-ng's div16 tells the speed of one processor from the
others of its generation (`planner.performance.host_clock`), each held out.
"""

from collections.abc import Mapping, Sequence

import hardware_fit
import hardware_scores
import hardware_tables
import numpy as np
from hardware_scores import FP, INT8, SCALAR, ClassRows, Floats

KINDS = {"integer code": SCALAR, "float vectors": FP, "8-bit networks": INT8}
CLASSES = ("scalar", "fp_simd", "int8_dnn", "unknown")


def bounds(rows: ClassRows) -> tuple[Floats, Floats]:
    """(mean [116], half width at 90 % [source, target]) of one busy thread, Geekbench held out where others remain."""
    without = "geekbench" if len(rows.single) > 1 else ""
    mean = hardware_fit.mean_single(rows, without)
    covariance = hardware_fit.components(mean, rows.single_spread, rows.weights, without).covariance()
    spread = np.diag(covariance)
    variance = spread[:, None] + spread[None, :] - 2 * covariance
    return mean, hardware_fit.table_z(rows) * np.sqrt(np.maximum(variance, 0.0))


def judged(rows: Sequence[Floats], named: tuple[Floats, Floats], unknown: tuple[Floats, Floats]) -> list[float]:
    """Median error and coverage of the class's own interval, and coverage of the hull with the unknown class's."""
    errors, own, hull = [], [], []
    for row in rows:
        truth = row[None, :] - row[:, None]
        inside = []
        for mean, half in (named, unknown):
            middle = mean[None, :] - mean[:, None]
            inside.append(np.abs(truth - middle) <= half)
            if mean is named[0]:
                errors.append(np.abs(np.expm1(middle - truth)))
        low = np.minimum(*(mean[None, :] - mean[:, None] - half for mean, half in (named, unknown)))
        high = np.maximum(*(mean[None, :] - mean[:, None] + half for mean, half in (named, unknown)))
        own.append(inside[0].mean())
        hull.append(((low <= truth) & (truth <= high)).mean())
    return [float(np.median(np.concatenate(errors))), float(np.mean(own)), float(np.mean(hull))]


def clock_errors(found: Sequence[hardware_tables.Dividing]) -> Mapping[str, Floats]:
    """By suite: ln(score predicted from the others of its generation by div16 / score), every processor with others."""
    result: dict[str, list[float]] = {"passmark": [], "geekbench": [], "both": []}
    for each in found:
        for suite in ("passmark", "geekbench"):
            ln = getattr(each, f"{suite}_ln") - each.div16_ln
            others = [
                getattr(other, f"{suite}_ln") - other.div16_ln
                for other in found
                if other.generation == each.generation and other is not each
            ]
            known = [other for other in others if np.isfinite(other)]
            if known and np.isfinite(ln):
                result[suite].append(float(np.mean(known) - ln))
    result["both"] = [(a + b) / 2 for a, b in zip(result["passmark"], result["geekbench"], strict=True)]
    return {name: np.array(values) for name, values in result.items()}


def main() -> None:
    """Print both tables."""
    log = hardware_scores.scores()
    by_class = hardware_scores.classes(log)
    bounded = {name: bounds(by_class[name]) for name in CLASSES}
    print("One thread, benchmarks as servers: median error in % / coverage of the class alone / of the hull, in %")
    print(f"{'':<16}" + "".join(f"{name:>24}" for name in CLASSES))
    for kind, names in KINDS.items():
        rows = [log[f"geekbench6:{name}:single"] for name in names]
        cells = (judged(rows, bounded[name], bounded["unknown"]) for name in CLASSES)
        print(f"{kind:<16}" + "".join(f"{100 * e:>10.1f} /{100 * o:>5.1f} /{100 * h:>5.1f}" for e, o, h in cells))
    print("\nA processor's speed from div16 and the others of its generation: root mean square and largest error, in %")
    for suite, errors in clock_errors(hardware_tables.dividing()).items():
        rms, most = np.sqrt(np.mean(errors**2)), np.max(np.abs(errors))
        print(f"{suite:<16}{100 * rms:>6.1f} {100 * most:>6.1f}  ({len(errors)} processors)")


if __name__ == "__main__":
    main()
