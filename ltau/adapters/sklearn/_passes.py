"""The errors of a model that learns by passes over the data, logged while it is trained."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.linear_model import SGDRegressor
from sklearn.neural_network import MLPRegressor
from sklearn.utils import check_random_state, shuffle
from sklearn.utils.validation import check_consistent_length

from ltau.adapters.sklearn._stages import absolute_errors, check_targets, norms

__all__ = ["fit_with_errors"]

Errors = NDArray[np.float32]


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
    order each time. A model that is already fitted continues from there. There is no early
    stopping, and `max_iter` and `tol` of the model are not used.

    Parameters
    ----------
    model : MLPRegressor or SGDRegressor
        The model, as scikit-learn makes it.
    X : array-like of shape (n_samples, n_features)
        The training samples, preferably of unit variance.
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
    if not isinstance(model, MLPRegressor | SGDRegressor):
        raise TypeError(
            "Expected a model that learns by passes over the data, MLPRegressor or SGDRegressor; "
            f"got {type(model).__name__}. Fit boosted trees, then call error_trajectories; or use "
            "LTAURegressor, which takes any."
        )
    if getattr(model, "solver", None) == "lbfgs":
        raise ValueError("Expected solver 'adam' or 'sgd', which learn by passes; got 'lbfgs'.")
    epochs = model.max_iter if n_epochs is None else n_epochs
    if epochs < 1:
        raise ValueError(f"Expected n_epochs >= 1, got {epochs}.")
    targets = check_targets(y)
    check_consistent_length(X, targets)
    trained = _passes(model, X, targets, epochs, random_state)
    return norms(absolute_errors((now.predict(X) for now in trained), targets))


def _passes(
    model: Any, X: ArrayLike, y: ArrayLike, n_epochs: int, random_state: int | None
) -> Iterator[Any]:
    """Train, and yield the model after each pass.

    The samples are shuffled here: a model that has a seed would take them in the same
    order in every call.
    """
    rng = check_random_state(random_state)
    for _ in range(n_epochs):
        yield model.partial_fit(*shuffle(X, y, random_state=rng))
