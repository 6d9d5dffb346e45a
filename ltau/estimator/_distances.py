"""How far new samples lie from the training samples."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ltau._fitted.predictor import Predictor
from ltau.estimator._parameters import Parameters

__all__ = ["Distances"]

Floats = NDArray[np.float64]


class Distances(Parameters):
    """Neighbours of new samples, and whether they lie outside the training domain."""

    @abstractmethod
    def _predictor(
        self, X: ArrayLike, strata: ArrayLike | None, n_neighbors: int | None = None
    ) -> Predictor:
        """Check the queries, and make what tells how near their neighbours are."""

    @abstractmethod
    def _training_scores(self) -> NDArray[np.floating]:
        """Scores of the training samples, or of some of them, each without itself."""

    def kneighbors(
        self, X: ArrayLike, n_neighbors: int | None = None, strata: ArrayLike | None = None
    ) -> tuple[Floats, NDArray[np.intp]]:
        """Find the nearest training samples, or prototypes of them.

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
            Euclidean distances in the scaled latent space, ascending; in the unit of the
            latents if these are not scaled.
        indices : ndarray of shape (n_samples, n_neighbors)
            Rows of the training set; with ``n_prototypes``, numbers of prototypes.

        Raises
        ------
        NotFittedError, ValueError
            As `predict`; and if there are fewer training samples than neighbours asked for.
        """
        return self._predictor(X, strata, n_neighbors).nearest()

    def ood_score(self, X: ArrayLike, strata: ArrayLike | None = None) -> Floats:
        """Measure how far each sample lies from the training domain.

        The mean distance to the nearest training samples, over the mean distance of
        those to their own nearest: about 1 inside the domain. The training samples' own
        distances are searched when first needed, and kept. With prototypes these take the
        place of the training samples, and the distance of a prototype's own is the mean
        over its members.

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
            As `predict`; if there is a single training sample, in all or in a stratum; and
            if there are prototypes, and `n_neighbors` was changed since `fit`.
        """
        return self._predictor(X, strata).ood_score()

    def predict_ood(
        self,
        X: ArrayLike,
        strata: ArrayLike | None = None,
        *,
        false_positive_rate: float = 0.05,
    ) -> NDArray[np.bool_]:
        """Say which samples lie outside the training domain.

        Those whose `ood_score` is above the threshold that a share of
        `false_positive_rate` of the training samples pass, each with itself left out of
        its neighbours.

        Parameters
        ----------
        X, strata
            As in `predict`.
        false_positive_rate : float, default=0.05
            Share of samples like the training samples that may be called outside, between 0
            and 1.

        Returns
        -------
        ndarray of shape (n_samples,), bool
            Whether each sample lies outside.

        Raises
        ------
        NotFittedError, ValueError
            As `ood_score`; and if the rate lies outside (0, 1).
        """
        scores = self.ood_score(X, strata)
        return scores > self.ood_threshold(false_positive_rate)

    def ood_threshold(self, false_positive_rate: float = 0.05) -> float:
        """Find the `ood_score` that a share of the training samples pass.

        Parameters
        ----------
        false_positive_rate : float, default=0.05
            The share, between 0 and 1.

        Returns
        -------
        float
            The threshold: a quantile of the scores of the training samples, of 20,000
            of them where there are more.

        Raises
        ------
        NotFittedError
            If `fit` was not called.
        ValueError
            If the rate lies outside (0, 1); there is a single training sample, in all or in
            a stratum; or there are prototypes, and `n_neighbors` was changed since `fit`.
        """
        if not 0 < false_positive_rate < 1:
            raise ValueError(
                f"Expected a false_positive_rate between 0 and 1, got {false_positive_rate!r}."
            )
        scores = self._training_scores()
        return float(np.quantile(scores, 1 - false_positive_rate, method="higher"))
