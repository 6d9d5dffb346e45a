"""Predictions from neighbours that the shards have found."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ltau._fitted.densities import TrainingDensities
from ltau._fitted.prediction import PredictionMixin
from ltau.adapters.dask._shard import Holdings
from ltau.estimator import LTAUEstimator
from ltau.neighbors import Neighbors

__all__ = ["predict_found"]

Floats = NDArray[np.float64]


class _FoundPredictions(PredictionMixin):
    """Predicts as an estimator does, from a search that is done."""

    n_jobs = None
    calibration_ = None

    def __init__(
        self, settings: LTAUEstimator, found: Neighbors, near: Holdings, edges: Floats
    ) -> None:
        self.n_neighbors = settings.n_neighbors
        self.weights = settings.weights
        self.distance_scaling = settings.distance_scaling
        self._densities = TrainingDensities(edges, near.cumulative)
        if near.own_distances is not None:
            self._own_distances = self.n_neighbors, near.own_distances
        self._found = found[0], np.searchsorted(near.rows, found[1])

    def _search(
        self, X: ArrayLike, strata: ArrayLike | None, n_neighbors: int | None = None
    ) -> Any:
        return iter([self._found])


def predict_found(
    settings: LTAUEstimator,
    method: str,
    found: Neighbors,
    parts: list[Holdings],
    edges: Floats,
    options: dict[str, Any],
) -> Any:
    """Call a method of an estimator whose neighbours are known.

    Parameters
    ----------
    settings : LTAUEstimator
        An estimator with the parameters, not fitted.
    method : str
        Name of the method.
    found : (distances, rows)
        The neighbours of each sample, of shape (n_samples, n_neighbors).
    parts : list of Holdings
        What each shard knows of them, in the order of their rows.
    edges : ndarray of shape (n_bins + 1,)
        The bin edges.
    options : dict
        Arguments of the method, without latents and strata.
    """
    rows, cumulative, own_distances = zip(*parts, strict=True)
    near = Holdings(
        np.concatenate(rows),
        np.concatenate(cumulative),
        None if own_distances[0] is None else np.concatenate(own_distances),
    )
    predictions = _FoundPredictions(settings, found, near, edges)
    return getattr(predictions, method)(found[1], **options)  # of the latents it takes the number
