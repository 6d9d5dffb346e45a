"""The protocol of every method: it learns from what it is given, and says what it is asked."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Generic, Protocol, Self, TypeVar

from benchmarks.methods.distributions import ErrorModel

__all__ = ["Asked", "Given", "Method", "Prediction", "Said"]


class Prediction(Protocol):
    """What a method says of some samples, at the least."""

    @property
    def errors(self) -> ErrorModel:
        """Distributions of their absolute errors."""
        ...


Given = TypeVar("Given", contravariant=True)
Asked = TypeVar("Asked", contravariant=True)
Said = TypeVar("Said", bound=Prediction, covariant=True)


class Method(ABC, Generic[Given, Asked, Said]):
    """A method that says how wrong a model may be.

    What a benchmark gives to learn from and asks about is a parameter of the type: rows of
    numbers, or samples of a model that is trained. A method keeps its settings in attributes
    from the start, and what it learns in others.
    """

    @abstractmethod
    def fit(self, given: Given) -> Self:
        """Learn."""

    @abstractmethod
    def predict(self, asked: Asked) -> Said:
        """Say how large the errors may be, without a look at them."""
