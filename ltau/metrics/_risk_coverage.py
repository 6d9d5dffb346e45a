"""Selective prediction: the error that remains if the doubtful samples are left out."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ltau._inputs.numbers import FloatArray, as_errors_and_scores
from ltau._maths.sorting import sort_averaging_ties
from ltau.metrics._bootstrap import estimate

__all__ = ["risk_coverage_area", "risk_coverage_curve"]


def risk_coverage_curve(errors: ArrayLike, predicted: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Compute the mean error of the samples kept, as more and more are kept.

    Samples are kept in the order of ascending predicted error.

    Parameters
    ----------
    errors : array-like of shape (n_samples,)
        Observed absolute errors, in the target's unit.
    predicted : array-like of shape (n_samples,)
        Predicted errors, or any score that should rise with the error.

    Returns
    -------
    coverage : ndarray of shape (n_samples,), float64
        Share of samples kept: 1 / n_samples, 2 / n_samples, ..., 1.
    risk : ndarray of shape (n_samples,), float64
        Mean error of the samples kept, in the unit of the errors. Where only some
        of the samples tied in `predicted` are kept, its mean over their orders.

    Raises
    ------
    ValueError
        If lengths differ, errors are NaN, infinite or negative, or predicted
        values are NaN.

    References
    ----------
    .. [1] Y. Geifman and R. El-Yaniv, "Selective classification for deep neural
       networks", NeurIPS (2017). doi:10.48550/arXiv.1705.08500

    Examples
    --------
    >>> from ltau.metrics import risk_coverage_curve
    >>> coverage, risk = risk_coverage_curve([0.1, 0.6, 0.2], [1.0, 3.0, 2.0])
    >>> coverage.round(2), risk.round(2)
    (array([0.33, 0.67, 1.  ]), array([0.1 , 0.15, 0.3 ]))
    """
    errors, predicted = as_errors_and_scores(errors, predicted)
    kept = np.arange(1, len(errors) + 1)
    risk = np.cumsum(sort_averaging_ties(errors, by=predicted)) / kept
    return kept / len(errors), risk


def risk_coverage_area(
    errors: ArrayLike, predicted: ArrayLike, *, groups: ArrayLike | None = None
) -> float:
    """Compute the area under the risk-coverage curve (AURC); lower is better.

    Parameters
    ----------
    errors : array-like of shape (n_samples,)
        Observed absolute errors, in the target's unit.
    predicted : array-like of shape (n_samples,)
        Predicted errors, or any score that should rise with the error.
    groups : array-like of shape (n_samples,), optional
        Group of each sample, for an interval: see `bootstrap_estimate`.

    Returns
    -------
    float
        Risk averaged over the coverages 1 / n_samples to 1, in the unit of the
        errors; with `groups`, an `Estimate`.

    Raises
    ------
    ValueError
        If lengths differ, errors are NaN, infinite or negative, or predicted
        values are NaN.

    Notes
    -----
    A score without information has the mean error as its area. The least area is
    that of the errors themselves, ``risk_coverage_area(errors, errors)``.

    References
    ----------
    .. [1] Y. Geifman, G. Uziel and R. El-Yaniv, "Bias-reduced uncertainty estimation
       for deep neural classifiers", ICLR (2019). doi:10.48550/arXiv.1805.08206

    Examples
    --------
    >>> from ltau.metrics import risk_coverage_area
    >>> round(risk_coverage_area([0.1, 0.6, 0.2], [1.0, 3.0, 2.0]), 3)
    0.183
    >>> round(risk_coverage_area([0.1, 0.6, 0.2], [1.0, 1.0, 1.0]), 3)
    0.3
    """
    errors, predicted = as_errors_and_scores(errors, predicted)
    return estimate(_area, errors, predicted, groups=groups)


def _area(errors: FloatArray, predicted: FloatArray) -> float:
    _, risk = risk_coverage_curve(errors, predicted)
    return float(risk.mean())
