"""LTAU on the errors of the training steps."""

from __future__ import annotations

from typing import Self

from benchmarks.harness.data import Rows
from benchmarks.methods.learning.learner import Floats, Learner
from benchmarks.methods.predictions import SymmetricPrediction
from ltau import LTAUEstimator

__all__ = ["LTAU", "make_estimator"]


def make_estimator() -> LTAUEstimator:
    """Make LTAU as the first page of the documentation has it."""
    return LTAUEstimator(n_neighbors=30, burn_in=1 / 3, scaling="none", distance_scaling=0.0)


class LTAU(Learner):
    """One network, and the errors that it made on its training rows while it trained."""

    def fit(self, given: Rows) -> Self:
        """Train, then fit the errors logged from the training step."""
        self.network = self.make_network().fit(*given)
        latents = self.network.latents(given.X)
        self.estimator = make_estimator().fit(latents, self.network.errors_)
        return self

    def predict(self, asked: Floats) -> SymmetricPrediction:
        """Predict from one forward pass and a search among the training rows."""
        latents = self.network.latents(asked)
        return SymmetricPrediction(
            self.network.readout(latents), self.estimator.predict_distribution(latents)
        )
