"""Predictions from neighbours that the shards have found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ltau._fitted.densities import TrainingDensities
from ltau._fitted.own_distances import OwnDistances
from ltau._fitted.predictor import Predictor
from ltau._inputs.outputs import as_outputs
from ltau.adapters.dask._merging import NOBODY, Nearest
from ltau.adapters.dask._shard import Geometry, Holdings
from ltau.estimator import LTAUEstimator, Predictions
from ltau.neighbors import Found

__all__ = ["predict_found"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class _Excerpt:
    """What all shards know of the training samples that some queries found."""

    densities: TrainingDensities
    sizes: Floats | None
    own: OwnDistances | None
    twins: list[NDArray[np.intp]]
    geometry: Geometry
    strata: NDArray[np.intp] | int
    targets: Floats | None = None

    @property
    def floors(self) -> Floats:
        """Distance below which they coincide by rounding, shape (n_strata,)."""
        return self.geometry.floors

    def own_distances(self, n_neighbors: int) -> OwnDistances:
        """Give their distances, which were found with the number of neighbours at fit."""
        if self.own is None:
            raise ValueError("Expected own distances, which were not looked up.")
        return self.own

    def rows_of(
        self, distances: Floats, numbers: NDArray[np.intp], k: int
    ) -> tuple[Floats, NDArray[np.intp]]:
        """Give the `k` nearest training samples, of equally near ones those of lower rows."""
        near, rows = np.empty((len(numbers), k)), np.empty((len(numbers), k), np.intp)
        for query, (far, which) in enumerate(zip(distances, numbers, strict=True)):
            there = np.isfinite(far)
            twins = [self.twins[number] for number in which[there]]
            all_rows = np.concatenate(twins)
            all_far = np.repeat(far[there], [len(t) for t in twins])
            order = np.lexsort((all_rows, all_far))[:k]
            near[query], rows[query] = all_far[order], all_rows[order]
        return near * np.reshape(self.geometry.units[self.strata], (-1, 1)), rows


class _FoundPredictions(Predictions):
    """Predicts as an estimator does, from a search that is done."""

    def predicting(self, predictor: Predictor) -> _FoundPredictions:
        """Take what predicts."""
        self._known_predictor = predictor
        return self

    def _predictor(
        self, X: ArrayLike, strata: ArrayLike | None, n_neighbors: int | None = None
    ) -> Predictor:
        return self._known_predictor

    def _error_predictor(
        self, X: ArrayLike, strata: ArrayLike | None, y_pred: ArrayLike | None
    ) -> Predictor:
        predictor = self._known_predictor
        if y_pred is not None and predictor.known.targets is not None:
            n_outputs = predictor.known.targets.shape[1]
            predictor.y_pred = as_outputs(y_pred, predictor.n_samples, n_outputs, "y_pred")
        return predictor

    def _knows_targets(self) -> bool:
        return self._known_predictor.known.targets is not None

    def _training_scores(self) -> NDArray[np.floating]:
        raise NotImplementedError("Shards know no scores of their own samples.")


def predict_found(
    settings: LTAUEstimator,
    method: str,
    strata: NDArray[np.intp] | int,
    found: Nearest,
    holdings: list[Holdings],
    edges: Floats,
    geometry: Geometry,
    options: dict[str, Any],
) -> Any:
    """Call a method of an estimator whose neighbours are known.

    Parameters
    ----------
    settings : LTAUEstimator
        An estimator with the parameters, not fitted.
    method : str
        Name of the method.
    strata : ndarray of shape (n_samples,) or int
        Number of each sample's stratum.
    found : Nearest
        The neighbours of each sample.
    holdings : list of Holdings
        What each shard holds of them, in the order of their rows.
    edges : ndarray of shape (n_bins + 1,)
        The bin edges.
    geometry : Geometry
        What is known of distances in each stratum.
    options : dict
        Arguments of the method, without latents and strata.
    """
    rows, cumulative, sizes, twins, *usual = zip(*holdings, strict=True)
    own_distances, targets, disagreements = map(_joined, usual)
    k = options.get("n_neighbors") or settings.n_neighbors
    size = np.concatenate(sizes)
    own = None
    if own_distances is not None:
        own = OwnDistances(k, own_distances, geometry.own_floors, disagreements)
    excerpt = _Excerpt(
        TrainingDensities(edges, np.concatenate(cumulative)),
        None if (size == 1).all() else size,
        own,
        [each for part in twins for each in part],
        geometry,
        strata,
        targets,
    )
    there = found.rows != NOBODY
    numbers = np.searchsorted(np.concatenate(rows), np.where(there, found.rows, found.rows[:, :1]))
    repeats = found.repeats()
    searched = Found(found.distances, numbers, strata, repeats if repeats.any() else None)
    estimator = _FoundPredictions(**settings.get_params())
    predictor = Predictor(
        lambda: [searched], len(numbers), excerpt, settings.settings(options.get("n_neighbors"))
    )
    return getattr(estimator.predicting(predictor), method)(found.rows, **options)


def _joined(parts: tuple[Floats | None, ...]) -> Floats | None:
    """Put together what each shard gives, or none does."""
    given = [part for part in parts if part is not None]
    return np.concatenate(given) if given else None
