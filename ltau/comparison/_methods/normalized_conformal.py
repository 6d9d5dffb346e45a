"""Conformal prediction whose intervals are wider where the neighbours' errors are large."""

from __future__ import annotations

from typing import Self

import numpy as np
from crepes import WrapRegressor
from crepes.extras import DifficultyEstimator

from ltau.comparison._learner import Learner
from ltau.comparison._predictions import QuantilePrediction
from ltau.comparison._rows import Floats, Rows

__all__ = ["NormalizedConformal"]

_LEVELS = np.array([0.025, 0.05, 0.1, 0.15, 0.25, 0.35, 0.5, 0.65, 0.75, 0.85, 0.9, 0.95, 0.975])


class NormalizedConformal(Learner):
    """A conformal predictive system by crepes [1]_, with the errors of the nearest rows as scale.

    The scale of a row is the mean error of its 25 nearest training rows, in features that are
    scaled to the same range.

    References
    ----------
    .. [1] H. Boström, "crepes: a Python package for generating conformal regressors and
       predictive systems", Proc. Mach. Learn. Res. 179 (COPA 2022).
    """

    name = "Normalised conformal"

    def fit(self, rows: Rows) -> Self:
        """Train on four fifths; take the quantiles from the last fifth."""
        train, held_out = self.hold_out(rows)
        model = self.make_model().fit(train.X, train.y)
        residuals = train.y - model.predict(train.X)
        difficulty = DifficultyEstimator().fit(X=train.X, residuals=residuals, scaler=True)
        tails = np.minimum(_LEVELS, 1 - _LEVELS)
        self.levels = _LEVELS[tails * (len(held_out.y) + 1) >= 1]  # the rest needs more rows
        self.regressor = WrapRegressor(model)
        self.regressor.calibrate(held_out.X, held_out.y, de=difficulty, cps=True, seed=self.seed)
        return self

    def predict(self, X: Floats) -> QuantilePrediction:
        """Predict quantiles of the target."""
        percentiles = list(100 * self.levels)
        quantiles = self.regressor.predict_percentiles(X, lower_percentiles=percentiles)
        return QuantilePrediction(quantiles, self.levels)
