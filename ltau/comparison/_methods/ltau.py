"""LTAU on the errors of a network's training steps."""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import NDArray

from ltau.comparison._learner import Learner
from ltau.comparison._predictions import SymmetricPrediction
from ltau.comparison._rows import Floats, Rows
from ltau.estimator import LTAUEstimator

__all__ = ["LTAU"]


class LTAU(Learner):
    """One network, and the errors that it made on its training rows while it trained."""

    name = "LTAU"

    def fit(self, rows: Rows) -> Self:
        """Train, then fit the errors logged from the training step."""
        self.network = self.make_model().fit(rows.X, rows.y)
        return self.learn(rows, self.network.errors_)

    def learn(self, rows: Rows, errors: NDArray[np.float32]) -> Self:
        """Fit an estimator, as users get it, to the errors of some rows."""
        latents = self.network.latents(rows.X)
        self.estimator = LTAUEstimator().fit(latents, errors, targets=rows.y, groups=rows.groups)
        return self

    def predict(self, X: Floats) -> SymmetricPrediction:
        """Predict from one forward pass and a search among the training rows."""
        latents = self.network.latents(X)
        y_pred = self.network.readout(latents)
        errors = self.estimator.predict_distribution(latents, y_pred=y_pred)
        return SymmetricPrediction(y_pred, errors)
