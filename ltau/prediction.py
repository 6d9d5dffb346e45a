"""What a fitted estimator predicts from the neighbours of each sample."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Literal, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted, validate_data

from ltau._validation import check_strata
from ltau.densities import TrainingDensities
from ltau.distribution import ErrorDistribution
from ltau.neighbors import LatentIndex, Neighbors
from ltau.neighbors.threads import n_threads

__all__ = ["PredictionMixin"]

Floats = NDArray[np.float64]

_BATCH_VALUES = 1 << 23  # in the largest temporary of a prediction, whatever the number of rows


class PredictionMixin:
    """Predictions from an index of the training latents and the training densities."""

    n_neighbors: int
    weights: str
    n_jobs: int | None
    _index: LatentIndex
    _densities: TrainingDensities
    _own_distances: tuple[int, Floats]  # of the training samples, for a number of neighbours

    def predict(self, X: ArrayLike, strata: ArrayLike | None = None) -> Floats:
        """Predict the expected error of each sample.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Latents from the model that the estimator was fitted on.
        strata : array-like of shape (n_samples,), optional
            Class of each sample, if the estimator was fitted with classes.

        Returns
        -------
        ndarray of shape (n_samples,)
            Expected errors, in the unit of the error.

        Raises
        ------
        NotFittedError
            If `fit` was not called.
        ValueError
            If latents have another width, hold NaN or are too large to measure, or strata
            are missing or unknown.
        """
        batches = self._neighbors(X, strata)
        means = self._densities.means
        return _join((w * means[rows]).sum(axis=1) for rows, w in batches)

    def predict_pdf(self, X: ArrayLike, strata: ArrayLike | None = None) -> Floats:
        """Predict the density of each sample's error over `bin_edges_`.

        Parameters
        ----------
        X, strata
            As in `predict`.

        Returns
        -------
        ndarray of shape (n_samples, n_bins)
            Densities per unit of error: with the widths of the bins they sum to 1.

        Raises
        ------
        NotFittedError, ValueError
            As `predict`.
        """
        batches = self._neighbors(X, strata)
        widths = np.diff(self._densities.edges)
        return _join(self._densities.average(rows, w, widths) for rows, w in batches)

    def predict_cdf(
        self, X: ArrayLike, tolerance: ArrayLike, strata: ArrayLike | None = None
    ) -> Floats:
        """Predict the probability that each sample's error stays within a tolerance.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            As in `predict`.
        tolerance : float or array-like of shape (m,)
            Errors, in their unit.
        strata : array-like of shape (n_samples,), optional
            As in `predict`.

        Returns
        -------
        ndarray of shape (n_samples,) for a scalar, else (n_samples, m)
            P(error <= tolerance).

        Raises
        ------
        NotFittedError, ValueError
            As `predict`; and if there is no tolerance, or one is NaN.
        """
        tolerances = np.atleast_1d(np.asarray(tolerance, dtype=np.float64))
        if tolerances.ndim != 1 or not tolerances.size or np.isnan(tolerances).any():
            raise ValueError(f"Expected a tolerance or a 1-D array of them, got {tolerance!r}.")
        cdf = _join(
            np.stack([(w * self._densities.cdf(rows, t)).sum(axis=1) for t in tolerances], axis=1)
            for rows, w in self._neighbors(X, strata)
        )
        return cdf[:, 0] if np.ndim(tolerance) == 0 else cdf

    def predict_quantile(
        self, X: ArrayLike, q: ArrayLike, strata: ArrayLike | None = None
    ) -> Floats:
        """Predict the error that each sample does not exceed with probability `q`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            As in `predict`.
        q : float or array-like of shape (m,)
            Probabilities from 0 to 1.
        strata : array-like of shape (n_samples,), optional
            As in `predict`.

        Returns
        -------
        ndarray of shape (n_samples,) for a scalar, else (n_samples, m)
            Quantiles of the error, in its unit.

        Raises
        ------
        NotFittedError, ValueError
            As `predict`; and if a probability lies outside [0, 1].
        """
        batches = self._distributions(X, strata)
        return _join(distribution.quantile(q) for distribution in batches)

    def predict_interval(
        self, X: ArrayLike, y_pred: ArrayLike, level: float, strata: ArrayLike | None = None
    ) -> Floats:
        """Turn the model's predictions into intervals.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            As in `predict`.
        y_pred : array-like of shape (n_samples,)
            The model's predictions of the target.
        level : float
            Probability, from 0 to 1, that the target lies inside.
        strata : array-like of shape (n_samples,), optional
            As in `predict`.

        Returns
        -------
        ndarray of shape (n_samples, 2)
            Lower and upper ends, the prediction minus and plus the quantile of its
            absolute error.

        Raises
        ------
        NotFittedError, ValueError
            As `predict`; and if `y_pred` has another length or NaN, or the level lies
            outside [0, 1].
        """
        if np.ndim(level) != 0:
            raise ValueError(f"Expected one level from 0 to 1, got {level!r}.")
        half_width = self.predict_quantile(X, level, strata)
        prediction = np.asarray(y_pred, dtype=np.float64)
        if prediction.shape != half_width.shape or np.isnan(prediction).any():
            raise ValueError(
                f"Expected y_pred of shape {half_width.shape} without NaN, "
                f"got shape {prediction.shape}, {np.isnan(prediction).sum()} NaN."
            )
        return np.stack([prediction - half_width, prediction + half_width], axis=1)

    @overload
    def predict_distribution(
        self,
        X: ArrayLike,
        strata: ArrayLike | None = None,
        *,
        return_ood_score: Literal[False] = False,
    ) -> ErrorDistribution: ...
    @overload
    def predict_distribution(
        self, X: ArrayLike, strata: ArrayLike | None = None, *, return_ood_score: Literal[True]
    ) -> tuple[ErrorDistribution, Floats]: ...
    def predict_distribution(
        self, X: ArrayLike, strata: ArrayLike | None = None, *, return_ood_score: bool = False
    ) -> ErrorDistribution | tuple[ErrorDistribution, Floats]:
        """Predict the whole distribution of each sample's error.

        Parameters
        ----------
        X, strata
            As in `predict`.
        return_ood_score : bool, default=False
            Whether to give `ood_score` as well, from the same search.

        Returns
        -------
        distribution : ErrorDistribution
            One distribution a sample.
        ood_score : ndarray of shape (n_samples,)
            As `ood_score` gives it, if asked for.

        Raises
        ------
        NotFittedError, ValueError
            As `predict`; and as `ood_score`, if that is asked for.
        """
        batches = self._search(X, strata)
        weigh = self._weigh()
        own = self._training_distances() if return_ood_score else None
        probabilities, scores = [], []
        for distances, rows in batches:
            probabilities.append(self._densities.average(rows, weigh(distances)))
            if own is not None:
                scores.append(_ood_score(distances, own[rows]))
        distribution = ErrorDistribution(_join(probabilities), self._densities.edges)
        return distribution if own is None else (distribution, _join(scores))

    def kneighbors(
        self, X: ArrayLike, n_neighbors: int | None = None, strata: ArrayLike | None = None
    ) -> tuple[Floats, NDArray[np.intp]]:
        """Find the nearest training samples.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            As in `predict`.
        n_neighbors : int, optional
            How many; by default as many as the estimator was fitted with.
        strata : array-like of shape (n_samples,), optional
            As in `predict`.

        Returns
        -------
        distances : ndarray of shape (n_samples, n_neighbors)
            Euclidean distances in the scaled latent space, ascending.
        indices : ndarray of shape (n_samples, n_neighbors)
            Rows of the training set.

        Raises
        ------
        NotFittedError, ValueError
            As `predict`; and if there are fewer training samples than neighbours asked for.
        """
        distances, indices = zip(*self._search(X, strata, n_neighbors), strict=True)
        return _join(distances), _join(indices)

    def ood_score(self, X: ArrayLike, strata: ArrayLike | None = None) -> Floats:
        """Measure how far each sample lies from the training domain.

        The mean distance to the nearest training samples, over the mean distance of
        those to their own nearest: about 1 inside the domain. The training samples' own
        distances are searched when first needed, and kept.

        Parameters
        ----------
        X, strata
            As in `predict`.

        Returns
        -------
        ndarray of shape (n_samples,)
            Ratios of distances. Where all neighbours are duplicates of each other the
            score is 1 for another duplicate, and infinite for anything else.

        Raises
        ------
        NotFittedError, ValueError
            As `predict`; and if there are no more training samples than neighbours.
        """
        batches = self._search(X, strata)
        own = self._training_distances()
        return _join(_ood_score(distances, own[rows]) for distances, rows in batches)

    def _search(
        self, X: ArrayLike, strata: ArrayLike | None, n_neighbors: int | None = None
    ) -> Iterator[Neighbors]:
        """Check the queries, then search them in batches of bounded memory."""
        check_is_fitted(self)
        latents = self._check_latents(X)
        classes = check_strata(strata, len(latents))
        k = self.n_neighbors if n_neighbors is None else n_neighbors
        if not isinstance(k, int | np.integer) or k < 1:
            raise ValueError(f"Expected n_neighbors >= 1, got {k!r}.")
        size = max(1, _BATCH_VALUES // (k * (latents.shape[1] + 8) + self._densities.n_bins))

        def batch(start: int) -> Neighbors:
            part = slice(start, start + size)
            with n_threads(self.n_jobs):
                return self._index.search(
                    latents[part], k, None if classes is None else classes[part]
                )

        return map(batch, range(0, len(latents), size))

    def _check_latents(self, X: ArrayLike) -> NDArray[np.float32]:
        """Check the queries. Those of a step in a simulation are what they should be."""
        if (
            type(X) is np.ndarray
            and X.dtype == np.float32
            and X.flags.c_contiguous
            and X.ndim == 2
            and X.shape[1] == self._index.n_features
            and len(X)
            and not hasattr(self, "feature_names_in_")
            and np.isfinite(X).all()
        ):
            return X
        # Takes what else can be turned into latents, and says what is wrong.
        checked: NDArray[np.float32] = validate_data(
            self, X, reset=False, dtype=np.float32, order="C"
        )
        return checked

    def _neighbors(
        self, X: ArrayLike, strata: ArrayLike | None
    ) -> Iterator[tuple[NDArray[np.intp], Floats]]:
        """Find the neighbours of each batch, and their weights."""
        batches = self._search(X, strata)
        weigh = self._weigh()
        return ((rows, weigh(distances)) for distances, rows in batches)

    def _weigh(self) -> Callable[[Floats], Floats]:
        if self.weights not in _WEIGHTS:
            raise ValueError(f"Expected weights 'uniform' or 'distance', got {self.weights!r}.")
        return _WEIGHTS[self.weights]

    def _distributions(self, X: ArrayLike, strata: ArrayLike | None) -> Iterator[ErrorDistribution]:
        """Predict the distributions of each batch."""
        batches = self._neighbors(X, strata)
        return (
            ErrorDistribution(self._densities.average(rows, w), self._densities.edges)
            for rows, w in batches
        )

    def _training_distances(self) -> Floats:
        """Mean distance of each training sample to its own neighbours, searched once."""
        if self._own_distances[0] != self.n_neighbors:
            with n_threads(self.n_jobs):
                distances = self._index.mean_distances(self.n_neighbors)
            self._own_distances = self.n_neighbors, distances
        return self._own_distances[1]


def _join(batches: Iterable[NDArray[Any]]) -> NDArray[Any]:
    """Put the results of all batches together, without a copy where there is one."""
    parts = list(batches)
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _equal_weights(distances: Floats) -> Floats:
    return np.full_like(distances, 1 / distances.shape[1])


def _inverse_weights(distances: Floats) -> Floats:
    """Inverse distances; where some are zero, those share all the weight."""
    zero = distances == 0
    with np.errstate(divide="ignore"):
        weights = np.where(zero.any(axis=1, keepdims=True), zero, 1 / distances)
    return weights / weights.sum(axis=1, keepdims=True)


_WEIGHTS = {"uniform": _equal_weights, "distance": _inverse_weights}


def _ood_score(distances: Floats, own_distances: Floats) -> Floats:
    """Divide mean distances by those of the neighbours; nothing over nothing is 1."""
    distance, reference = distances.mean(axis=1), own_distances.mean(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(distance == reference, 1.0, distance / reference)
