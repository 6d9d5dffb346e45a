"""The same error for all."""

from __future__ import annotations

from typing import Self

import numpy as np

from ltau.comparison._distributions import constant_distribution
from ltau.comparison._learner import Learner
from ltau.comparison._predictions import SymmetricPrediction
from ltau.comparison._rows import Floats, Rows

__all__ = ["Constant"]


class Constant(Learner):
    """One model, and the quantiles of its errors on the rows that it was trained on."""

    name = "Constant"

    def fit(self, rows: Rows) -> Self:
        """Train, then look at the errors of the finished model."""
        self.regressor = self.make_model().fit(rows.X, rows.y)
        errors = np.abs(rows.y - self.regressor.predict(rows.X))
        self.quantiles = np.quantile(errors, np.linspace(0, 1, 51))
        self.quantiles[0] = 0.0
        return self

    def predict(self, X: Floats) -> SymmetricPrediction:
        """Predict with the same error for all."""
        return SymmetricPrediction(
            self.regressor.predict(X), constant_distribution(self.quantiles, len(X))
        )
