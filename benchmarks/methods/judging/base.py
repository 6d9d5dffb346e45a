"""A method that judges a model that is trained already, and one that does so by a score."""

from __future__ import annotations

from abc import abstractmethod
from typing import Self

import numpy as np
from numpy.typing import NDArray

from benchmarks.methods.base import Method
from benchmarks.methods.converter import Converter
from benchmarks.methods.predictions import LEVELS, ErrorPrediction
from benchmarks.methods.samples import Domain, Samples

__all__ = ["Judge", "Scored"]

Floats = NDArray[np.float64]


class Judge(Method[Domain, Samples, ErrorPrediction]):
    """A method that foretells the errors of a model.

    It may look at the training and validation samples of a domain, and is asked about others.
    """


class Scored(Judge):
    """A method that gives no more than a score that should rise with the error."""

    by_class = True

    def fit(self, given: Domain) -> Self:
        """Learn the score, and what it means for the error."""
        self.learn(given)
        validation = given.validation
        score = self.score(validation)
        self.converter = Converter.fit(score, validation, by_class=self.by_class)
        return self

    def predict(self, asked: Samples) -> ErrorPrediction:
        """Convert the scores into distributions."""
        score = self.score(asked)
        errors = self.converter(score, asked)
        return ErrorPrediction(errors, errors.quantile(LEVELS), score)

    @abstractmethod
    def learn(self, domain: Domain) -> None:
        """Learn what the score needs."""

    @abstractmethod
    def score(self, samples: Samples) -> Floats:
        """Compute the scores, non-negative, shape (n,)."""
