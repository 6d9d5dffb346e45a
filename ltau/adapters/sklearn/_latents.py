"""The space in which samples are neighbours: the model's own view of them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array, issparse
from scipy.special import expit
from sklearn.neural_network import MLPRegressor
from sklearn.utils import check_array, murmurhash3_32
from sklearn.utils.validation import check_is_fitted, validate_data

from ltau.adapters.sklearn._core import core
from ltau.adapters.sklearn._trees import trees_of

__all__ = ["View", "latents", "view"]

Latents = NDArray[np.float32]
Floats = NDArray[np.floating[Any]]

_WIDTH = 64  # of what is hashed: squared distances are right to 18 %
_SIGN = 1 << 31  # the bit of a hash that gives the sign; the lowest bits give the column


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
    show what lies there.

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
    return view(model, X).latents


def view(model: Any, X: Any) -> View:
    """Find the latents of samples, and which scaling suits them."""
    check_is_fitted(model)
    regressor, inputs, _ = core(model, X)
    trees = trees_of(regressor)
    if trees is not None:
        return View(_hash_leaves(trees.leaves(inputs)), "none")
    if isinstance(regressor, MLPRegressor):
        return View(_last_hidden_layer(regressor, inputs).astype(np.float32), "none")
    return View(_features(regressor, inputs), "standardize")


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
    if not issparse(features):
        return features
    if features.shape[1] <= _WIDTH:
        return features.toarray()
    n_features = features.shape[1]
    column, sign = _draw(np.arange(n_features, dtype=np.int32), 0)
    hashing = csr_array((sign, (np.arange(n_features), column)), shape=(n_features, _WIDTH))
    return (features @ hashing).toarray()


def _hash_leaves(leaves: NDArray[np.int32]) -> Latents:
    """Add up, over the trees, a sign in a column, both drawn by hashing tree and leaf."""
    n_samples, n_trees = leaves.shape
    hashed = np.zeros((n_samples, _WIDTH), np.float32)
    rows = np.arange(n_samples)
    for tree in range(n_trees):
        column, sign = _draw(leaves[:, tree].copy(), tree)
        hashed[rows, column] += sign
    return hashed / np.float32(np.sqrt(2 * n_trees))  # a tree that differs adds 2 to d²


def _draw(numbers: NDArray[np.int32], seed: int) -> tuple[NDArray[np.integer], NDArray[np.integer]]:
    """Draw a column and a sign for each number, the same for the same one."""
    draws = murmurhash3_32(numbers, seed=seed, positive=True)
    return draws % _WIDTH, np.where(draws & _SIGN, 1, -1)
