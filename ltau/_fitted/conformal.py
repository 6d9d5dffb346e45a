"""Conformal scores of observed errors, and the bounds that follow from them.

A bound at the right order statistic of the scores of held-out samples is kept by a new
one with the probability asked for: Vovk, Gammerman and Shafer, *Algorithmic Learning in
a Random World*, Springer 2005, doi:10.1007/b106715.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ltau.distribution import ErrorDistribution

__all__ = ["bound", "conformal_scores"]

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
    # Where no error was predicted the distribution is flat, and its quantile lies below.
    below = bound(distribution, level) < seen
    level = np.where(below, np.nextafter(level, 2.0), level)
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
    inside = np.minimum(levels, 1.0)
    inside = distribution.quantile(inside if len(inside) > 1 else inside[0])
    return np.where(levels > 1.0, inside * levels, inside)
