"""A method that trains its own network on rows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmarks.harness.data import Rows
from benchmarks.harness.network import Network, member
from benchmarks.methods.method import Method
from benchmarks.methods.predictions import TargetPrediction

__all__ = ["Floats", "Learner"]

Floats = NDArray[np.float64]

_HELD_OUT = 0.2  # share of the training rows, where a method needs rows not trained on


class Learner(Method[Rows, Floats, TargetPrediction]):
    """A regressor that says how wrong it may be.

    It is given rows to train on, and features of shape (n, n_features) to predict for.

    Parameters
    ----------
    n_epochs : int
        Epochs of training of every network.
    seed : int
        Seed of everything random.
    """

    def __init__(self, n_epochs: int, seed: int) -> None:
        self.n_epochs = n_epochs
        self.seed = seed

    def make_network(self, number: int = 0, *, dropout: float = 0.0) -> Network:
        """Make a network, untrained: the only one, or a member of an ensemble."""
        return member(number, self.n_epochs, self.seed, dropout=dropout)

    def hold_out(self, rows: Rows) -> tuple[Rows, Rows]:
        """Divide the training rows: to train on, and to hold out."""
        n = len(rows.y)
        shuffled = np.random.default_rng(self.seed).permutation(n)
        train, held_out = np.split(shuffled, [n - round(_HELD_OUT * n)])
        return rows.take(train), rows.take(held_out)
