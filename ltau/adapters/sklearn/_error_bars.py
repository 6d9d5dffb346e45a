"""What a fitted regressor with error bars tells, of each of its outputs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from ltau._fitted.summary import ErrorSummary
from ltau.adapters.sklearn._rows import as_rows
from ltau.adapters.sklearn._space import LatentSpace
from ltau.adapters.sklearn._stages import absolute_errors, check_targets
from ltau.distribution import ErrorDistribution
from ltau.estimator import LTAUEstimator

__all__ = ["ErrorBars"]

Floats = NDArray[np.float64]


class ErrorBars(RegressorMixin, BaseEstimator):
    """Predictions of `LTAURegressor`, which describes its attributes."""

    estimator_: Any
    space_: LatentSpace
    ltau_: LTAUEstimator | list[LTAUEstimator]

    def predict(
        self, X: Any, return_std: bool = False, level: float | None = None
    ) -> NDArray[Any] | tuple[NDArray[Any], ...]:
        """Predict the target, and how far off it may be.

        At the end of a ``Pipeline`` this is the way to error bars:
        ``pipeline.predict(X, level=0.9)``.

        Parameters
        ----------
        X : array-like, frame or sparse matrix of shape (n_samples, n_features)
            Samples.
        return_std : bool, default=False
            Whether to return the standard deviation of the error too.
        level : float, optional
            Probability, from 0 to 1, of an interval to return too.

        Returns
        -------
        y_pred : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Predictions of the regressor.
        y_std : ndarray of the same shape
            Root of the expected squared error, in the unit of the target; only with
            `return_std`. It is what a Gaussian of the same spread around the prediction
            needs. The error itself need not be Gaussian: see `predict_distribution`.
        y_interval : ndarray of shape (n_samples, 2) or (n_samples, n_outputs, 2)
            As `predict_interval` has it; only with `level`.
        """
        X = self._check(X)
        prediction = self.estimator_.predict(X)
        if not return_std and level is None:
            return prediction
        answers, z = [prediction], self.space_.latents(X)
        if return_std:
            answers.append(self._join(map(_root_mean_square, self._errors(z, prediction))))
        if level is not None:
            answers.append(self._intervals(z, prediction, level))
        return tuple(answers)

    def predict_interval(self, X: Any, level: float = 0.9) -> Floats:
        """Predict an interval for the target.

        Parameters
        ----------
        X : array-like, frame or sparse matrix of shape (n_samples, n_features)
            Samples.
        level : float, default=0.9
            Probability, from 0 to 1, that the target lies inside; of several outputs, that
            each does.

        Returns
        -------
        ndarray of shape (n_samples, 2) or (n_samples, n_outputs, 2)
            Lower and upper ends: the prediction minus and plus the quantile of its
            absolute error.
        """
        X = self._check(X)
        return self._intervals(self.space_.latents(X), self.estimator_.predict(X), level)

    def predict_distribution(self, X: Any) -> ErrorDistribution | list[ErrorDistribution]:
        """Predict the whole distribution of the absolute error of each prediction.

        Parameters
        ----------
        X : array-like, frame or sparse matrix of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        ErrorDistribution, or list of them
            One distribution per sample, in the unit of the target: its ``mean()`` is the
            expected error, its ``cdf(tolerance)`` the probability to stay within one. One
            for each output where there are several.
        """
        X = self._check(X)
        errors = self._errors(self.space_.latents(X), self.estimator_.predict(X))
        return list(errors) if isinstance(self.ltau_, list) else next(errors)

    def predict_summary(self, X: Any, level: float = 0.9) -> ErrorSummary | list[ErrorSummary]:
        """Predict the expected error, an error bar and the `ood_score`, by one search.

        Parameters
        ----------
        X : array-like, frame or sparse matrix of shape (n_samples, n_features)
            Samples.
        level : float, default=0.9
            Probability, from 0 to 1, that the error stays within the error bar.

        Returns
        -------
        ErrorSummary, or list of them
            Three numbers per sample, the first two in the unit of the target; its
            ``to_frame()`` keeps the index of a frame. One for each output where there are
            several.
        """
        rows = self._check(X)
        z, columns = self.space_.latents(rows), _columns(self.estimator_.predict(rows)).T
        summaries = [
            ltau.predict_summary(z, level, y_pred=column).with_index_of(X)
            for ltau, column in zip(self._by_output(), columns, strict=True)
        ]
        return summaries if isinstance(self.ltau_, list) else summaries[0]

    def ood_score(self, X: Any) -> Floats:
        """Measure how far each sample lies from the training domain.

        Parameters
        ----------
        X : array-like, frame or sparse matrix of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        ndarray of shape (n_samples,)
            About 1 inside, as `LTAUEstimator.ood_score`.

        Notes
        -----
        A single feature shows less the more features there are: in `LatentSpace` all weigh
        alike, whatever the model makes of them.
        """
        X = self._check(X)
        return self._by_output()[0].ood_score(self.space_.latents(X))

    def predict_ood(self, X: Any, *, false_positive_rate: float = 0.05) -> NDArray[np.bool_]:
        """Say which samples lie outside the training domain.

        Parameters
        ----------
        X : array-like, frame or sparse matrix of shape (n_samples, n_features)
            Samples.
        false_positive_rate : float, default=0.05
            Share of samples like the training samples that may be called outside, between 0
            and 1.

        Returns
        -------
        ndarray of shape (n_samples,), bool
            Whether each sample lies outside.
        """
        z = self.space_.latents(self._check(X))
        return self._by_output()[0].predict_ood(z, false_positive_rate=false_positive_rate)

    def calibrate(self, X: Any, y: ArrayLike) -> Self:
        """Calibrate the error bars again, on samples that were not part of `fit`.

        Takes the place of the calibration on folds: for samples from where the model is to
        be used. Levels then hold for samples that are exchangeable with these.

        Parameters
        ----------
        X : array-like, frame or sparse matrix of shape (n_samples, n_features)
            Samples.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Their targets.

        Returns
        -------
        LTAURegressor
            The regressor.
        """
        z, y_pred, errors = self._observe(X, y)
        for output, ltau in enumerate(self._by_output()):
            ltau.calibrate(z, errors[:, output], y_pred=y_pred[:, output])
        return self

    def score(self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Score the predictions of the target. The error bars have no part in it.

        Parameters
        ----------
        X : array-like, frame or sparse matrix of shape (n_samples, n_features)
            Samples.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Their targets.
        sample_weight : array-like of shape (n_samples,), optional
            Weights of the samples.

        Returns
        -------
        float
            Coefficient of determination R², at most 1.
        """
        return super().score(X, y, sample_weight)

    def score_errors(self, X: Any, y: ArrayLike) -> float:
        """Score the error bars: what a search over parameters of `ltau` should look at.

        ``GridSearchCV(model, {"ltau__n_neighbors": [10, 20]}, scoring=LTAURegressor.score_errors)``

        Parameters
        ----------
        X : array-like, frame or sparse matrix of shape (n_samples, n_features)
            Samples.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Their targets.

        Returns
        -------
        float
            Minus the mean continuous ranked probability score of the absolute errors, in
            the unit of the target, over samples and outputs: higher is better.
        """
        z, y_pred, errors = self._observe(X, y)
        predicted = enumerate(self._errors(z, y_pred))
        crps = [errors_of.crps(errors[:, [output]]).mean() for output, errors_of in predicted]
        return -float(np.mean(crps))

    def _check(self, X: Any) -> Any:
        """Keep samples as they came, once their features are known to be those of `fit`."""
        check_is_fitted(self)
        rows = as_rows(X)
        if getattr(rows, "ndim", 2) < 2 and hasattr(self, "n_features_in_"):
            raise ValueError(
                f"Expected a table of {self.n_features_in_} features, got shape {rows.shape}. "
                "Reshape your data: a single sample is a row, X.reshape(1, -1)."
            )
        validate_data(self, rows, reset=False, skip_check_array=True)
        return rows

    def _by_output(self) -> list[LTAUEstimator]:
        return self.ltau_ if isinstance(self.ltau_, list) else [self.ltau_]

    def _observe(self, X: Any, y: ArrayLike) -> tuple[NDArray[Any], Floats, Floats]:
        """Find latents of samples, and predictions and errors of shape (n_samples, n_outputs)."""
        X, targets = self._check(X), check_targets(y)
        predicted = self.estimator_.predict(X)
        errors = absolute_errors([predicted], targets)[:, :, 0].T
        return self.space_.latents(X), _columns(predicted), errors.astype(np.float64)

    def _errors(self, z: NDArray[Any], y_pred: NDArray[Any]) -> Iterator[ErrorDistribution]:
        """Predict the errors of each output."""
        for ltau, column in zip(self._by_output(), _columns(y_pred).T, strict=True):
            yield ltau.predict_distribution(z, y_pred=column)

    def _intervals(self, z: NDArray[Any], y_pred: NDArray[Any], level: float) -> Floats:
        of_outputs = zip(self._by_output(), _columns(y_pred).T, strict=True)
        return self._join(ltau.predict_interval(z, column, level) for ltau, column in of_outputs)

    def _join(self, answers: Iterable[Floats]) -> Floats:
        """Put the answers for all outputs side by side; a single output has no axis of its own."""
        joined = np.stack(list(answers), axis=1)
        return joined if isinstance(self.ltau_, list) else joined[:, 0]


def _columns(predictions: NDArray[Any]) -> NDArray[Any]:
    return predictions.reshape(len(predictions), -1)


def _root_mean_square(error: ErrorDistribution) -> Floats:
    return np.hypot(error.mean(), error.std())
