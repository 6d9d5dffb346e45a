"""Conformalised quantile regression."""

from __future__ import annotations

import math
from typing import Self

import numpy as np

from ltau.comparison._methods.quantile_regression import QuantileRegression
from ltau.comparison._predictions import QuantilePrediction
from ltau.comparison._rows import Floats, Rows

__all__ = ["ConformalQuantiles"]


class ConformalQuantiles(QuantileRegression):
    """Quantile regression whose central intervals are moved until held-out rows fit them [1]_.

    References
    ----------
    .. [1] Y. Romano, E. Patterson and E. J. Candès, "Conformalized quantile regression",
       NeurIPS (2019). doi:10.48550/arXiv.1905.03222
    """

    name = "Conformal quantiles"

    def fit(self, rows: Rows) -> Self:
        """Train on four fifths; learn from the last fifth how far each interval is off."""
        train, held_out = self.hold_out(rows)
        super().fit(train)
        quantiles = self.quantiles(held_out.X)
        self.shifts = np.zeros(len(self.levels))  # the median stays
        for low in range(len(self.levels) // 2):
            high = len(self.levels) - 1 - low
            beyond = np.maximum(quantiles[:, low] - held_out.y, held_out.y - quantiles[:, high])
            shift = _conformal_quantile(beyond, self.levels[high] - self.levels[low])
            self.shifts[[low, high]] = -shift, shift
        return self

    def predict(self, X: Floats) -> QuantilePrediction:
        """Predict the median and the quantiles that were moved."""
        return QuantilePrediction(self.quantiles(X) + self.shifts, self.levels)


def _conformal_quantile(scores: Floats, level: float) -> float:
    """Take the score of rank (n + 1) times the level; the largest, if there are too few."""
    rank = min(math.ceil((len(scores) + 1) * level), len(scores))
    return float(np.sort(scores)[rank - 1])
