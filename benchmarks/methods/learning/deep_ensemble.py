"""A deep ensemble."""

from __future__ import annotations

import numpy as np

from benchmarks.harness.data import Rows
from benchmarks.methods.learning.gaussian import Gaussian
from benchmarks.methods.learning.learner import Floats

__all__ = ["DeepEnsemble"]

_N_MEMBERS = 5


class DeepEnsemble(Gaussian):
    """Five networks from different random weights [1]_.

    References
    ----------
    .. [1] B. Lakshminarayanan, A. Pritzel and C. Blundell, "Simple and scalable predictive
       uncertainty estimation using deep ensembles", NeurIPS (2017).
       doi:10.48550/arXiv.1612.01474
    """

    def train(self, rows: Rows) -> None:
        """Train the networks."""
        self.networks = [self.make_network(number).fit(*rows) for number in range(_N_MEMBERS)]

    def draw(self, X: Floats) -> Floats:
        """Predict with each, shape (n_draws, n_samples)."""
        return np.stack([network.predict(X) for network in self.networks])
