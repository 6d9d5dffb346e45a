"""Split conformal prediction."""

from __future__ import annotations

from typing import Self

import numpy as np
from mapie.regression import SplitConformalRegressor

from benchmarks.harness.data import Rows
from benchmarks.methods.learning.constant import Constant

__all__ = ["SplitConformal"]

_LEVELS = np.linspace(0.02, 0.98, 49)


class SplitConformal(Constant):
    """One network, with conformal bounds of its error by MAPIE [1]_, the same for every sample.

    References
    ----------
    .. [1] J. Lei, M. G'Sell, A. Rinaldo, R. J. Tibshirani and L. Wasserman, "Distribution-free
       predictive inference for regression", J. Am. Stat. Assoc. 113, 1094-1111 (2018).
       doi:10.1080/01621459.2017.1307116
    """

    def fit(self, given: Rows) -> Self:
        """Train on four fifths; take the bounds from the last fifth."""
        train, held_out = self.hold_out(given)
        self.network = self.make_network().fit(*train)
        conformal = SplitConformalRegressor(self.network, list(_LEVELS), prefit=True)
        conformal.conformalize(*held_out)
        _, intervals = conformal.predict_interval(given.X[:1])
        bounds = (intervals[0, 1] - intervals[0, 0]) / 2
        # Beyond the last level nothing is known: let the last 2 % reach twice as far.
        self.quantiles = np.concatenate([[0.0], bounds, [2 * bounds[-1]]])
        return self
