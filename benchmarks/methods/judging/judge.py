"""A method that judges a model that is trained already."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Self

from benchmarks.methods.domains import Domain, Samples
from benchmarks.methods.predictions import ErrorPrediction

__all__ = ["Judge"]


class Judge(ABC):
    """A method that predicts the errors of a model.

    It may look at the training and validation samples of a domain, and is asked about others.
    It keeps its settings in attributes from the start, and what it learns in others.
    """

    @abstractmethod
    def fit(self, given: Domain) -> Self:
        """Learn."""

    @abstractmethod
    def predict(self, asked: Samples) -> ErrorPrediction:
        """Predict how large the errors may be, without a look at them."""
