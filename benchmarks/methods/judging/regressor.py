"""A second model, from latents to errors."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_predict

from benchmarks.methods.converter import Converter
from benchmarks.methods.domains import Domain, Samples
from benchmarks.methods.judging.judge import Judge
from benchmarks.methods.predictions import LEVELS, ErrorPrediction

__all__ = ["Regressor"]

Floats = NDArray[np.float64]

_N_FOLDS = 5
_GRID = {"max_iter": [20, 60, 180], "min_samples_leaf": [5, 20]}


class Regressor(Judge):
    """Gradient-boosted trees from latents, and classes, to errors.

    They learn from the errors of the validation samples: those of the training samples are
    smaller than what is to be predicted wherever the model overfits. Cross-validation by
    structures chooses how many trees there are and how fine they are. What the predicted error
    means is learnt from predictions for folds that were left out. The Poisson loss keeps
    predictions positive, and is least at the mean.
    """

    def fit(self, given: Domain) -> Self:
        """Learn from the validation samples."""
        validation = given.validation
        X, y, groups = _inputs(validation), validation.errors, validation.structures
        folds = GroupKFold(_N_FOLDS)
        trees = HistGradientBoostingRegressor(loss="poisson", learning_rate=0.05, random_state=0)
        search = GridSearchCV(trees, _GRID, scoring="neg_mean_poisson_deviance", cv=folds)
        self.trees = search.fit(X, y, groups=groups).best_estimator_
        left_out = cross_val_predict(self.trees, X, y, groups=groups, cv=folds)
        self.converter = Converter.fit(left_out, validation, by_class=True)
        return self

    def predict(self, asked: Samples) -> ErrorPrediction:
        """Predict the errors."""
        expected: Floats = self.trees.predict(_inputs(asked))
        errors = self.converter(expected, asked)
        return ErrorPrediction(errors, errors.quantile(LEVELS), expected)


def _inputs(samples: Samples) -> Floats:
    parts: list[NDArray[Any]] = [samples.latents]
    if samples.classes is not None:
        parts.append(samples.classes)
    return np.column_stack(parts)
