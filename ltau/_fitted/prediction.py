"""What a fitted estimator predicts from the neighbours of each sample."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted, validate_data

from ltau._errors.checks import check_groups, check_strata
from ltau._fitted.conformal import bound
from ltau._fitted.densities import TrainingDensities
from ltau._fitted.domain import DomainMixin, local_ratio, stretch
from ltau.distribution import ErrorDistribution
from ltau.neighbors import LatentIndex, Neighbors, n_threads

if TYPE_CHECKING:
    from ltau._fitted.calibration import Calibration

__all__ = ["ErrorSummary", "PredictionMixin", "quantile_levels"]

Floats = NDArray[np.float64]

_BATCH_VALUES = 1 << 23  # in the largest temporary of a prediction, whatever the number of rows


class ErrorSummary(NamedTuple):
    """What is predicted of each sample, in three numbers.

    Parameters
    ----------
    expected_error : ndarray of shape (n_samples,)
        Expected errors, in the unit of the error.
    error_bar : ndarray of shape (n_samples,)
        Errors that are not exceeded with the probability asked for.
    ood_score : ndarray of shape (n_samples,)
        Distances from the training domain, about 1 inside.

    Examples
    --------
    >>> import numpy as np
    >>> from ltau import LTAUEstimator
    >>> rng = np.random.default_rng(0)
    >>> estimator = LTAUEstimator().fit(rng.normal(size=(200, 2)), rng.random((200, 50)))
    >>> summary = estimator.predict_summary([[0.0, 0.0], [9.0, 9.0]], level=0.9)
    >>> summary.error_bar.round(1)
    array([0.9, 3.8])
    >>> summary.ood_score > 2
    array([False,  True])
    """

    expected_error: Floats
    error_bar: Floats
    ood_score: Floats


class _Batch(NamedTuple):
    """The neighbours of some samples, and what is made of them."""

    rows: NDArray[np.intp]  # (n, k), of the training set or of the prototypes
    weights: Floats  # (n, k)
    factor: Floats | None  # (n,), by which errors are stretched, if they are
    ood_score: Floats | None  # (n,), if it was needed


class PredictionMixin(DomainMixin):
    """Predictions from an index of the training latents and the training densities."""

    n_neighbors: int
    weights: str
    distance_scaling: float
    n_jobs: int | None
    calibration_: Calibration | None
    _index: LatentIndex
    _densities: TrainingDensities

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
        return _join(_times((w * means[rows]).sum(axis=1), f) for rows, w, f, _ in batches)

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
        batches = self._neighbors(X, strata)
        widths = np.diff(self._densities.edges)
        return _join(
            self._densities.average(rows, w, widths)
            if f is None
            else _rebinned(self._densities, rows, w, f) / widths
            for rows, w, f, _ in batches
        )

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
            np.stack([_cdf(self._densities, batch, t) for t in tolerances], axis=1)
            for batch in self._neighbors(X, strata)
        )
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
        batches = self._distributions(X, strata)
        levels = quantile_levels(self.calibration_, q, len(X), groups)  # type: ignore[arg-type]
        quantiles, start = [], 0
        for distribution, _ in batches:
            quantiles.append(bound(distribution, _rows(levels, start, len(distribution))))
            start += len(distribution)
        quantile = _join(quantiles)
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
        if np.ndim(level) != 0:
            raise ValueError(f"Expected one level from 0 to 1, got {level!r}.")
        half_width = self.predict_quantile(X, level, strata, groups=groups)
        prediction = np.asarray(y_pred, dtype=np.float64)
        if prediction.shape != half_width.shape or np.isnan(prediction).any():
            raise ValueError(
                f"Expected y_pred of shape {half_width.shape} without NaN, "
                f"got shape {prediction.shape}, {np.isnan(prediction).sum()} NaN."
            )
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
        if np.ndim(level) != 0:
            raise ValueError(f"Expected one level from 0 to 1, got {level!r}.")
        batches = self._distributions(X, strata, ood_score=True)
        levels = quantile_levels(self.calibration_, level, len(X), groups)  # type: ignore[arg-type]
        parts, start = [], 0
        for distribution, score in batches:
            bar = bound(distribution, _rows(levels, start, len(distribution)))[:, 0]
            parts.append((distribution.mean(), bar, score))
            start += len(distribution)
        return ErrorSummary(*map(_join, zip(*parts, strict=True)))

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
        cdfs, factors, scores = zip(*self._averages(X, strata, return_ood_score), strict=True)
        factor = None if factors[0] is None else _join(factors)
        distribution = ErrorDistribution._from_cdf(_join(cdfs), self._densities.edges, factor)
        return (distribution, _join(scores)) if return_ood_score else distribution

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
            Euclidean distances in the scaled latent space, ascending.
        indices : ndarray of shape (n_samples, n_neighbors)
            Rows of the training set; with ``n_prototypes``, numbers of prototypes.

        Raises
        ------
        NotFittedError, ValueError
            As `predict`; and if there are fewer training samples than neighbours asked for.
        """
        distances, indices = zip(*self._search(X, strata, n_neighbors), strict=True)
        return _join(distances), _join(indices)

    def _search(
        self, X: ArrayLike, strata: ArrayLike | None, n_neighbors: int | None = None
    ) -> Iterator[Neighbors]:
        """Check the queries, then search them in batches of bounded memory."""
        if not hasattr(self, "_index"):  # asking scikit-learn takes longer than a small search
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
        self, X: ArrayLike, strata: ArrayLike | None, ood_score: bool = False
    ) -> Iterator[_Batch]:
        """Find the neighbours of each batch, their weights, and how errors are stretched."""
        batches = self._search(X, strata)
        if self.weights not in _WEIGHTS:
            raise ValueError(f"Expected weights 'uniform' or 'distance', got {self.weights!r}.")
        weigh = _WEIGHTS[self.weights]
        scale, exponent = self._stretch()
        own = self._training_distances() if exponent or ood_score else None

        def batch(distances: Floats, rows: NDArray[np.intp]) -> _Batch:
            score = None if own is None else local_ratio(distances, own[rows])
            factor = None
            if exponent and score is not None:
                factor = stretch(scale, exponent, score)
            elif scale != 1:
                factor = np.full(len(rows), scale)
            return _Batch(rows, weigh(distances), factor, score)

        return (batch(*found) for found in batches)

    def _stretch(self) -> tuple[float, float]:
        """Scale of all errors, and exponent of the `ood_score`."""
        if self.calibration_ is not None:
            return self.calibration_.scale, self.calibration_.exponent
        return 1.0, float(self.distance_scaling)

    def _averages(
        self, X: ArrayLike, strata: ArrayLike | None, ood_score: bool = False
    ) -> Iterator[tuple[Floats, Floats | None, Any]]:
        """Average the neighbours' cumulative distributions, batch by batch."""
        return (
            (self._densities.average_cdf(batch.rows, batch.weights), batch.factor, batch.ood_score)
            for batch in self._neighbors(X, strata, ood_score)
        )

    def _distributions(
        self, X: ArrayLike, strata: ArrayLike | None, ood_score: bool = False
    ) -> Iterator[tuple[ErrorDistribution, Any]]:
        """Predict the distributions of each batch, and its scores where they are needed."""
        return (
            (ErrorDistribution._from_cdf(cdf, self._densities.edges, factor), score)
            for cdf, factor, score in self._averages(X, strata, ood_score)
        )

    def _error_bars(self, distribution: ErrorDistribution, level: float) -> Floats:
        """Find the bounds of predicted distributions, as `predict_quantile` gives them."""
        levels = quantile_levels(self.calibration_, level, len(distribution), None)
        return bound(distribution, levels)[:, 0]


