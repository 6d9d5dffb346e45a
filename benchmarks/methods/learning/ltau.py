"""LTAU on the errors of the training steps."""

from __future__ import annotations

from typing import Self

from benchmarks.harness.data import Rows
from benchmarks.harness.network import Float32s
from benchmarks.methods.learning.learner import Floats, Learner
from benchmarks.methods.predictions import SymmetricPrediction
from ltau import LTAUEstimator

__all__ = ["LTAU"]


class LTAU(Learner):
    """One network, and the errors that it made on its training rows while it trained."""

    def fit(self, given: Rows) -> Self:
        """Train, then fit the errors logged from the training step."""
        self.network = self.make_network().fit(*given)
        return self.learn(given, self.network.errors_)

    def learn(self, rows: Rows, errors: Float32s) -> Self:
        """Fit an estimator, as users get it, to the errors of some rows."""
        latents = self.network.latents(rows.X)
        self.estimator = LTAUEstimator().fit(latents, errors, targets=rows.y)
        return self

    def predict(self, asked: Floats) -> SymmetricPrediction:
        """Predict from one forward pass and a search among the training rows."""
        latents = self.network.latents(asked)
        y_pred = self.network.readout(latents)
        errors = self.estimator.predict_distribution(latents, y_pred=y_pred)
        return SymmetricPrediction(y_pred, errors)
