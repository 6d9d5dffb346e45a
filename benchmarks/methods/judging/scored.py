"""A method that judges a model by a score."""

from __future__ import annotations

from abc import abstractmethod
from typing import Self

import numpy as np
from numpy.typing import NDArray

from benchmarks.methods.converter import Converter
from benchmarks.methods.domains import Domain, Samples
from benchmarks.methods.judging.judge import Judge
from benchmarks.methods.predictions import LEVELS, ErrorPrediction

__all__ = ["Scored"]

Floats = NDArray[np.float64]


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
