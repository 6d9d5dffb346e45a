"""Several predictions of each sample, as a Gaussian."""

from __future__ import annotations

from abc import abstractmethod
from typing import Self

import numpy as np
from scipy.optimize import minimize_scalar

from ltau.comparison._learner import Learner
from ltau.comparison._predictions import GaussianPrediction
from ltau.comparison._rows import Floats, Rows

__all__ = ["Gaussian"]


class Gaussian(Learner):
    """Several predictions a sample: their spread and a constant noise, fitted to held-out rows."""

    @abstractmethod
    def train(self, rows: Rows) -> None:
        """Train what predicts."""

    @abstractmethod
    def draw(self, X: Floats) -> Floats:
        """Predict several times, shape (n_draws, n_samples)."""

    def fit(self, rows: Rows) -> Self:
        """Train on four fifths, find the likeliest noise on the last fifth; train on all rows."""
        train, held_out = self.hold_out(rows)
        self.train(train)
        draws = self.draw(held_out.X)
        squared = (held_out.y - draws.mean(axis=0)) ** 2
        self.noise = _likeliest_noise(squared, draws.var(axis=0, ddof=1))
        self.train(rows)
        return self

    def predict(self, X: Floats) -> GaussianPrediction:
        """Predict the mean of the draws, with a Gaussian around it."""
        draws = self.draw(X)
        std = np.sqrt(draws.var(axis=0, ddof=1) + self.noise)
        return GaussianPrediction(draws.mean(axis=0), std)


def _likeliest_noise(squared: Floats, spread: Floats) -> float:
    """Find the variance that is to be added to the spread, from squared errors."""

    def negative_log_likelihood(log_noise: float) -> float:
        variance = spread + np.exp(log_noise)
        return float((np.log(variance) + squared / variance).mean())

    around = np.log(squared.mean())
    found = minimize_scalar(
        negative_log_likelihood, bounds=(around - 15, around + 2), method="bounded"
    )
    return float(np.exp(found.x))
