"""LTAU on out-of-fold errors."""

from __future__ import annotations

from typing import Self

import numpy as np
from sklearn.model_selection import KFold

from benchmarks.harness.data import Rows
from benchmarks.methods.learning.ltau import LTAU

__all__ = ["LTAUOutOfFold"]

_N_FOLDS = 5


class LTAUOutOfFold(LTAU):
    """LTAU on out-of-fold errors: every training row was held out from one of five networks."""

    def fit(self, given: Rows) -> Self:
        """Train five networks for the errors, and on all rows the one that predicts."""
        errors = np.empty((len(given.y), self.n_epochs), np.float32)
        folds = KFold(_N_FOLDS, shuffle=True, random_state=self.seed)
        for number, (train, fold) in enumerate(folds.split(given.X), start=1):
            network = self.make_network(number)
            network.fit(*given.take(train), held_out=given.take(fold))
            errors[fold] = network.held_out_errors_
        self.network = self.make_network().fit(*given)
        return self.learn(given, errors)
