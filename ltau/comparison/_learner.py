"""What every method that is compared derives from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Self

from sklearn.base import clone

from ltau.comparison._predictions import Prediction
from ltau.comparison._rows import Floats, Rows
from ltau.comparison._splits import hold_out

__all__ = ["Learner"]

_HELD_OUT = 0.2  # share of the training rows, where a method needs rows not trained on
_SEEDS_APART = 1000  # between the members of an ensemble, so that no two folds share a seed


class Learner(ABC):
    """A regressor that says how wrong each of its predictions may be.

    A method to compare is a subclass with two functions: `fit` learns from training rows, and
    `predict` returns a `SymmetricPrediction`, `GaussianPrediction` or `QuantilePrediction`.
    What a method spends on held-out rows or further models affects its accuracy and cost.

    Parameters
    ----------
    model : regressor
        The untrained regressor that all methods share; `make_model` copies it. A method may
        train something else instead.
    seed : int, default=0
        Seed of everything random.

    Attributes
    ----------
    name : str
        Class attribute: the name of the method in tables. By default the name of the class.

    See Also
    --------
    ltau.compare : Compares methods.

    Examples
    --------
    >>> import numpy as np  # the spread of the trees of a random forest, as a method
    >>> from sklearn.ensemble import RandomForestRegressor
    >>> from ltau.comparison import GaussianPrediction, Learner, Rows
    >>> class Forest(Learner):
    ...     def fit(self, rows):
    ...         self.forest = RandomForestRegressor(20, random_state=self.seed)
    ...         self.forest.fit(rows.X, rows.y)
    ...         return self
    ...
    ...     def predict(self, X):
    ...         trees = np.stack([tree.predict(X) for tree in self.forest.estimators_])
    ...         return GaussianPrediction(trees.mean(axis=0), trees.std(axis=0))
    >>> X = np.random.default_rng(0).normal(size=(100, 2))
    >>> method = Forest(model=None).fit(Rows(X, X[:, 0]))
    >>> method.predict(X[:3]).interval(0.9).shape
    (3, 2)
    """

    name: str

    def __init__(self, model: Any, seed: int = 0) -> None:
        self.model = model
        self.seed = seed

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "name" not in vars(cls):
            cls.name = cls.__name__

    @abstractmethod
    def fit(self, rows: Rows) -> Self:
        """Learn from training rows.

        Parameters
        ----------
        rows : Rows
            Features, target, and groups if there are any.

        Returns
        -------
        Learner
            The method itself.
        """

    @abstractmethod
    def predict(self, X: Floats) -> Prediction:
        """Predict the target, and how wrong the predictions may be.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)
            Features.

        Returns
        -------
        SymmetricPrediction, GaussianPrediction or QuantilePrediction
            One row per sample.
        """

    def make_model(self, number: int = 0, **params: Any) -> Any:
        """Make an untrained copy of the model that all methods share.

        Parameters
        ----------
        number : int, default=0
            Number of the copy: each has a seed of its own, for members of an ensemble.
        **params
            Parameters of the model to change.

        Returns
        -------
        regressor
            The copy.
        """
        model = clone(self.model)
        if "random_state" in model.get_params(deep=False):
            model.set_params(random_state=_SEEDS_APART * number + self.seed)
        return model.set_params(**params)

    def hold_out(self, rows: Rows) -> tuple[Rows, Rows]:
        """Hold a fifth of the training rows out; whole groups, where there are groups.

        Parameters
        ----------
        rows : Rows
            Training rows.

        Returns
        -------
        train, held_out : Rows
            Four fifths of the rows, and the rest.
        """
        return hold_out(rows, _HELD_OUT, self.seed)
