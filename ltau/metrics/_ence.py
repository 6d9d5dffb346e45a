"""Calibration of error bars: is the predicted error, bin by bin, the observed one."""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import ArrayLike

from ltau._inputs.numbers import FloatArray, as_magnitudes, check_same_length
from ltau._maths.sorting import sort_averaging_ties
from ltau.metrics._bootstrap import UndefinedMetricError, estimate

__all__ = ["expected_normalized_calibration_error"]


def expected_normalized_calibration_error(
    errors: ArrayLike,
    predicted: ArrayLike,
    *,
    n_bins: int = 10,
    groups: ArrayLike | None = None,
) -> float:
    """Compare predicted with observed root-mean-square errors, bin by bin (ENCE).

    Samples are sorted by predicted error and split into bins of equal count. The
    result is the mean over bins of ``abs(predicted - observed) / predicted``, both
    the root mean square over the bin.

    Parameters
    ----------
    errors : array-like of shape (n_samples,)
        Observed absolute errors, in the target's unit.
    predicted : array-like of shape (n_samples,)
        Predicted root-mean-square error of each sample, in the target's unit.
    n_bins : int, default=10
        Number of bins, from 1 to n_samples.
    groups : array-like of shape (n_samples,), optional
        Group of each sample, for an interval: see `bootstrap_estimate`.

    Returns
    -------
    float
        Mean relative deviation, non-negative; with `groups`, an `Estimate`.

    Raises
    ------
    ValueError
        If lengths differ, values are NaN, infinite or negative, or `n_bins` < 1.
    UndefinedMetricError
        If there are fewer samples than bins, or a bin's predicted errors are all 0.

    Notes
    -----
    For an `ErrorDistribution` the predicted root-mean-square error is
    ``np.hypot(distribution.mean(), distribution.std())``. Samples tied in
    `predicted` count with their mean squared error, whichever bins they fall in.

    References
    ----------
    .. [1] D. Levi, L. Gispan, N. Giladi and E. Fetaya, "Evaluating and calibrating
       uncertainty prediction in regression tasks", Sensors 22, 5540 (2022).
       doi:10.3390/s22155540

    Examples
    --------
    >>> from ltau.metrics import expected_normalized_calibration_error as ence
    >>> round(ence([0.1, 0.3, 0.2, 0.4], [0.1, 0.2, 0.2, 0.4], n_bins=1), 3)
    0.095
    """
    errors = as_magnitudes(errors, "errors")
    predicted = as_magnitudes(predicted, "predicted")
    check_same_length(errors=errors, predicted=predicted)
    if n_bins < 1:
        raise ValueError(f"Expected n_bins >= 1, got {n_bins!r}.")
    return estimate(partial(_ence, n_bins=n_bins), errors, predicted, groups=groups)


def _ence(errors: FloatArray, predicted: FloatArray, n_bins: int) -> float:
    if len(errors) < n_bins:
        raise UndefinedMetricError(
            f"Expected at least {n_bins} samples for {n_bins} bins, got {len(errors)}."
        )
    observed = _rms_of_bins(sort_averaging_ties(errors**2, by=predicted), n_bins)
    expected = _rms_of_bins(np.sort(predicted) ** 2, n_bins)
    if not expected.all():
        raise UndefinedMetricError("Expected positive predicted errors, got a bin where all are 0.")
    return float(np.mean(np.abs(expected - observed) / expected))


def _rms_of_bins(squares: FloatArray, n_bins: int) -> FloatArray:
    return np.sqrt([part.mean() for part in np.array_split(squares, n_bins)])
