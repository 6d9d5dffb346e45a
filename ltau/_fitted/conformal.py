"""Conformal scores of observed errors, and the bounds that follow from them.

A bound at the right order statistic of the scores of held-out samples is kept by a new
one with the probability asked for: Vovk, Gammerman and Shafer, *Algorithmic Learning in
a Random World*, Springer 2005, doi:10.1007/b106715.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ltau._fitted.calibration import Calibration
from ltau._inputs.labels import check_groups
from ltau.distribution import ErrorDistribution, quantiles_of

__all__ = ["bound", "conformal_scores", "error_bars", "quantile_levels"]

Floats = NDArray[np.float64]


def conformal_scores(distribution: ErrorDistribution, errors: Floats) -> Floats:
    """Find the least level at which each error lies within its predicted quantile.

    That is the probability integral transform, and goes on above 1: an error of twice
    the largest that was predicted at all has the score 2.

    Parameters
    ----------
    distribution : ErrorDistribution
        Predicted for each sample.
    errors : ndarray of shape (n_samples, n_obs)
        Observed errors.

    Returns
    -------
    ndarray of shape (n_samples, n_obs)
        The scores; NaN where the error is.
    """
    seen = np.nan_to_num(errors)
    level = distribution.cdf(seen)
    top = distribution.quantile(1.0)[:, None]
    return np.where(np.isnan(errors), np.nan, np.where(seen > top, seen / top, level))


def bound(distribution: ErrorDistribution, levels: Floats) -> Floats:
    """Find the errors at levels of `conformal_scores`.

    Parameters
    ----------
    distribution : ErrorDistribution
        Predicted for each sample.
    levels : ndarray of shape (n_samples, m) or (1, m)
        Non-negative, and infinite for an infinite bound.

    Returns
    -------
    ndarray of shape (n_samples, m)
        The errors.
    """
    if (levels <= 1.0).all():
        return quantiles_of(distribution, levels)
    inside = quantiles_of(distribution, np.minimum(levels, 1.0))
    return np.where(levels > 1.0, inside * levels, inside)


def quantile_levels(
    calibration: Calibration, q: ArrayLike, n_samples: int, groups: ArrayLike | None
) -> Floats:
    """Find the levels of the predicted quantiles that keep probabilities.

    Parameters
    ----------
    calibration : Calibration
        What was learnt.
    q : float or array-like of shape (m,)
        Probabilities, from 0 to 1.
    n_samples : int
        Number of samples.
    groups : array-like of shape (n_samples,) or None
        Group of each sample, if levels were learnt within groups.

    Returns
    -------
    ndarray of shape (n_samples, m), or (1, m) for levels common to all
        The levels; without a calibration, the probabilities.

    Raises
    ------
    ValueError
        If a probability is none, or groups are missing, unknown or not asked for.
    """
    asked = np.array(q, dtype=np.float64, ndmin=1)
    if asked.ndim != 1 or not all(0 <= level <= 1 for level in asked.tolist()):
        raise ValueError(f"Expected probabilities from 0 to 1, got {q!r}.")
    if calibration.grouped != (groups is not None):
        how = "with" if calibration.grouped else "without"
        raise ValueError(f"The estimator was calibrated {how} groups: predict likewise.")
    if not calibration.scores:
        return asked[None, :]
    labels = check_groups(groups, n_samples)
    return np.stack([calibration.levels(level, labels) for level in asked.tolist()], axis=1)


def error_bars(
    distribution: ErrorDistribution, calibration: Calibration | None, level: float
) -> Floats:
    """Find the errors that predicted distributions do not exceed with a probability.

    Parameters
    ----------
    distribution : ErrorDistribution
        Predicted for each sample.
    calibration : Calibration or None
        What the estimator has learnt, without groups.
    level : float
        The probability.

    Returns
    -------
    ndarray of shape (n_samples,)
        The errors, as `LTAUEstimator.predict_quantile` gives them.
    """
    levels = np.array([[level]])
    if calibration is not None:
        levels = quantile_levels(calibration, level, len(distribution), None)
    return bound(distribution, levels)[:, 0]
