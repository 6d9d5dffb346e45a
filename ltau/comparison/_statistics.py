"""Scores as functions of how often each row counts, so that they can be resampled fast.

With weights of one they are the scores themselves; with the number of times that a bootstrap
drew each row, those of the resample.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from ltau.comparison._rows import Floats

__all__ = ["Statistic", "area_to_diagonal", "mean_of", "rank_correlation", "within_folds"]

Statistic = Callable[[Floats], float]  # of weights of shape (n_rows,), whole numbers


def mean_of(values: Floats) -> Statistic:
    """Average some values."""

    def mean(weights: Floats) -> float:
        return float(weights @ values / weights.sum())

    return mean


def rank_correlation(first: Floats, second: Floats) -> Statistic:
    """Correlate the ranks of two vectors (Spearman); NaN where one is constant."""
    if any(np.allclose(values, values[0], rtol=1e-9, atol=0) for values in (first, second)):
        return lambda _: float("nan")  # but for rounding
    ranks = _ranks(first), _ranks(second)

    def correlation(weights: Floats) -> float:
        a, b = (rank(weights) for rank in ranks)
        total = weights.sum()
        a, b = a - weights @ a / total, b - weights @ b / total
        spread = float(np.sqrt((weights @ (a * a)) * (weights @ (b * b))))
        return float(weights @ (a * b)) / spread if spread > 0 else float("nan")

    return correlation


def area_to_diagonal(pit: Floats) -> Statistic:
    """Integrate how far the distribution of values in [0, 1] is from a uniform one."""
    values, codes = np.unique(pit, return_inverse=True)
    edges = np.concatenate([[0.0], values, [1.0]])

    def area(weights: Floats) -> float:
        counts = np.bincount(codes, weights=weights)
        observed = np.concatenate([[0.0], np.cumsum(counts)]) / weights.sum()
        above, below = edges[1:] - observed, edges[:-1] - observed
        # The antiderivative of |x| is x|x| / 2.
        return float(np.sum(above * np.abs(above) - below * np.abs(below))) / 2

    return area


def within_folds(
    make: Callable[[Floats, Floats], Statistic],
    first: Floats,
    second: Floats,
    folds: Sequence[NDArray[np.intp]],
) -> Statistic:
    """Average a statistic of each fold: what differs from fold to fold does not count.

    A fold of which no row is drawn is left out.
    """
    statistics = [(rows, make(first[rows], second[rows])) for rows in folds]

    def average(weights: Floats) -> float:
        values = [statistic(weights[rows]) for rows, statistic in statistics if weights[rows].any()]
        return float(np.mean(values))

    return average


def _ranks(values: Floats) -> Callable[[Floats], Floats]:
    """Rank each value among all that are counted, with the mean rank of ties."""
    _, codes = np.unique(values, return_inverse=True)

    def rank(weights: Floats) -> Floats:
        counts = np.bincount(codes, weights=weights)
        ranks: Floats = (np.cumsum(counts) - counts / 2 + 0.5)[codes]
        return ranks

    return rank
