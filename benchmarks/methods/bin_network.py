"""A small network that says in which of fifty bins the error lies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.methods.staged import Split, Staged
from ltau import ErrorBins, ErrorDistribution

__all__ = ["BinNetwork"]

Floats = NDArray[np.float64]

_N_BINS, _WIDTH, _N_EPOCHS = 50, 64, 40
_BATCH_SIZE, _LEARNING_RATE, _WEIGHT_DECAY = 128, 2e-3, 1e-2


class BinNetwork(Staged):
    """A softmax over bins of error, trained as a classifier.

    Where a sample was observed several times, each observation has the same weight. The
    cross-entropy of samples that are left out chooses the number of epochs, and whether there is
    no hidden layer, or two, with or without dropout.
    """

    candidates: ClassVar = (
        {"n_hidden": 0, "dropout": 0.0},
        {"n_hidden": 2, "dropout": 0.0},
        {"n_hidden": 2, "dropout": 0.3},
    )

    def choose(self, X: Floats, errors: Floats, splits: Sequence[Split]) -> float:
        """Make bins of the range of all errors, as LTAU does, and choose."""
        self.bins = ErrorBins.from_errors(errors, n_bins=_N_BINS)
        return super().choose(X, errors, splits)

    def losses(
        self, settings: Mapping[str, Any], X: Floats, errors: Floats, others: Floats, seen: Floats
    ) -> Floats:
        """Compute the mean cross-entropy of other samples after each epoch."""
        inputs, target = torch.from_numpy(others).float(), self._shares(seen)
        found = []
        for network in self._train(settings, X, errors, _N_EPOCHS):
            with torch.no_grad():
                found.append(float(torch.nn.functional.cross_entropy(network(inputs), target)))
        return np.array([found])

    def fit(self, X: Floats, errors: Floats) -> Self:
        """Train the network."""
        for network in self._train(self.settings, X, errors, int(self.n_stages[0])):
            self.network = network
        return self

    def predict(self, X: Floats) -> ErrorDistribution:
        """Predict the probability of each bin."""
        with torch.no_grad():
            logits = self.network(torch.from_numpy(X).float()).double()
        probabilities: Floats = torch.softmax(logits, dim=1).numpy()
        return ErrorDistribution(probabilities, self.bins.edges)

    def _train(
        self, settings: Mapping[str, Any], X: Floats, errors: Floats, n_epochs: int
    ) -> Iterator[torch.nn.Module]:
        """Train a network from the same start each time; give it after each epoch."""
        torch.manual_seed(0)
        network = _build(X.shape[1], **settings)
        inputs, target = torch.from_numpy(X).float(), self._shares(errors)
        optimizer = torch.optim.AdamW(
            network.parameters(), lr=_LEARNING_RATE, weight_decay=_WEIGHT_DECAY
        )
        for _ in range(n_epochs):
            network.train()
            for rows in torch.randperm(len(X)).split(_BATCH_SIZE):
                optimizer.zero_grad()
                loss = torch.nn.functional.cross_entropy(network(inputs[rows]), target[rows])
                loss.backward()
                optimizer.step()
            yield network.eval()

    def _shares(self, errors: Floats) -> torch.Tensor:
        """Compute the share of each sample's observations in each bin."""
        bins = self.bins.index(errors)
        shares = np.zeros((len(errors), _N_BINS), np.float32)
        np.add.at(shares, (np.arange(len(errors))[:, None], bins), 1 / errors.shape[1])
        return torch.from_numpy(shares)


def _build(n_features: int, n_hidden: int, dropout: float) -> torch.nn.Sequential:
    layers: list[torch.nn.Module] = []
    for n_inputs in [n_features, *[_WIDTH] * (n_hidden - 1)][:n_hidden]:
        layers += [torch.nn.Linear(n_inputs, _WIDTH), torch.nn.SiLU(), torch.nn.Dropout(dropout)]
    n_last = _WIDTH if n_hidden else n_features
    return torch.nn.Sequential(*layers, torch.nn.Linear(n_last, _N_BINS))
