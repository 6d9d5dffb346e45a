"""Networks of an ensemble, and of dropout, with the settings of `ltau.compare`."""

from __future__ import annotations

from ltau.comparison.network import Network

__all__ = ["DROPOUT", "N_DRAWS", "member"]

DROPOUT, N_DRAWS = 0.1, 50  # of Monte Carlo dropout: the probability, and the passes


def member(number: int, n_epochs: int, seed: int, *, dropout: float = 0.0) -> Network:
    """Make a network, untrained; each member of an ensemble has a seed of its own."""
    return Network(n_epochs, dropout=dropout, random_state=1000 * number + seed)
