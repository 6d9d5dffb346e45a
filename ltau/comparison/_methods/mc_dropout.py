"""Monte Carlo dropout."""

from __future__ import annotations

from ltau.comparison._methods.gaussian import Gaussian
from ltau.comparison._rows import Floats, Rows

__all__ = ["MCDropout"]

_DROPOUT, _N_DRAWS = 0.1, 50  # the probability, and the passes


class MCDropout(Gaussian):
    """Monte Carlo dropout [1]_: 50 passes through a network with units dropped at random.

    References
    ----------
    .. [1] Y. Gal and Z. Ghahramani, "Dropout as a Bayesian approximation: representing model
       uncertainty in deep learning", ICML (2016). doi:10.48550/arXiv.1506.02142
    """

    name = "MC dropout"

    def train(self, rows: Rows) -> None:
        """Train one network with dropout."""
        self.network = self.make_model(dropout=_DROPOUT).fit(rows.X, rows.y)

    def draw(self, X: Floats) -> Floats:
        """Pass through it with dropout, shape (n_draws, n_samples)."""
        return self.network.predict_with_dropout(X, _N_DRAWS)
