"""The space in which samples are neighbours: the model's own view of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import murmurhash3_32
from sklearn.utils.validation import check_is_fitted

from ltau.adapters.sklearn._learners import BoostedTrees, wrap

__all__ = ["latents"]

Latents = NDArray[np.float32]

_WIDTH = 64  # of the latents of boosted trees: their squared distances are right to 18 %
_SIGN = 1 << 31  # the bit of a hash that gives the sign; the lowest bits give the column


def latents(model: object, X: ArrayLike) -> Latents:
    r"""Compute the latents of samples: how a fitted model sees them.

    - Boosted trees: two samples are as near as the trees that treat them alike are many.
      The squared distance is the share of the trees in which they fall into different
      leaves, 1 minus the proximity of [1]_. The one-hot leaves, thousands of columns, are
      brought to 64 by signed feature hashing [2]_, which keeps squared distances
      :math:`d^2` on average, with a standard deviation of about
      :math:`d^2 \sqrt{2 / 64}`.
    - `MLPRegressor`: the activations of the last hidden layer.
    - `SGDRegressor`: the features times their coefficients, which is what each adds to
      the prediction.

    Trees are constant outside the training data, so that distances between their leaves
    do not tell what lies there.

    Parameters
    ----------
    model : regressor
        A fitted `GradientBoostingRegressor`, `HistGradientBoostingRegressor`,
        `MLPRegressor`, `SGDRegressor`, `xgboost.XGBRegressor` or
        `lightgbm.LGBMRegressor`.
    X : array-like of shape (n_samples, n_features)
        The samples, as the model takes them.

    Returns
    -------
    ndarray of shape (n_samples, n_latents), float32
        The latents.

    Raises
    ------
    TypeError
        If the model is of another kind.
    NotFittedError
        If the model is not fitted.

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
    learner = wrap(model)
    check_is_fitted(model)
    if isinstance(learner, BoostedTrees):
        return _hash_leaves(learner.leaves(X))
    return learner.latents(X).astype(np.float32)


def _hash_leaves(leaves: NDArray[np.int32]) -> Latents:
    """Add up, over the trees, a sign in a column, both drawn by hashing tree and leaf."""
    n_samples, n_trees = leaves.shape
    hashed = np.zeros((n_samples, _WIDTH), np.float32)
    rows = np.arange(n_samples)
    for tree in range(n_trees):
        draws = murmurhash3_32(leaves[:, tree].copy(), seed=tree, positive=True)
        hashed[rows, draws % _WIDTH] += np.where(draws & _SIGN, 1, -1)
    return hashed / np.float32(np.sqrt(2 * n_trees))  # a tree that differs adds 2 to d²
