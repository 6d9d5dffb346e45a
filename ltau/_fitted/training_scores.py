"""The `ood_score` of training samples, each without itself: what makes a threshold."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ltau._fitted.own_distances import find_twins, mean_of_others
from ltau._fitted.state import Fitted
from ltau._maths.domain import local_ratio
from ltau.neighbors import n_threads

__all__ = ["rows_to_rank", "training_scores"]

_MOST_RANKED = 20_000  # training samples


def rows_to_rank(n_samples: int) -> NDArray[np.intp]:
    """Draw the training samples whose scores make the threshold, ascending: always the same."""
    if n_samples <= _MOST_RANKED:
        return np.arange(n_samples)
    return np.sort(np.random.default_rng(0).choice(n_samples, _MOST_RANKED, replace=False))


def training_scores(fitted: Fitted, n_neighbors: int, n_jobs: int | None) -> NDArray[np.floating]:
    """Score training samples, or some of them, each left out of its neighbours.

    Parameters
    ----------
    fitted : Fitted
        What is known of them.
    n_neighbors : int
        Number of neighbours.
    n_jobs : int or None
        Threads of the search.

    Returns
    -------
    ndarray of shape (n,)
        The scores, in any order; those of samples that coincide are all that of the one
        that stands for them.

    Raises
    ------
    ValueError
        As `Fitted.own_distances`.
    """
    with n_threads(n_jobs):
        own = fitted.own_distances(n_neighbors)
    if fitted.members is not None:
        return fitted.members.scores
    ranked = rows_to_rank(fitted.n_samples)
    numbers = ranked if fitted.merged is None else fitted.merged.owners[ranked]
    distinct, times = np.unique(numbers, return_counts=True)
    floors = np.empty(len(fitted.index))
    for stratum, floor in zip(fitted.index.strata, own.floors, strict=True):
        floors[stratum.rows] = floor
    scores = np.empty(len(fitted.index))
    twins = find_twins(fitted.sizes, fitted.groups)
    others = fitted.index.own_neighbors(n_neighbors, distinct, fitted.groups)
    with n_threads(n_jobs):
        for rows, distances, neighbors in others:
            here = None if twins is None else twins[rows]
            distance = mean_of_others(distances, n_neighbors, here)
            theirs = mean_of_others(own.values[neighbors], n_neighbors, here, own.values[rows])
            with np.errstate(divide="ignore", invalid="ignore"):
                scores[rows] = local_ratio(np, np.maximum(distance, floors[rows]), theirs)
    return np.repeat(scores[distinct], times)
