"""What is asked of a model that learns in stages, and how each kind of model answers.

A stage is a tree of a boosted model, or a pass over the data. Only public methods of the
libraries are used.
"""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit
from sklearn.utils import check_random_state, shuffle
from sklearn.utils.validation import validate_data

__all__ = ["BoostedTrees", "PassLearner", "wrap"]

Floats = NDArray[np.floating[Any]]


class BoostedTrees(ABC):
    """A model that adds trees: it learns them in one call, and can predict after each."""

    def __init__(self, model: Any) -> None:
        self.model = model

    @abstractmethod
    def n_stages(self) -> int:
        """Count the stages of the fitted model that its predictions use."""

    @abstractmethod
    def predictions(self, X: ArrayLike, stages: Collection[int]) -> Iterator[Floats]:
        """Predict after some numbers of stages, counted from 1 and ascending."""

    @abstractmethod
    def leaves(self, X: ArrayLike) -> NDArray[np.int32]:
        """Name the leaf that each sample falls into, shape (n_samples, n_trees).

        Within a tree, equal names mean the same leaf.
        """


class GradientBoosting(BoostedTrees):
    """Trees of `sklearn.ensemble.GradientBoostingRegressor`."""

    def n_stages(self) -> int:
        return int(self.model.n_estimators_)

    def predictions(self, X: ArrayLike, stages: Collection[int]) -> Iterator[Floats]:
        staged = enumerate(self.model.staged_predict(X), start=1)
        return (prediction for stage, prediction in staged if stage in stages)

    def leaves(self, X: ArrayLike) -> NDArray[np.int32]:
        return self.model.apply(X).astype(np.int32)


class HistGradientBoosting(GradientBoosting):
    """Trees of `sklearn.ensemble.HistGradientBoostingRegressor`."""

    def n_stages(self) -> int:
        return int(self.model.n_iter_)

    def leaves(self, X: ArrayLike) -> NDArray[np.int32]:
        """Name a leaf by what it adds to the prediction: this model does not tell its leaves.

        Leaves of a tree that add the same count as one.
        """
        staged = np.stack(list(self.model.staged_predict(X)), axis=1)
        if self.model.loss in ("gamma", "poisson"):  # the trees add up to the logarithm
            staged = np.log(staged)
        names = np.diff(staged, axis=1, prepend=0.0).astype(np.float32).view(np.int32)
        names[:, 1:] >>= 8  # drop the bits that rounding has touched; the first sum is exact
        return names


class XGBoost(BoostedTrees):
    """Trees of `xgboost.XGBRegressor`."""

    def n_stages(self) -> int:
        booster = self.model.get_booster()
        stopped_at = booster.attr("best_iteration")  # if it stopped early
        return booster.num_boosted_rounds() if stopped_at is None else int(stopped_at) + 1

    def predictions(self, X: ArrayLike, stages: Collection[int]) -> Iterator[Floats]:
        return (self.model.predict(X, iteration_range=(0, stage)) for stage in stages)

    def leaves(self, X: ArrayLike) -> NDArray[np.int32]:
        return self.model.apply(X).astype(np.int32)


class LightGBM(BoostedTrees):
    """Trees of `lightgbm.LGBMRegressor`."""

    def n_stages(self) -> int:
        return int(self.model.best_iteration_ or self.model.n_estimators_)

    def predictions(self, X: ArrayLike, stages: Collection[int]) -> Iterator[Floats]:
        return (self.model.predict(X, num_iteration=stage) for stage in stages)

    def leaves(self, X: ArrayLike) -> NDArray[np.int32]:
        return self.model.predict(X, pred_leaf=True).astype(np.int32)


class PassLearner(ABC):
    """A model that learns by passes over the data, with ``partial_fit``."""

    def __init__(self, model: Any) -> None:
        self.model = model

    def passes(
        self, X: ArrayLike, y: ArrayLike, n_epochs: int, random_state: int | None
    ) -> Iterator[Any]:
        """Train, and yield the model after each pass.

        The samples are shuffled here: a model that has a seed would take them in the
        same order in every call.
        """
        if getattr(self.model, "solver", None) == "lbfgs":
            raise ValueError("Expected solver 'adam' or 'sgd', which learn by passes; got 'lbfgs'.")
        rng = check_random_state(random_state)
        for _ in range(n_epochs):
            yield self.model.partial_fit(*shuffle(X, y, random_state=rng))

    @abstractmethod
    def latents(self, X: ArrayLike) -> Floats:
        """Give what the model makes of the features, shape (n_samples, n_latents)."""


class StochasticLinear(PassLearner):
    """`sklearn.linear_model.SGDRegressor`."""

    def latents(self, X: ArrayLike) -> Floats:
        """Weigh the features by their coefficients: what each adds to the prediction."""
        return validate_data(self.model, X, reset=False, dtype=np.float64) * self.model.coef_


class Perceptron(PassLearner):
    """`sklearn.neural_network.MLPRegressor`."""

    def latents(self, X: ArrayLike) -> Floats:
        """Compute the activations of the last hidden layer."""
        hidden = validate_data(self.model, X, reset=False, dtype=np.float64)
        layers = zip(self.model.coefs_, self.model.intercepts_, strict=True)
        for weights, bias in list(layers)[:-1]:
            hidden = _activate(hidden @ weights + bias, self.model.activation)
        return hidden


def _activate(z: Floats, activation: str) -> Floats:
    if activation == "relu":
        return np.maximum(z, 0)
    if activation == "tanh":
        return np.tanh(z)
    return expit(z) if activation == "logistic" else z


# Libraries are looked up among those imported already: a model can come from no other.
_KINDS: dict[tuple[str, str], type[BoostedTrees | PassLearner]] = {
    ("sklearn.ensemble", "GradientBoostingRegressor"): GradientBoosting,
    ("sklearn.ensemble", "HistGradientBoostingRegressor"): HistGradientBoosting,
    ("xgboost", "XGBRegressor"): XGBoost,
    ("lightgbm", "LGBMRegressor"): LightGBM,
    ("sklearn.linear_model", "SGDRegressor"): StochasticLinear,
    ("sklearn.neural_network", "MLPRegressor"): Perceptron,
}


def wrap(model: object) -> BoostedTrees | PassLearner:
    """Find out of which kind a model is, or refuse it."""
    for (library, name), kind in _KINDS.items():
        module = sys.modules.get(library)
        if module is not None and isinstance(model, getattr(module, name)):
            return kind(model)
    supported = ", ".join(name for _, name in _KINDS)
    raise TypeError(
        f"Expected a model that learns in stages, one of {supported}; got {type(model).__name__}."
    )
