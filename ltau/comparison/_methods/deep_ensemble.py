"""A deep ensemble."""

from __future__ import annotations

import numpy as np

from ltau.comparison._methods.gaussian import Gaussian
from ltau.comparison._rows import Floats, Rows

__all__ = ["N_MEMBERS", "DeepEnsemble"]

N_MEMBERS = 5


class DeepEnsemble(Gaussian):
    """Five networks from different random weights [1]_.

    References
    ----------
    .. [1] B. Lakshminarayanan, A. Pritzel and C. Blundell, "Simple and scalable predictive
       uncertainty estimation using deep ensembles", NeurIPS (2017).
       doi:10.48550/arXiv.1612.01474
    """

    name = "Deep ensemble"

    def train(self, rows: Rows) -> None:
        """Train the networks."""
        self.members = [self.make_model(number).fit(rows.X, rows.y) for number in range(N_MEMBERS)]

    def draw(self, X: Floats) -> Floats:
        """Predict with each, shape (n_draws, n_samples)."""
        return np.stack([member.predict(X) for member in self.members])
