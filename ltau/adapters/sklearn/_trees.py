"""What is asked of a model of trees, and how each kind answers.

A stage of a boosted model is a tree, or what its library adds in one round. Only public
methods of the libraries are used.
"""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["BoostedTrees", "Trees", "trees_of"]

Floats = NDArray[np.floating[Any]]
Leaves = NDArray[np.int32]


class Trees:
    """Trees that are asked with ``apply``: those of scikit-learn."""

    def __init__(self, model: Any) -> None:
        self.model = model

    def leaves(self, X: Any) -> Leaves:
        """Name the leaf that each sample falls into, shape (n_samples, n_trees).

        Within a tree, equal names mean the same leaf.
        """
        rows = np.asarray(X) if isinstance(X, list) else X  # some would ask a list for its shape
        leaves = np.asarray(self.model.apply(rows), np.int32)
        return leaves.reshape(len(leaves), -1)  # a single tree may come without its axis

    def categorical(self) -> NDArray[np.bool_] | None:
        """Say which features the model was told to be categories; None if it was told nothing."""
        return None


class BoostedTrees(Trees, ABC):
    """A model that adds trees, and can predict after each."""

    @abstractmethod
    def n_stages(self) -> int:
        """Count the stages of the fitted model that its predictions use."""

    @abstractmethod
    def predictions(self, X: Any, stages: Collection[int]) -> Iterator[Floats]:
        """Predict after some numbers of stages, counted from 1 and ascending."""


class GradientBoosting(BoostedTrees):
    """Trees of `sklearn.ensemble.GradientBoostingRegressor`."""

    def n_stages(self) -> int:
        return int(self.model.n_estimators_)

    def predictions(self, X: Any, stages: Collection[int]) -> Iterator[Floats]:
        staged = enumerate(self.model.staged_predict(X), start=1)
        return (prediction for stage, prediction in staged if stage in stages)


class HistGradientBoosting(GradientBoosting):
    """Trees of `sklearn.ensemble.HistGradientBoostingRegressor`."""

    def n_stages(self) -> int:
        return int(self.model.n_iter_)

    def leaves(self, X: Any) -> Leaves:
        """Name a leaf by what it adds to the prediction: this model does not tell its leaves.

        Leaves of a tree that add the same count as one.
        """
        staged = np.stack(list(self.model.staged_predict(X)), axis=1)
        if self.model.loss in ("gamma", "poisson"):  # the trees add up to the logarithm
            staged = np.log(staged)
        names = np.diff(staged, axis=1, prepend=0.0).astype(np.float32).view(np.int32)
        names[:, 1:] >>= 8  # drop the bits that rounding has touched; the first sum is exact
        return names

    def categorical(self) -> NDArray[np.bool_] | None:
        return self.model.is_categorical_


class XGBoost(BoostedTrees):
    """Trees of `xgboost.XGBRegressor`."""

    def n_stages(self) -> int:
        booster = self.model.get_booster()
        stopped_at = booster.attr("best_iteration")  # if it stopped early
        return booster.num_boosted_rounds() if stopped_at is None else int(stopped_at) + 1

    def predictions(self, X: Any, stages: Collection[int]) -> Iterator[Floats]:
        return (self.model.predict(X, iteration_range=(0, stage)) for stage in stages)

    def categorical(self) -> NDArray[np.bool_] | None:
        kinds = self.model.get_booster().feature_types
        return None if kinds is None else np.array([kind == "c" for kind in kinds])


class LightGBM(BoostedTrees):
    """Trees of `lightgbm.LGBMRegressor`."""

    def n_stages(self) -> int:
        return int(self.model.best_iteration_ or self.model.n_estimators_)

    def predictions(self, X: Any, stages: Collection[int]) -> Iterator[Floats]:
        return (self.model.predict(X, num_iteration=stage) for stage in stages)

    def leaves(self, X: Any) -> Leaves:
        return np.asarray(self.model.predict(X, pred_leaf=True), np.int32)

    def categorical(self) -> NDArray[np.bool_] | None:
        told = self.model.booster_.params.get("categorical_column")
        return None if told is None else np.isin(np.arange(self.model.n_features_in_), told)


# Libraries are looked up among those imported already: a model can come from no other.
_KINDS: dict[tuple[str, str], type[Trees]] = {
    ("sklearn.ensemble", "GradientBoostingRegressor"): GradientBoosting,
    ("sklearn.ensemble", "HistGradientBoostingRegressor"): HistGradientBoosting,
    ("sklearn.ensemble", "RandomForestRegressor"): Trees,
    ("sklearn.ensemble", "ExtraTreesRegressor"): Trees,
    ("sklearn.tree", "DecisionTreeRegressor"): Trees,  # and ExtraTreeRegressor
    ("xgboost", "XGBRegressor"): XGBoost,
    ("lightgbm", "LGBMRegressor"): LightGBM,
}


def trees_of(model: Any) -> Trees | None:
    """Find the trees of a model; None if it has none."""
    if getattr(model, "booster", None) == "gblinear":  # of XGBoost, which is linear then
        return None
    for (library, name), kind in _KINDS.items():
        module = sys.modules.get(library)
        if module is not None and isinstance(model, getattr(module, name)):
            return kind(model)
    return None
