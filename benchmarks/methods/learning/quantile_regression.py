"""Quantile regression by trees."""

from __future__ import annotations

from typing import Self

import numpy as np
from sklearn.ensemble import HistGradientBoostingRegressor

from benchmarks.harness.data import Rows
from benchmarks.methods.learning.learner import Floats, Learner
from benchmarks.methods.predictions import QuantilePrediction

__all__ = ["QuantileRegression"]

_LEVELS = np.array([0.025, 0.05, 0.15, 0.25, 0.5, 0.75, 0.85, 0.95, 0.975])


class QuantileRegression(Learner):
    """Gradient-boosted trees, one model a quantile [1]_; no network.

    References
    ----------
    .. [1] R. Koenker and G. Bassett, "Regression quantiles", Econometrica 46, 33-50 (1978).
       doi:10.2307/1913643
    """

    def fit(self, given: Rows) -> Self:
        """Train nine models, with scikit-learn's defaults."""
        self.models = [
            HistGradientBoostingRegressor(
                loss="quantile", quantile=level, random_state=self.seed
            ).fit(*given)
            for level in _LEVELS
        ]
        return self

    def predict(self, asked: Floats) -> QuantilePrediction:
        """Predict the median and the other quantiles."""
        quantiles = np.stack([model.predict(asked) for model in self.models], axis=1)
        return QuantilePrediction(quantiles, _LEVELS)
