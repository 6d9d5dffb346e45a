"""The regressor inside pipelines, target transformers and searches, and what it is given."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.compose import TransformedTargetRegressor
from sklearn.pipeline import Pipeline

__all__ = ["Core", "core"]

Predictions = NDArray[np.floating[Any]]


class Core(NamedTuple):
    """A fitted regressor, samples as it takes them, and how its predictions become the target."""

    model: Any
    X: Any
    to_target: Callable[[Predictions], Predictions]


def core(model: Any, X: Any) -> Core:
    """Go to the regressor that does the work, with all that is done to the samples before.

    Parameters
    ----------
    model : regressor
        A fitted regressor, alone or in a ``Pipeline``, a ``TransformedTargetRegressor`` or a
        search such as ``GridSearchCV``, in any order.
    X : array-like, frame or sparse matrix of shape (n_samples, n_features)
        Samples as `model` takes them.

    Returns
    -------
    Core
        The regressor inside.
    """
    if isinstance(model, Pipeline):
        return core(model[-1], model[:-1].transform(X) if len(model) > 1 else X)
    if isinstance(model, TransformedTargetRegressor):
        inner = core(model.regressor_, X)
        return inner._replace(to_target=lambda z: _to_target(model, inner.to_target(z)))
    if hasattr(model, "best_estimator_"):
        return core(model.best_estimator_, X)
    return Core(model, X, lambda prediction: prediction)


def _to_target(model: TransformedTargetRegressor, prediction: Predictions) -> Predictions:
    columns = prediction.reshape(len(prediction), -1)
    return np.asarray(model.transformer_.inverse_transform(columns))
