"""The errors of a model on each sample after each of the stages in which it learns."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn import config_context
from sklearn.utils.validation import check_array, check_consistent_length, check_is_fitted

from ltau._inputs.missing import fill_masked
from ltau.adapters.sklearn._learners import BoostedTrees, PassLearner, wrap

__all__ = ["error_trajectories", "fit_with_errors", "held_out_errors", "train"]

Errors = NDArray[np.float32]
Targets = NDArray[np.floating]


def error_trajectories(
    model: object, X: ArrayLike, y: ArrayLike, *, max_stages: int = 100
) -> Errors:
    """Compute the errors of a fitted boosted model after each of its stages.

    On the samples that the model was trained on, these are the trajectories of LTAU.
    Boosted trees overfit, so that they come out smaller than errors on new data:
    `LTAURegressor` takes them from models that have not seen the sample.

    Parameters
    ----------
    model : regressor
        A fitted `GradientBoostingRegressor`, `HistGradientBoostingRegressor`,
        `xgboost.XGBRegressor` or `lightgbm.LGBMRegressor`. If it stopped early, its
        stages are those that its predictions use.
    X : array-like of shape (n_samples, n_features)
        The samples, as the model takes them.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Their targets. The error of several outputs is the Euclidean norm.
    max_stages : int, default=100
        Of more stages than that, so many are taken: evenly spaced, the last among them.

    Returns
    -------
    ndarray of shape (n_samples, n_stages), float32
        Absolute errors, in the unit of the target.

    Raises
    ------
    TypeError
        If the model has no stages, or learns by passes: see `fit_with_errors`.
    NotFittedError
        If the model is not fitted.
    ValueError
        If `X` and `y` differ in length, targets have another shape than predictions, or
        `max_stages` is not positive.

    See Also
    --------
    fit_with_errors : For models that learn by passes over the data.

    Examples
    --------
    >>> from sklearn.datasets import make_regression
    >>> from sklearn.ensemble import GradientBoostingRegressor
    >>> from ltau.adapters.sklearn import error_trajectories
    >>> X, y = make_regression(200, n_features=4, random_state=0)
    >>> model = GradientBoostingRegressor(n_estimators=50, random_state=0).fit(X, y)
    >>> errors = error_trajectories(model, X, y)
    >>> errors.shape
    (200, 50)
    >>> bool(errors[:, -1].mean() < 0.2 * errors[:, 0].mean())
    True
    """
    learner = wrap(model)
    if not isinstance(learner, BoostedTrees):
        raise TypeError(
            f"{type(model).__name__} keeps no stages once it is fitted: "
            "train it with fit_with_errors."
        )
    check_is_fitted(model)
    if max_stages < 1:
        raise ValueError(f"Expected max_stages >= 1, got {max_stages}.")
    return _staged_errors(learner, X, _check_targets(X, y), max_stages)


def fit_with_errors(
    model: object,
    X: ArrayLike,
    y: ArrayLike,
    n_epochs: int | None = None,
    *,
    random_state: int | None = None,
) -> Errors:
    """Train a model pass by pass, and compute its errors after each pass.

    The model is trained in place, by ``partial_fit`` on all samples in a new random
    order each time. One that is fitted already goes on from where it is. Stopping early
    is not part of it, and `max_iter` and `tol` of the model are not used.

    Parameters
    ----------
    model : MLPRegressor or SGDRegressor
        The model, as scikit-learn makes it.
    X : array-like of shape (n_samples, n_features)
        The training samples, best of unit variance.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Their targets. The error of several outputs is the Euclidean norm.
    n_epochs : int, default=None
        Number of passes; by default the model's `max_iter`.
    random_state : int or None, default=None
        Seed of the order of the samples.

    Returns
    -------
    ndarray of shape (n_samples, n_epochs), float32
        Absolute errors, in the unit of the target. For ``LTAUEstimator.fit``, with `y` as
        its `targets`.

    Raises
    ------
    TypeError
        If the model does not learn by passes.
    ValueError
        If `X` and `y` differ in length or hold NaN, `n_epochs` is not positive, or the
        model is one that does not learn by passes: with ``solver="lbfgs"``, or stopping
        early.

    See Also
    --------
    error_trajectories : For boosted models, once they are fitted.

    Examples
    --------
    >>> from sklearn.datasets import make_regression
    >>> from sklearn.linear_model import SGDRegressor
    >>> from ltau.adapters.sklearn import fit_with_errors
    >>> X, y = make_regression(200, n_features=4, random_state=0)
    >>> model = SGDRegressor(random_state=0)
    >>> fit_with_errors(model, X, y, n_epochs=20, random_state=0).shape
    (200, 20)
    """
    learner = wrap(model)
    if not isinstance(learner, PassLearner):
        raise TypeError(
            f"{type(model).__name__} does not learn by passes over the data: "
            "fit it, then call error_trajectories."
        )
    epochs = learner.model.max_iter if n_epochs is None else n_epochs
    if epochs < 1:
        raise ValueError(f"Expected n_epochs >= 1, got {epochs}.")
    targets = _check_targets(X, y)
    trained = learner.passes(X, targets, epochs, random_state)
    return _errors((now.predict(X) for now in trained), targets, epochs)


def train(model: Any, X: ArrayLike, y: Targets, random_state: int | None) -> None:
    """Train a model of either kind."""
    learner = wrap(model)
    if isinstance(learner, BoostedTrees):
        model.fit(X, y)
    else:
        deque(learner.passes(X, y, model.max_iter, random_state), maxlen=0)


def held_out_errors(
    model: Any,
    train_on: tuple[ArrayLike, Targets],
    held_out: tuple[ArrayLike, Targets],
    random_state: int | None,
    max_stages: int = 100,
) -> Errors:
    """Train a model of either kind, and compute its errors on other samples by stages."""
    learner = wrap(model)
    X, y = held_out
    if isinstance(learner, BoostedTrees):
        model.fit(*train_on)
        return _staged_errors(learner, X, y, max_stages)
    stages = _evenly_spaced(model.max_iter, max_stages)
    trained = enumerate(learner.passes(*train_on, model.max_iter, random_state), start=1)
    predictions = (now.predict(X) for epoch, now in trained if epoch in stages)
    return _errors(predictions, y, len(stages))


def _staged_errors(learner: BoostedTrees, X: ArrayLike, y: Targets, max_stages: int) -> Errors:
    stages = _evenly_spaced(learner.n_stages(), max_stages)
    return _errors(learner.predictions(X, stages), y, len(stages))


def _evenly_spaced(n_stages: int, at_most: int) -> list[int]:
    """Choose stages, counted from 1; the last is among them."""
    n = min(n_stages, at_most)
    return [stage * n_stages // n for stage in range(1, n + 1)]


def _errors(predictions: Iterable[Targets], y: Targets, n_stages: int) -> Errors:
    """Take the absolute error of each prediction, or its norm over the outputs."""
    errors = np.empty((len(y), n_stages), np.float32)
    for stage, prediction in enumerate(predictions):
        if prediction.size != y.size:
            raise ValueError(
                f"Expected targets of shape {prediction.shape}, as the model predicts them, "
                f"got {y.shape}."
            )
        residuals = prediction.reshape(len(y), -1) - y.reshape(len(y), -1)
        errors[:, stage] = np.linalg.norm(residuals, axis=1)
    return errors


def _check_targets(X: ArrayLike, y: ArrayLike) -> Targets:
    check_consistent_length(X, y)
    with config_context(array_api_dispatch=False):  # a tensor would stay one
        return check_array(fill_masked(y), ensure_2d=False, dtype=np.float64, input_name="y")
