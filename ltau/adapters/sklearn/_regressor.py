"""A regressor with error bars, around one that learns in stages."""

from __future__ import annotations

from numbers import Integral
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn import config_context
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.model_selection import KFold
from sklearn.utils import Tags, get_tags
from sklearn.utils._param_validation import HasMethods, Interval
from sklearn.utils.validation import check_is_fitted, validate_data

from ltau._inputs.missing import fill_masked
from ltau.adapters.sklearn._cross_fit import Samples, calibration_on_folds, cross_fit
from ltau.adapters.sklearn._latents import latents
from ltau.adapters.sklearn._learners import wrap
from ltau.adapters.sklearn._stages import train
from ltau.distribution import ErrorDistribution
from ltau.estimator import LTAUEstimator

__all__ = ["LTAURegressor"]

Floats = NDArray[np.float64]


class LTAURegressor(RegressorMixin, BaseEstimator):
    """A regressor that says how wrong each of its predictions is likely to be.

    `fit` trains the regressor on all samples, and once more for each of `cv` folds to
    log the errors on the samples of the fold: boosted trees and networks come close to
    the targets that they have seen, and their errors on those say little about new
    samples. `LTAUEstimator` learns from these errors, from the latents of the regressor
    that was trained on all samples, and from the targets, so that a prediction far from
    the targets nearby is trusted less beyond the training domain.

    The estimator is calibrated on the errors of all folds: in each fold, one that learns
    from what the fold's regressor has seen judges the samples that it has not seen.

    Parameters
    ----------
    estimator : regressor, default=None
        The regressor, of a kind that `latents` knows; by default
        `HistGradientBoostingRegressor`. One that learns by passes gets as many as its
        `max_iter`, and wants features and targets of about unit variance.
    ltau : LTAUEstimator, default=None
        What learns from the errors. By default it averages the densities of the 20
        nearest samples, or of all if there are fewer, with equal weights; takes the
        latents as they are; and leaves out the first two thirds of the stages.
    cv : int, default=5
        Number of folds, at least 2. Training takes about `cv` times as long as that of
        the regressor alone, and a prediction no longer than before but for the search
        of neighbours.
    random_state : int or None, default=0
        Seed of the folds, of the order of the samples in passes over them, and of a
        regressor that has no seed of its own; None draws anew each time.

    Attributes
    ----------
    estimator_ : regressor
        The regressor trained on all samples.
    ltau_ : LTAUEstimator
        Predicts errors from ``latents(estimator_, X)``, and ``estimator_.predict(X)`` as
        `y_pred`. Its `reset_calibration` takes the calibration away.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, where `X` had any.

    Notes
    -----
    Errors on the samples that the regressor was trained on would make the intervals far
    too narrow. Those of a single held-out share give the right level, but fewer samples
    to find neighbours among, and so a worse ranking.

    Levels of `predict_interval` are conformal scores of all training samples, each by the
    estimator of the fold that holds it out. They are close to exchangeable with those of
    new samples, but not quite: the regressor of a fold was trained on fewer samples, and
    the estimator learns from errors of the other folds' regressors.

    Samples of one group, such as repeated measurements, are put into different folds;
    the errors then look smaller than they are on a new group.

    References
    ----------
    Vita, Samanta, Zhou and Lordi, "LTAU-FF: Loss Trajectory Analysis for Uncertainty in
    atomistic Force Fields", *Mach. Learn.: Sci. Technol.* 2025,
    doi:10.1088/2632-2153/adb4b9, arXiv:2402.00853. Errors of held-out folds are not part
    of it.

    Examples
    --------
    >>> import numpy as np
    >>> from ltau.adapters.sklearn import LTAURegressor
    >>> rng = np.random.default_rng(0)
    >>> X = rng.uniform(-1, 1, size=(1000, 2))
    >>> y = X[:, 0] + np.exp(X[:, 1]) * rng.normal(size=1000)    # noise grows along X[:, 1]
    >>> model = LTAURegressor(random_state=0).fit(X, y)
    >>> prediction, std = model.predict([[0.5, -0.9], [0.5, 0.9]], return_std=True)
    >>> bool(std[1] > 2 * std[0])
    True
    >>> model.predict_interval([[0.5, -0.9], [0.5, 0.9]], level=0.9).shape
    (2, 2)
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "estimator": [HasMethods(["fit", "predict"]), None],
        "ltau": [LTAUEstimator, None],
        "cv": [Interval(Integral, 2, None, closed="left")],
        "random_state": [Interval(Integral, 0, 2**32 - 1, closed="both"), None],
    }

    def __init__(
        self,
        estimator: Any = None,
        *,
        ltau: LTAUEstimator | None = None,
        cv: int = 5,
        random_state: int | None = 0,
    ) -> None:
        self.estimator = estimator
        self.ltau = ltau
        self.cv = cv
        self.random_state = random_state

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = get_tags(self._new_estimator()).input_tags.allow_nan
        return tags

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Train the regressor, and learn from its errors on held-out samples.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training samples. NaN is allowed where the regressor allows it.
        y : array-like of shape (n_samples,)
            Targets.

        Returns
        -------
        LTAURegressor
            The fitted regressor.

        Raises
        ------
        TypeError
            If the regressor does not learn in stages.
        ValueError
            If the data or a parameter are not as described, or there are fewer samples
            than folds.
        """
        self._validate_params()
        wrap(self._new_estimator())  # refuse what has no stages before anything is trained
        features, targets = self._validate(X, y, y_numeric=True, ensure_min_samples=2)
        targets = targets.astype(np.float64)
        self.estimator_ = self._new_estimator()
        train(self.estimator_, features, targets, self.random_state)
        samples = Samples(features, targets)
        splits = KFold(self.cv, shuffle=True, random_state=self.random_state).split(features)
        folds, errors = cross_fit(self._new_estimator, samples, splits, self.random_state)
        ltau = self._new_ltau(len(targets))
        ltau.fit(latents(self.estimator_, features), errors, targets=targets)
        ltau.calibration_ = calibration_on_folds(ltau, folds, samples, errors)
        self.ltau_ = ltau
        return self

    def predict(
        self, X: ArrayLike, return_std: bool = False
    ) -> NDArray[Any] | tuple[NDArray[Any], Floats]:
        """Predict the target.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Samples.
        return_std : bool, default=False
            Whether to return the standard deviation of the error too.

        Returns
        -------
        y_pred : ndarray of shape (n_samples,)
            Predictions of the regressor.
        y_std : ndarray of shape (n_samples,)
            Root of the expected squared error, in the unit of the target; only with
            `return_std`. It is what a Gaussian of the same spread around the prediction
            needs. The error itself need not be Gaussian: see `predict_error`.
        """
        features = self._check(X)
        prediction = self.estimator_.predict(features)
        if not return_std:
            return prediction
        error = self._error(features, prediction)
        return prediction, np.hypot(error.mean(), error.std())

    def predict_interval(self, X: ArrayLike, level: float = 0.9) -> Floats:
        """Predict an interval for the target.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Samples.
        level : float, default=0.9
            Probability, from 0 to 1, that the target lies inside.

        Returns
        -------
        ndarray of shape (n_samples, 2)
            Lower and upper ends: the prediction minus and plus the quantile of its
            absolute error.
        """
        features = self._check(X)
        return self.ltau_.predict_interval(
            latents(self.estimator_, features), self.estimator_.predict(features), level
        )

    def predict_error(self, X: ArrayLike) -> ErrorDistribution:
        """Predict the whole distribution of the absolute error of each prediction.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        ErrorDistribution
            One distribution a sample, in the unit of the target: its ``mean()`` is the
            expected error, its ``cdf(tolerance)`` the probability to stay within one.
        """
        features = self._check(X)
        return self._error(features, self.estimator_.predict(features))

    def score(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Score the predictions of the target. The error bars have no part in it.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Samples.
        y : array-like of shape (n_samples,)
            Their targets.
        sample_weight : array-like of shape (n_samples,), optional
            Weights of the samples.

        Returns
        -------
        float
            Coefficient of determination R², at most 1.
        """
        return super().score(X, y, sample_weight)

    def _error(self, features: NDArray[Any], prediction: NDArray[Any]) -> ErrorDistribution:
        """Predict the error of predictions that are made already."""
        return self.ltau_.predict_distribution(
            latents(self.estimator_, features), y_pred=prediction
        )

    def _new_estimator(self) -> Any:
        """Make an untrained regressor, and seed it unless it has a seed of its own."""
        given = self.estimator is not None
        estimator = clone(self.estimator) if given else HistGradientBoostingRegressor()
        unseeded = estimator.get_params().get("random_state", 0) is None
        if unseeded and self.random_state is not None:
            estimator.set_params(random_state=self.random_state)
        return estimator

    def _new_ltau(self, n_samples: int) -> LTAUEstimator:
        if self.ltau is None:
            return LTAUEstimator(n_neighbors=min(20, n_samples), burn_in=2 / 3, scaling="none")
        return clone(self.ltau)

    def _check(self, X: ArrayLike) -> NDArray[Any]:
        check_is_fitted(self)
        return self._validate(X, reset=False)

    def _validate(self, *arrays: ArrayLike, **options: Any) -> Any:
        """Check features, and targets if there are any, and make numpy's arrays of them."""
        _refuse_categories(arrays[0])
        allow_nan = get_tags(self).input_tags.allow_nan
        with config_context(array_api_dispatch=False):  # a tensor would stay one
            return validate_data(
                self,
                *map(fill_masked, arrays),
                ensure_all_finite="allow-nan" if allow_nan else True,
                **options,
            )


def _refuse_categories(X: Any) -> None:
    """Refuse columns of categories, of which an array has but the codes, or text."""
    dtypes = getattr(X, "dtypes", {})
    columns = dtypes.items() if hasattr(dtypes, "items") else ()  # of a frame of pandas
    names = [str(name) for name, dtype in columns if dtype == "category"]
    if names:
        raise ValueError(
            f"Expected columns of numbers, got categories in {', '.join(names)}: the regressor is "
            "trained on an array, which has none. Give their codes, and tell the regressor by "
            "their positions which columns they are."
        )
