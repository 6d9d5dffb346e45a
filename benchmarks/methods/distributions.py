"""Distributions of the error from some of their quantiles."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ltau import ErrorDistribution

__all__ = ["from_quantiles"]

Floats = NDArray[np.float64]

_N_BINS = 200


def from_quantiles(quantiles: Floats, levels: Floats) -> ErrorDistribution:
    """Make distributions of the error that are linear between some of their quantiles.

    They begin at 0. Beyond the last quantile they go on in a straight line, as `QuantilePrediction`
    does.

    Parameters
    ----------
    quantiles : ndarray of shape (n_samples, n_levels)
        Quantiles of the error, positive; sorted here where they cross.
    levels : ndarray of shape (n_levels,)
        Their probabilities, ascending, at least two.

    Returns
    -------
    ErrorDistribution
        In 200 bins, narrow ones where errors are small.
    """
    q = np.sort(quantiles, axis=1)
    above = (q[:, -1] - q[:, -2]) * (1 - levels[-1]) / (levels[-1] - levels[-2])
    top = q[:, -1] + np.maximum(above, 1e-6 * q[:, -1])
    knots = np.column_stack([np.zeros(len(q)), q, top]) / top[:, None]
    edges = np.linspace(0, 1, _N_BINS + 1) ** 2
    cdf = np.stack([np.interp(edges, row, [0.0, *levels, 1.0]) for row in knots])
    return ErrorDistribution(np.diff(cdf), edges, top)
