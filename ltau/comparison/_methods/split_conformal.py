"""Split conformal prediction."""

from __future__ import annotations

from typing import Self

import numpy as np
from mapie.regression import SplitConformalRegressor

from ltau.comparison._methods.constant import Constant
from ltau.comparison._rows import Rows

__all__ = ["SplitConformal"]

_MOST_LEVELS = 50  # evenly spaced; there must be more held-out rows than levels


class SplitConformal(Constant):
    """One model, with conformal bounds of its error by MAPIE [1]_, the same for every sample.

    References
    ----------
    .. [1] J. Lei, M. G'Sell, A. Rinaldo, R. J. Tibshirani and L. Wasserman, "Distribution-free
       predictive inference for regression", J. Am. Stat. Assoc. 113, 1094-1111 (2018).
       doi:10.1080/01621459.2017.1307116
    """

    name = "Split conformal"

    def fit(self, rows: Rows) -> Self:
        """Train on four fifths; take the bounds from the last fifth."""
        train, held_out = self.hold_out(rows)
        self.regressor = self.make_model().fit(train.X, train.y)
        n_levels = min(_MOST_LEVELS, len(held_out.y) - 1)
        levels = np.linspace(0, 1, n_levels + 1)[1:-1]
        conformal = SplitConformalRegressor(self.regressor, list(levels), prefit=True)
        conformal.conformalize(held_out.X, held_out.y)
        _, intervals = conformal.predict_interval(rows.X[:1])
        bounds = (intervals[0, 1] - intervals[0, 0]) / 2
        # Beyond the last level nothing is known: let the rest reach twice as far.
        self.quantiles = np.concatenate([[0.0], bounds, [2 * bounds[-1]]])
        return self
