"""What an estimator predicts of new samples: their errors."""

from __future__ import annotations

from abc import abstractmethod
from typing import Literal, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ltau._fitted.predictor import Predictor
from ltau._fitted.summary import ErrorSummary
from ltau.distribution import ErrorDistribution
from ltau.estimator._checks import check_level, check_scalar_predictions, check_tolerance
from ltau.estimator._distances import Distances

__all__ = ["Predictions"]

Floats = NDArray[np.float64]


class Predictions(Distances):
    """The errors that a fitted estimator predicts: each method asks its predictor."""

    @abstractmethod
    def _error_predictor(
        self, X: ArrayLike, strata: ArrayLike | None, y_pred: ArrayLike | None
    ) -> Predictor:
        """Check the queries, with their predictions, and make what predicts their errors."""

    @abstractmethod
    def _knows_targets(self) -> bool:
        """Whether there were targets at fit."""

    def predict(
        self,
        X: ArrayLike,
        strata: ArrayLike | None = None,
        *,
        y_pred: ArrayLike | None = None,
    ) -> Floats:
        """Predict the expected error of each sample.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Latents from the model that the estimator was fitted on.
        strata : array-like of shape (n_samples,), optional
            Class of each sample, if the estimator was fitted with classes.
        y_pred : array-like of shape (n_samples,) or (n_samples, n_outputs), optional
            The model's predictions, in the unit of the errors, if the estimator was fitted
            with targets.

        Returns
        -------
        ndarray of shape (n_samples,)
            Expected errors, in the unit of the error.

        Raises
        ------
        NotFittedError
            If `fit` was not called.
        ValueError
            If latents have another width, hold NaN or are too large to measure; strata are
            missing or unknown; or predictions are missing, not asked for, of another
            shape, NaN or infinite.
        """
        return self._error_predictor(X, strata, y_pred).expected()

    def predict_pdf(
        self,
        X: ArrayLike,
        strata: ArrayLike | None = None,
        *,
        y_pred: ArrayLike | None = None,
    ) -> Floats:
        """Predict the density of each sample's error over `bin_edges_`.

        Parameters
        ----------
        X, strata, y_pred
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
        return self._error_predictor(X, strata, y_pred).pdf()

    def predict_cdf(
        self,
        X: ArrayLike,
        tolerance: ArrayLike,
        strata: ArrayLike | None = None,
        *,
        y_pred: ArrayLike | None = None,
    ) -> Floats:
        """Predict the probability that each sample's error stays within a tolerance.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            As in `predict`.
        tolerance : float or array-like of shape (m,)
            Errors, in their unit.
        strata, y_pred
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
        cdf = self._error_predictor(X, strata, y_pred).cdf(tolerances)
        return cdf[:, 0] if np.ndim(tolerance) == 0 else cdf

    def predict_quantile(
        self,
        X: ArrayLike,
        q: ArrayLike,
        strata: ArrayLike | None = None,
        *,
        groups: ArrayLike | None = None,
        y_pred: ArrayLike | None = None,
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
        y_pred : array-like of shape (n_samples,) or (n_samples, n_outputs), optional
            As in `predict`.

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
        quantile = self._error_predictor(X, strata, y_pred).quantile(q, groups)
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
            As `predict_quantile`; and if `y_pred` has another length, is NaN or infinite, or
            the level lies outside [0, 1].
        """
        compared = y_pred if self._knows_targets() else None
        half_width = self.predict_quantile(
            X, check_level(level), strata, groups=groups, y_pred=compared
        )
        prediction = check_scalar_predictions(y_pred, len(half_width))  # or several outputs
        return np.stack([prediction - half_width, prediction + half_width], axis=1)

    def predict_summary(
        self,
        X: ArrayLike,
        level: float = 0.9,
        strata: ArrayLike | None = None,
        *,
        groups: ArrayLike | None = None,
        y_pred: ArrayLike | None = None,
    ) -> ErrorSummary:
        """Predict the expected error, an error bar and the `ood_score`, by one search.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            As in `predict`.
        level : float, default=0.9
            Probability, from 0 to 1, that the error stays within the error bar.
        strata, groups, y_pred
            As in `predict_quantile`.

        Returns
        -------
        ErrorSummary
            What `predict`, `predict_quantile` and `ood_score` give; of a frame of pandas, with
            its index.

        Raises
        ------
        NotFittedError, ValueError
            As these.
        """
        summary = self._error_predictor(X, strata, y_pred).summary(check_level(level), groups)
        return summary.with_index_of(X)

    @overload
    def predict_distribution(
        self,
        X: ArrayLike,
        strata: ArrayLike | None = None,
        *,
        y_pred: ArrayLike | None = None,
        return_ood_score: Literal[False] = False,
    ) -> ErrorDistribution: ...
    @overload
    def predict_distribution(
        self,
        X: ArrayLike,
        strata: ArrayLike | None = None,
        *,
        y_pred: ArrayLike | None = None,
        return_ood_score: Literal[True],
    ) -> tuple[ErrorDistribution, Floats]: ...
    def predict_distribution(
        self,
        X: ArrayLike,
        strata: ArrayLike | None = None,
        *,
        y_pred: ArrayLike | None = None,
        return_ood_score: bool = False,
    ) -> ErrorDistribution | tuple[ErrorDistribution, Floats]:
        """Predict the whole distribution of each sample's error.

        Parameters
        ----------
        X, strata, y_pred
            As in `predict`.
        return_ood_score : bool, default=False
            Whether to give `ood_score` as well, from the same search.

        Returns
        -------
        distribution : ErrorDistribution
            One distribution per sample.
        ood_score : ndarray of shape (n_samples,)
            As `ood_score` gives it, if asked for.

        Raises
        ------
        NotFittedError, ValueError
            As `predict`; and as `ood_score`, if that is asked for.
        """
        predictor = self._error_predictor(X, strata, y_pred)
        distribution, score = predictor.scored_distribution(ood_score=return_ood_score)
        return distribution if score is None else (distribution, score)
