"""What an estimator predicts of new samples."""

from __future__ import annotations

from abc import abstractmethod
from typing import Literal, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ltau._fitted.predictor import ErrorSummary, Predictor
from ltau.distribution import ErrorDistribution
from ltau.estimator._checks import check_level, check_predictions, check_tolerance
from ltau.estimator._parameters import Parameters

__all__ = ["Predictions"]

Floats = NDArray[np.float64]


class Predictions(Parameters):
    """The predictions of a fitted estimator: each asks its predictor."""

    @abstractmethod
    def _predictor(
        self, X: ArrayLike, strata: ArrayLike | None, n_neighbors: int | None = None
    ) -> Predictor:
        """Check the queries, and make what predicts of their neighbours."""

    @abstractmethod
    def _training_scores(self) -> NDArray[np.floating]:
        """Scores of the training samples, or of some of them, each without itself."""

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
        return self._predictor(X, strata).expected()

    def predict_pdf(self, X: ArrayLike, strata: ArrayLike | None = None) -> Floats:
        """Predict the density of each sample's error over `bin_edges_`.

        Parameters
        ----------
        X, strata
            As in `predict`.

        Returns
        -------
        ndarray of shape (n_samples, n_bins)
            Densities per unit of error: with the widths of the bins they sum to 1. What
            `distance_scaling` or a calibration stretches beyond the last edge is in the
            last bin; `predict_distribution` has it where it is.

        Raises
        ------
        NotFittedError, ValueError
            As `predict`.
        """
        return self._predictor(X, strata).pdf()

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
        tolerances = check_tolerance(tolerance)
        cdf = self._predictor(X, strata).cdf(tolerances)
        return cdf[:, 0] if np.ndim(tolerance) == 0 else cdf

    def predict_quantile(
        self,
        X: ArrayLike,
        q: ArrayLike,
        strata: ArrayLike | None = None,
        *,
        groups: ArrayLike | None = None,
    ) -> Floats:
        """Predict the error that each sample does not exceed with probability `q`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            As in `predict`.
        q : float or array-like of shape (m,)
            Probabilities from 0 to 1. After `calibrate` they are those that held on the
            calibration samples, and the error may be infinite where these are too few.
        strata : array-like of shape (n_samples,), optional
            As in `predict`.
        groups : array-like of shape (n_samples,), optional
            Group of each sample, if the estimator was calibrated with groups.

        Returns
        -------
        ndarray of shape (n_samples,) for a scalar, else (n_samples, m)
            Quantiles of the error, in its unit.

        Raises
        ------
        NotFittedError, ValueError
            As `predict`; if a probability lies outside [0, 1]; and if groups are missing
            or unknown.
        """
        quantile = self._predictor(X, strata).quantile(q, groups)
        return quantile[:, 0] if np.ndim(q) == 0 else quantile

    def predict_interval(
        self,
        X: ArrayLike,
        y_pred: ArrayLike,
        level: float,
        strata: ArrayLike | None = None,
        *,
        groups: ArrayLike | None = None,
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
        groups : array-like of shape (n_samples,), optional
            As in `predict_quantile`.

        Returns
        -------
        ndarray of shape (n_samples, 2)
            Lower and upper ends, the prediction minus and plus the quantile of its
            absolute error.

        Raises
        ------
        NotFittedError, ValueError
            As `predict_quantile`; and if `y_pred` has another length or NaN, or the level
            lies outside [0, 1].
        """
        half_width = self.predict_quantile(X, check_level(level), strata, groups=groups)
        prediction = check_predictions(y_pred, len(half_width))
        return np.stack([prediction - half_width, prediction + half_width], axis=1)

    def predict_summary(
        self,
        X: ArrayLike,
        level: float = 0.9,
        strata: ArrayLike | None = None,
        *,
        groups: ArrayLike | None = None,
    ) -> ErrorSummary:
        """Predict the expected error, an error bar and the `ood_score`, by one search.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            As in `predict`.
        level : float, default=0.9
            Probability, from 0 to 1, that the error stays within the error bar.
        strata, groups
            As in `predict_quantile`.

        Returns
        -------
        ErrorSummary
            What `predict`, `predict_quantile` and `ood_score` give.

        Raises
        ------
        NotFittedError, ValueError
            As these.
        """
        return self._predictor(X, strata).summary(check_level(level), groups)

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
        predictor = self._predictor(X, strata)
        distribution, score = predictor.scored_distribution(ood_score=return_ood_score)
        return distribution if score is None else (distribution, score)

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
        """Tell which samples lie outside the training domain.

        Those whose `ood_score` is above the threshold that a share of
        `false_positive_rate` of the training samples pass, each with itself left out of
        its neighbours.

        Parameters
        ----------
        X, strata
            As in `predict`.
        false_positive_rate : float, default=0.05
            Share of samples like the training ones that may be called outside, between
            0 and 1.

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
