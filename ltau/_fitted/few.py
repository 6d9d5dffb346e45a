"""The summary of a few samples, as of a step of dynamics, in few calls.

A search of some ten samples takes some hundredths of a millisecond, and what is made of the
result takes longer where it is made by a hundred small operations. Here is what most predictions
need; whatever else there may be is left to `Predictor`, whose numbers are the same.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ltau._fitted.densities import TrainingDensities
from ltau._fitted.neighborhood import Known
from ltau._fitted.settings import Settings
from ltau._maths.domain import error_factor
from ltau._maths.ties import level_to_reach, quantile_in_bin
from ltau.neighbors import Found

__all__ = ["are_few", "summary_of_few"]

Floats = NDArray[np.float64]

_FEW_COUNTS = 1 << 18  # of neighbours: beyond, the number of operations tells little


def are_few(found: Found, known: Known, settings: Settings, levels: Floats) -> bool:
    """Tell whether `summary_of_few` knows what to do.

    With few samples, of which each has just as many neighbours as asked for, of one weight,
    that stand for themselves and do not all coincide; and a level that is common to all.
    """
    return (
        found.numbers.size * known.densities.n_bins <= _FEW_COUNTS
        and found.numbers.shape[1] == settings.n_neighbors
        and found.repeats is None
        and known.sizes is None
        and settings.weights == "uniform"
        and levels.size == 1
        and levels[0, 0] <= 1
        and known.own_distances(settings.n_neighbors).are_positive
    )


def summary_of_few(
    found: Found, known: Known, settings: Settings, levels: Floats
) -> tuple[Floats, Floats, Floats]:
    """Predict expected errors, error bars and scores of a few samples.

    Parameters
    ----------
    found : Found
        Their neighbours.
    known : Known
        What is known of these.
    settings : Settings
        How errors are stretched.
    levels : ndarray of shape (1, 1), float64
        Level of the error bars.

    Returns
    -------
    expected_error, error_bar, ood_score : ndarray of shape (n_samples,)
        As `ErrorSummary` has them.
    """
    k, rows, densities = settings.n_neighbors, found.numbers, known.densities
    own = known.own_distances(k)
    distance = np.maximum(found.distances.sum(axis=1), k * own.floors[found.strata])
    score = distance / own.values.take(rows).sum(axis=1)  # a `local_ratio` to what is not 0
    factor = error_factor(settings, score)
    expected = densities.means.take(rows).sum(axis=1) * (factor / k)
    return expected, factor * _quantiles(densities, rows, levels.item()), score


def _quantiles(densities: TrainingDensities, rows: NDArray[np.intp], level: float) -> Floats:
    """Find a quantile of the mean distribution of each row, by the tie rule."""
    n, k = rows.shape
    counts = densities.cumulative.take(rows, axis=0)
    cdf = np.zeros((n, densities.n_bins + 1))
    weights = np.divide(1 / k, counts[:, None, :, -1], dtype=np.float64)
    np.matmul(weights, counts, out=cdf[:, None, 1:])
    ends = (cdf >= _reach(level)).argmax(axis=1)
    places = np.arange(0, cdf.size, cdf.shape[1]) + ends
    before, after, edges = cdf.take(places - 1), cdf.take(places), densities.edges
    quantiles: Floats = quantile_in_bin(
        level, before, after, edges.take(ends - 1), edges.take(ends)
    )
    return quantiles


@lru_cache  # step after step it is the same
def _reach(level: float) -> float:
    return float(level_to_reach(np.float64(level)))
