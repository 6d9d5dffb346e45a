"""LTAU on out-of-fold errors."""

from __future__ import annotations

from typing import Self

import numpy as np

from ltau.comparison._methods.ltau import LTAU
from ltau.comparison._rows import Rows
from ltau.comparison._splits import folds_of

__all__ = ["LTAUOutOfFold"]

_N_FOLDS = 5


class LTAUOutOfFold(LTAU):
    """LTAU on out-of-fold errors: every training row was held out from one of five networks."""

    name = "LTAU, out-of-fold"

    def fit(self, rows: Rows) -> Self:
        """Train five networks for the errors, and on all rows the one that predicts."""
        self.network = self.make_model()
        errors = np.empty((len(rows.y), self.network.n_epochs), np.float32)
        folds = folds_of(_N_FOLDS, rows, self.seed)
        for number, (train, fold) in enumerate(folds, start=1):
            network = self.make_model(number)
            network.fit(rows.X[train], rows.y[train], held_out=(rows.X[fold], rows.y[fold]))
            errors[fold] = network.held_out_errors_
        self.network.fit(rows.X, rows.y)
        return self.learn(rows, errors)
