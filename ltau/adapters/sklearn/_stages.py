"""The errors of a fitted model on each sample after each of the stages in which it learnt."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn import config_context
from sklearn.utils.validation import check_array, check_consistent_length, check_is_fitted

from ltau._inputs.missing import fill_masked
from ltau.adapters.sklearn._core import core
from ltau.adapters.sklearn._trees import BoostedTrees, trees_of

__all__ = ["absolute_errors", "check_targets", "error_trajectories", "norms", "staged_errors"]

Errors = NDArray[np.float32]
Floats = NDArray[np.floating[Any]]

_MOST_STAGES = 100


def error_trajectories(
    model: object, X: ArrayLike, y: ArrayLike, *, max_stages: int = _MOST_STAGES
) -> Errors:
    """Compute the errors of a fitted boosted model after each of its stages.

    On the samples that the model was trained on, these are the trajectories of LTAU.
    Boosted trees overfit, so they are smaller than errors on new data: `LTAURegressor`
    takes them from models that have not seen the sample.

    Parameters
    ----------
    model : regressor
        A fitted ``GradientBoostingRegressor``, ``HistGradientBoostingRegressor``,
        `xgboost.XGBRegressor` with trees or `lightgbm.LGBMRegressor`, alone or in a
        ``Pipeline``, ``TransformedTargetRegressor`` or search. If it stopped early, its
        stages are those that its predictions use.
    X : array-like, frame or sparse matrix of shape (n_samples, n_features)
        The samples, as the model takes them.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Their targets. The error of several outputs is the Euclidean norm.
    max_stages : int, default=100
        If there are more stages, this many are taken, evenly spaced, with the last among
        them.

    Returns
    -------
    ndarray of shape (n_samples, n_stages), float32
        Absolute errors, in the unit of the target.

    Raises
    ------
    TypeError
        If the model keeps no stages; for one that learns by passes, see `fit_with_errors`.
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
    check_is_fitted(model)
    if max_stages < 1:
        raise ValueError(f"Expected max_stages >= 1, got {max_stages}.")
    targets = check_targets(y)
    check_consistent_length(X, targets)
    staged = _staged_predictions(model, X, max_stages)
    if staged is None:
        raise TypeError(
            f"Expected a model that keeps its stages, boosted trees; got {type(model).__name__}. "
            "Train MLPRegressor and SGDRegressor with fit_with_errors, or use LTAURegressor, "
            "which takes any."
        )
    return norms(absolute_errors(staged, targets))


def staged_errors(model: Any, X: Any, y: Floats) -> Errors:
    """Compute the errors of each output by stages, one stage where the model keeps none.

    Parameters
    ----------
    model : regressor
        The fitted model.
    X : array-like, frame or sparse matrix of shape (n_samples, n_features)
        Samples.
    y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
        Their targets.

    Returns
    -------
    ndarray of shape (n_outputs, n_samples, n_stages), float32
        Absolute errors.
    """
    staged = _staged_predictions(model, X, _MOST_STAGES)
    return absolute_errors([model.predict(X)] if staged is None else staged, y)


def _staged_predictions(model: Any, X: Any, max_stages: int) -> Iterable[Floats] | None:
    regressor, inputs, to_target = core(model, X)
    trees = trees_of(regressor)
    if not isinstance(trees, BoostedTrees):
        return None
    n_stages = trees.n_stages()
    n = min(n_stages, max_stages)
    stages = [stage * n_stages // n for stage in range(1, n + 1)]  # from 1; the last is among them
    return map(to_target, trees.predictions(inputs, stages))


def absolute_errors(predictions: Iterable[Floats], y: Floats) -> Errors:
    """Take the absolute errors of predictions, shape (n_outputs, n_samples, n_stages)."""
    targets = y.reshape(len(y), -1)
    stages = []
    for prediction in predictions:
        if prediction.size != y.size:
            raise ValueError(
                f"Expected targets of shape {prediction.shape}, as the model predicts them, "
                f"got {y.shape}."
            )
        stages.append(np.abs(prediction.reshape(targets.shape) - targets).astype(np.float32))
    return np.stack(stages, axis=2).swapaxes(0, 1)


def norms(errors: Errors) -> Errors:
    """Take the Euclidean norm over the outputs, shape (n_samples, n_stages)."""
    return errors[0] if len(errors) == 1 else np.linalg.norm(errors, axis=0)


def check_targets(y: ArrayLike) -> NDArray[np.float64]:
    """Make an array of targets, of shape (n_samples,) or (n_samples, n_outputs)."""
    with config_context(array_api_dispatch=False):  # a tensor would stay one
        return check_array(fill_masked(y), ensure_2d=False, dtype=np.float64, input_name="y")
