"""Confidence intervals of many scores at once, from the same resamples of groups."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ltau.comparison._rows import Floats
from ltau.comparison._statistics import Statistic
from ltau.metrics import Estimate

__all__ = ["interval", "resample"]

_N_RESAMPLES = 1000
_LEVEL = 0.95


def resample(statistics: Sequence[Statistic], groups: NDArray[Any]) -> Floats:
    """Compute statistics of resamples of whole groups, as `bootstrap_estimate` does.

    All statistics see the same resamples, so that their differences are paired.

    Parameters
    ----------
    statistics : sequence of callable
        Functions of the weights of the rows.
    groups : ndarray of shape (n_rows,)
        Group of each row.

    Returns
    -------
    ndarray of shape (n_resamples, n_statistics)
        NaN where a statistic is not defined.
    """
    return np.array([[s(weights) for s in statistics] for weights in _weights(groups)])


def _weights(groups: NDArray[Any]) -> Iterator[Floats]:
    """Draw groups with replacement, and count how often each row was drawn."""
    labels, codes = np.unique(groups, return_inverse=True)
    rng = np.random.default_rng(0)
    for _ in range(_N_RESAMPLES):
        drawn = rng.integers(len(labels), size=len(labels))
        counts = np.bincount(drawn, minlength=len(labels)).astype(np.float64)
        yield counts[codes]


def interval(value: float, resampled: Floats) -> Estimate:
    """Put the percentile interval of the resamples around a value; NaN where there is none."""
    defined = resampled[~np.isnan(resampled)]
    if np.isnan(value) or 2 * len(defined) < len(resampled):
        return Estimate(value, float("nan"), float("nan"), _LEVEL)
    tail = (1 - _LEVEL) / 2
    low, high = np.quantile(defined, [tail, 1 - tail], method="inverted_cdf")
    return Estimate(value, float(low), float(high), _LEVEL)
