"""LTAU around any regressor."""

from __future__ import annotations

from typing import Any, Self

from ltau.adapters.sklearn import LTAURegressor
from ltau.comparison._learner import Learner
from ltau.comparison._predictions import SymmetricPrediction
from ltau.comparison._rows import Floats, Rows

__all__ = ["LTAUOfRegressor"]


class LTAUOfRegressor(Learner):
    """`LTAURegressor` as users get it: out-of-fold errors of five folds, calibrated on them."""

    name = "LTAU"

    def fit(self, rows: Rows) -> Self:
        """Train the model on all rows, and five times for the errors."""
        self.regressor = LTAURegressor(self.make_model(), random_state=self.seed)
        self.regressor.fit(rows.X, rows.y, groups=rows.groups)
        return self

    def predict(self, X: Floats) -> SymmetricPrediction:
        """Predict the target and the distribution of its error."""
        y_pred: Any = self.regressor.predict(X)
        errors: Any = self.regressor.predict_distribution(X)  # of one output, so not a list
        return SymmetricPrediction(y_pred, errors)
