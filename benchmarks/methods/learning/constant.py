"""The same error for all."""

from __future__ import annotations

from typing import Self

import numpy as np

from benchmarks.harness.data import Rows
from benchmarks.methods.distributions import constant_distribution
from benchmarks.methods.learning.learner import Floats, Learner
from benchmarks.methods.predictions import SymmetricPrediction

__all__ = ["Constant"]


class Constant(Learner):
    """One network, and the quantiles of its errors on the rows that it was trained on."""

    def fit(self, given: Rows) -> Self:
        """Train, then look at the errors of the finished network."""
        self.network = self.make_network().fit(*given)
        errors = np.abs(given.y - self.network.predict(given.X))
        self.quantiles = np.quantile(errors, np.linspace(0, 1, 51))
        self.quantiles[0] = 0.0
        return self

    def predict(self, asked: Floats) -> SymmetricPrediction:
        """Predict with the same error for all."""
        return SymmetricPrediction(
            self.network.predict(asked), constant_distribution(self.quantiles, len(asked))
        )
