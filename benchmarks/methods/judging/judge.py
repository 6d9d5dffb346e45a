"""A method that judges a model that is trained already."""

from __future__ import annotations

from benchmarks.methods.domains import Domain, Samples
from benchmarks.methods.method import Method
from benchmarks.methods.predictions import ErrorPrediction

__all__ = ["Judge"]


class Judge(Method[Domain, Samples, ErrorPrediction]):
    """A method that predicts the errors of a model.

    It may look at the training and validation samples of a domain, and is asked about others.
    """
