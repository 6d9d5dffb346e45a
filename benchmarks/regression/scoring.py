"""Scores of a method's predictions, on the same footing for every method."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmarks.methods.predictions import LEVELS, TargetPrediction
from ltau.metrics import UndefinedMetricError, coverage, crps, miscalibration_area, spearman

__all__ = ["score"]

Floats = NDArray[np.float64]


def score(prediction: TargetPrediction, y: Floats, scale: float) -> dict[str, float]:
    """Score predictions and their uncertainty.

    Parameters
    ----------
    prediction : TargetPrediction of n_samples rows
        What the method says.
    y : ndarray of shape (n_samples,)
        Observed targets.
    scale : float
        Standard deviation of the target: the unit of widths, errors and CRPS.

    Returns
    -------
    dict of str to float
        ``coverage_50`` and ``coverage_90``: share of targets inside the intervals of that level.
        ``width_90``: mean width of the latter. ``mae``: mean absolute error. ``crps``: of the
        target. ``miscalibration``: area for the absolute error. ``spearman``: of the expected
        with the observed absolute error; NaN where one is constant.

    Notes
    -----
    A method could earn a low CRPS of its error by poor predictions whose errors are easy to
    predict, so the CRPS of the target counts. For a distribution symmetric about the prediction
    it is exactly half of the mean absolute error plus half of the CRPS of the absolute error.
    Quantile regression, the one method that is not symmetric, is scored as if it were.
    """
    errors = np.abs(y - prediction.y_pred)
    mae = float(errors.mean())
    narrow, wide = (prediction.interval(level) for level in LEVELS)
    return {
        "coverage_50": _share_inside(narrow, y),
        "coverage_90": _share_inside(wide, y),
        "width_90": float((wide[:, 1] - wide[:, 0]).mean()) / scale,
        "mae": mae / scale,
        "crps": (mae + crps(errors, prediction.errors)) / 2 / scale,
        "miscalibration": miscalibration_area(errors, prediction.errors),
        "spearman": _rank_correlation(errors, prediction.errors.mean()),
    }


def _share_inside(interval: Floats, y: Floats) -> float:
    """Share of targets no farther from the middle of their interval than half its width."""
    low, high = interval.T
    return coverage(np.abs(y - (low + high) / 2), upper=(high - low) / 2)


def _rank_correlation(errors: Floats, expected: Floats) -> float:
    if np.allclose(expected, expected[0], rtol=1e-9):  # a constant, but for rounding
        return float("nan")
    try:
        return spearman(errors, expected)
    except UndefinedMetricError:
        return float("nan")
