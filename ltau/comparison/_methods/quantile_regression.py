"""Quantile regression by trees."""

from __future__ import annotations

from typing import Self

import numpy as np
from sklearn.ensemble import HistGradientBoostingRegressor

from ltau.comparison._learner import Learner
from ltau.comparison._predictions import QuantilePrediction
from ltau.comparison._rows import Floats, Rows

__all__ = ["QuantileRegression"]


class QuantileRegression(Learner):
    """Gradient-boosted trees of scikit-learn, one model a quantile [1]_, whatever the model is.

    References
    ----------
    .. [1] R. Koenker and G. Bassett, "Regression quantiles", Econometrica 46, 33-50 (1978).
       doi:10.2307/1913643
    """

    name = "Quantile regression"

    levels = np.array([0.025, 0.05, 0.15, 0.25, 0.5, 0.75, 0.85, 0.95, 0.975])

    def fit(self, rows: Rows) -> Self:
        """Train nine models, with scikit-learn's defaults."""
        self.models = [
            HistGradientBoostingRegressor(
                loss="quantile", quantile=level, random_state=self.seed
            ).fit(rows.X, rows.y)
            for level in self.levels
        ]
        return self

    def predict(self, X: Floats) -> QuantilePrediction:
        """Predict the median and the other quantiles."""
        return QuantilePrediction(self.quantiles(X), self.levels)

    def quantiles(self, X: Floats) -> Floats:
        """Predict all quantiles, shape (n_samples, n_levels)."""
        return np.stack([model.predict(X) for model in self.models], axis=1)
