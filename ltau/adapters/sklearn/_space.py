"""The space that a regressor's samples are compared in, fitted to those that it has seen."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted

from ltau.adapters.sklearn._core import core
from ltau.adapters.sklearn._features import Features
from ltau.adapters.sklearn._latents import view
from ltau.adapters.sklearn._rows import as_rows
from ltau.adapters.sklearn._trees import trees_of

__all__ = ["LatentSpace"]

Floats = NDArray[np.floating[Any]]


class LatentSpace:
    r"""The latents of a fitted model, which show what lies beyond its training samples too.

    The `latents` of trees do not: trees are constant outside the training data, so a sample far
    away falls into the leaves of one at the edge. Here each sample has its features beside its
    leaves. Numbers are standardised, categories are one-hot, and both are multiplied by
    one weight, such that leaves and features of the training samples have the same total
    variance. What no training sample has is put as far away as a number ten
    standard deviations off: a category, a value that is missing or infinite where none was, or
    one that differs where all were the same. More than 64 columns are hashed, as the
    leaves are.

    Of all other models these are the `latents`.

    Parameters
    ----------
    model : regressor
        A fitted regressor of scikit-learn, XGBoost, LightGBM, or another that behaves like
        one, alone or in a ``Pipeline``, a ``TransformedTargetRegressor`` or a search.
    X : array-like, frame or sparse matrix of shape (n_samples, n_features)
        The samples that it was trained on, as it takes them.

    Attributes
    ----------
    model : regressor
        The model.
    scaling : {"none", "standardize"}
        What suits the distances, as `LTAUEstimator` takes it.

    Raises
    ------
    NotFittedError
        If the model is not fitted.
    ValueError
        If the latents would be features that are not numbers.

    Notes
    -----
    Features are those that the regressor inside sees. What a step of a pipeline hides, such as
    an encoder that ignores categories it does not know, stays hidden.

    Examples
    --------
    >>> from sklearn.datasets import make_regression
    >>> from sklearn.ensemble import HistGradientBoostingRegressor
    >>> from ltau.adapters.sklearn import LatentSpace
    >>> X, y = make_regression(200, n_features=4, random_state=0)
    >>> space = LatentSpace(HistGradientBoostingRegressor(random_state=0).fit(X, y), X)
    >>> space.latents(X).shape, space.scaling
    ((200, 69), 'none')
    """

    def __init__(self, model: Any, X: ArrayLike) -> None:
        check_is_fitted(model)
        self.model = model
        regressor, inputs, _ = core(model, as_rows(X))
        own, trees = view(regressor, inputs), trees_of(regressor)
        self.scaling = own.scaling
        self._features: Features | None = None
        if trees is not None:
            self._features = Features(inputs, trees.categorical())
            encoded = self._features.encode(inputs)
            self._weight = _weight(own.latents, encoded)

    def latents(self, X: ArrayLike) -> Floats:
        """Compute the latents of samples.

        Parameters
        ----------
        X : array-like, frame or sparse matrix of shape (n_samples, n_features)
            The samples, as the model takes them.

        Returns
        -------
        ndarray of shape (n_samples, n_latents), float32; features are float64
            The latents: of trees, 64 columns for the leaves, at most 64 for the features, and
            one for what no training sample has.

        Raises
        ------
        ValueError
            If the samples do not have the features of the training samples.
        """
        regressor, inputs, _ = core(self.model, as_rows(X))
        own = view(regressor, inputs).latents
        if self._features is None:
            return own
        encoded = self._weight * self._features.encode(inputs)
        return np.hstack([own, encoded.astype(np.float32)])


def _weight(leaves: Floats, features: Floats) -> float:
    """Find the weight of features at which they vary as much as the leaves, if both vary."""
    of_leaves, of_features = (np.var(z, axis=0, dtype=np.float64).sum() for z in (leaves, features))
    return float(np.sqrt(of_leaves / of_features)) if of_leaves and of_features else 1.0
