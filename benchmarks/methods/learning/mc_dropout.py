"""Monte Carlo dropout."""

from __future__ import annotations

from benchmarks.harness.data import Rows
from benchmarks.harness.network import DROPOUT, N_DRAWS
from benchmarks.methods.learning.gaussian import Gaussian
from benchmarks.methods.learning.learner import Floats

__all__ = ["MCDropout"]


class MCDropout(Gaussian):
    """Monte Carlo dropout [1]_: 50 passes through a network with units dropped at random.

    References
    ----------
    .. [1] Y. Gal and Z. Ghahramani, "Dropout as a Bayesian approximation: representing model
       uncertainty in deep learning", ICML (2016). doi:10.48550/arXiv.1506.02142
    """

    def train(self, rows: Rows) -> None:
        """Train one network with dropout."""
        self.network = self.make_network(dropout=DROPOUT).fit(*rows)

    def draw(self, X: Floats) -> Floats:
        """Pass through it with dropout, shape (n_draws, n_samples)."""
        return self.network.predict_with_dropout(X, N_DRAWS)