def quantile_levels(
    calibration: Calibration | None, q: ArrayLike, n_samples: int, groups: ArrayLike | None
) -> Floats:
    """Levels of the predicted quantiles, shape (n_samples, m), or (1, m) common to all."""
    asked = np.atleast_1d(np.asarray(q, dtype=np.float64))
    if asked.ndim != 1 or not ((asked >= 0) & (asked <= 1)).all():
        raise ValueError(f"Expected probabilities from 0 to 1, got {q!r}.")
    grouped = calibration is not None and calibration.grouped
    if grouped != (groups is not None):
        how = "with" if grouped else "without"
        raise ValueError(f"The estimator was calibrated {how} groups: predict likewise.")
    if calibration is None or not calibration.scores:
        return asked[None, :]
    labels = check_groups(groups, n_samples)
    return np.stack([calibration.levels(level, labels) for level in asked.tolist()], axis=1)


def _join(batches: Iterable[NDArray[Any]]) -> NDArray[Any]:
    """Put the results of all batches together, without a copy where there is one."""
    parts = list(batches)
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _rows(levels: Floats, start: int, n: int) -> Floats:
    """Take the levels of a batch, which may be common to all."""
    return levels[start : start + n] if len(levels) > 1 else levels


def _times(errors: Floats, factor: Floats | None) -> Floats:
    return errors if factor is None else errors * factor


def _cdf(densities: TrainingDensities, batch: _Batch, tolerance: float) -> Floats:
    """Average P(error <= tolerance) over the neighbours."""
    limit = tolerance if batch.factor is None else (tolerance / batch.factor)[:, None]
    cdf: Floats = (batch.weights * densities.cdf(batch.rows, limit)).sum(axis=1)
    return cdf


def _rebinned(
    densities: TrainingDensities, rows: NDArray[np.intp], weights: Floats, factor: Floats
) -> Floats:
    """Probability of each bin after stretching; the last one has all that lies above."""
    stretched = ErrorDistribution._from_cdf(
        densities.average_cdf(rows, weights), densities.edges, factor
    )
    cdf = stretched.cdf(densities.edges)
    cdf[:, -1] = 1.0
    return np.diff(cdf)


def _equal_weights(distances: Floats) -> Floats:
    return np.full_like(distances, 1 / distances.shape[1])


def _inverse_weights(distances: Floats) -> Floats:
    """Inverse distances; where some are zero, those share all the weight."""
    zero = distances == 0
    with np.errstate(divide="ignore"):
        weights = np.where(zero.any(axis=1, keepdims=True), zero, 1 / distances)
    return weights / weights.sum(axis=1, keepdims=True)


_WEIGHTS = {"uniform": _equal_weights, "distance": _inverse_weights}
