"""A model of the latents of each class."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.preprocessing import StandardScaler

from benchmarks.methods.domains import Domain, Samples
from benchmarks.methods.judging.scored import Scored

__all__ = ["PerClass"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class PerClass(Scored):
    """A score by a model of the standardised latents, one model a class where there are any."""

    def learn(self, domain: Domain) -> None:
        """Model the training latents."""
        latents = domain.train.latents.astype(np.float64)
        self.scaler = StandardScaler().fit(latents)
        latents, held_out = self._standardized(domain.train), self._standardized(domain.validation)
        labels, held_out_labels = _labels(domain.train), _labels(domain.validation)
        self.models: dict[int, Any] = {
            int(label): self.model(latents[labels == label], held_out[held_out_labels == label])
            for label in np.unique(labels)
        }

    def score(self, samples: Samples) -> Floats:
        """Score each sample by the model of its class."""
        latents, labels = self._standardized(samples), _labels(samples)
        scores = np.empty(len(labels))
        for label in np.unique(labels):
            rows = labels == label
            scores[rows] = self.score_of(self.models[int(label)], latents[rows])
        return scores

    @abstractmethod
    def model(self, latents: Floats, held_out: Floats) -> Any:
        """Model the latents of one class; those held out may choose between models."""

    @abstractmethod
    def score_of(self, model: Any, latents: Floats) -> Floats:
        """Score latents of one class."""

    def _standardized(self, samples: Samples) -> Floats:
        scaled: Floats = self.scaler.transform(samples.latents.astype(np.float64))
        return scaled


def _labels(samples: Samples) -> Ints:
    return np.zeros(len(samples.errors), np.int64) if samples.classes is None else samples.classes
