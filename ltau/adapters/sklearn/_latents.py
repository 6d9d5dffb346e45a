"""The model's own view of samples."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import issparse
from scipy.special import expit
from sklearn.neural_network import MLPRegressor
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted, validate_data

from ltau.adapters.sklearn._core import core
from ltau.adapters.sklearn._hashing import hash_columns, hash_leaves
from ltau.adapters.sklearn._trees import trees_of

__all__ = ["View", "latents", "view"]

Floats = NDArray[np.floating[Any]]


class View(NamedTuple):
    """Latents of shape (n_samples, n_latents), and the scaling that suits their distances."""

    latents: Floats
    scaling: str


def latents(model: object, X: ArrayLike) -> Floats:
    r"""Compute the latents of samples: how a fitted model sees them.

    - Trees, boosted or of a forest: the more trees treat two samples alike, the nearer they
      are. The squared distance is the share of the trees in which they fall into different
      leaves, 1 minus the proximity of [1]_. The one-hot leaves, thousands of columns, are
      reduced to 64 by signed feature hashing [2]_, which keeps squared distances
      :math:`d^2` on average, with a standard deviation of about :math:`d^2 \sqrt{2 / 64}`.
      Take them without scaling.
    - ``MLPRegressor``: the activations of the last hidden layer.
    - All others, linear models among them: the features. They have different units;
      ``LTAUEstimator(scaling="standardize")`` removes them. Sparse features of more than 64
      columns are hashed, in the same way.

    For a ``Pipeline`` it is the last step, which sees the samples after the other steps; for
    a ``TransformedTargetRegressor`` or a search such as ``GridSearchCV``, the regressor inside.

    Trees are constant outside the training data, so distances between their leaves do not
    show what lies there. `LatentSpace`, and with it `LTAURegressor`, puts the features beside
    them.

    Parameters
    ----------
    model : regressor
        A fitted regressor of scikit-learn, XGBoost, LightGBM, or another that behaves like
        one.
    X : array-like, frame or sparse matrix of shape (n_samples, n_features)
        The samples, as the model takes them.

    Returns
    -------
    ndarray of shape (n_samples, n_latents), float32; features are float64
        The latents.

    Raises
    ------
    NotFittedError
        If the model is not fitted.
    ValueError
        If the latents would be features that are not numbers.

    References
    ----------
    .. [1] Breiman and Cutler, "Random Forests", the section on proximities,
       https://www.stat.berkeley.edu/~breiman/RandomForests/cc_home.htm
    .. [2] Weinberger, Dasgupta, Langford, Smola and Attenberg, "Feature Hashing for Large
       Scale Multitask Learning", ICML 2009, arXiv:0902.2206.

    Examples
    --------
    >>> from sklearn.datasets import make_regression
    >>> from sklearn.ensemble import HistGradientBoostingRegressor
    >>> from ltau.adapters.sklearn import latents
    >>> X, y = make_regression(200, n_features=4, random_state=0)
    >>> model = HistGradientBoostingRegressor(random_state=0).fit(X, y)
    >>> latents(model, X).shape
    (200, 64)
    """
    check_is_fitted(model)
    regressor, inputs, _ = core(model, X)
    return view(regressor, inputs).latents


def view(regressor: Any, X: Any) -> View:
    """Find how a regressor sees samples, and which scaling suits that."""
    trees = trees_of(regressor)
    if trees is not None:
        return View(hash_leaves(trees.leaves(X)), "none")
    if isinstance(regressor, MLPRegressor):
        return View(_last_hidden_layer(regressor, X).astype(np.float32), "none")
    return View(_features(regressor, X), "standardize")


def _last_hidden_layer(model: MLPRegressor, X: Any) -> Floats:
    hidden = validate_data(model, X, reset=False, dtype=np.float64, accept_sparse="csr")
    layers = zip(model.coefs_, model.intercepts_, strict=True)
    for weights, bias in list(layers)[:-1]:
        hidden = _activate(hidden @ weights + bias, model.activation)
    return hidden


def _activate(z: Floats, activation: str) -> Floats:
    if activation == "relu":
        return np.maximum(z, 0)
    if activation == "tanh":
        return np.tanh(z)
    return expit(z) if activation == "logistic" else z


def _features(model: Any, X: Any) -> Floats:
    try:
        features: Any = check_array(
            X, accept_sparse="csr", dtype=np.float64, ensure_all_finite=False
        )
    except ValueError as error:
        raise ValueError(
            f"Expected features that are numbers, which stand for the latents of "
            f"{type(model).__name__}: put it into a Pipeline behind what makes numbers of them. "
            f"{error}"
        ) from error
    return hash_columns(features) if issparse(features) else features
