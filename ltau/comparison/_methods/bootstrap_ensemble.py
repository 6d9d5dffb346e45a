"""An ensemble of models trained on resampled rows."""

from __future__ import annotations

import numpy as np

from ltau.comparison._methods.deep_ensemble import N_MEMBERS, DeepEnsemble
from ltau.comparison._rows import Rows

__all__ = ["BootstrapEnsemble"]


class BootstrapEnsemble(DeepEnsemble):
    """Five models, each trained on rows drawn with replacement [1]_.

    References
    ----------
    .. [1] L. Breiman, "Bagging predictors", Mach. Learn. 24, 123-140 (1996).
       doi:10.1007/BF00058655
    """

    name = "Bootstrap ensemble"

    def train(self, rows: Rows) -> None:
        """Train the models."""
        rng = np.random.default_rng(self.seed)
        self.members = []
        for number in range(N_MEMBERS):
            drawn = rows.take(rng.integers(len(rows.y), size=len(rows.y)))
            self.members.append(self.make_model(number).fit(drawn.X, drawn.y))
