"""Models from features to distributions of the error, which learn in stages."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from ltau import ErrorDistribution

__all__ = ["Split", "Staged"]

Floats = NDArray[np.float64]
Split = tuple[NDArray[np.intp], NDArray[np.intp]]  # rows to learn from, and rows to leave out


class Staged(ABC):
    """A model that learns in stages: rounds of boosting, or epochs.

    Errors have shape (n_samples, n_obs): a sample may have been observed several times.
    """

    candidates: ClassVar[Sequence[Mapping[str, Any]]]  # the settings that are tried

    def choose(self, X: Floats, errors: Floats, splits: Sequence[Split]) -> float:
        """Choose the settings, and how many stages there are, by samples that are left out.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)
            Features.
        errors : ndarray of shape (n_samples, n_obs)
            Observed errors.
        splits : sequence of Split
            Rows to learn from, and rows whose loss is averaged.

        Returns
        -------
        float
            The least loss.
        """
        least = np.inf
        for candidate in self.candidates:
            losses = np.mean(
                [
                    self.losses(candidate, X[rows], errors[rows], X[others], errors[others])
                    for rows, others in splits
                ],
                axis=0,
            )
            loss = float(losses.min(axis=1).sum())
            if loss < least:
                least, self.settings, self.n_stages = loss, candidate, losses.argmin(axis=1) + 1
        return least

    @abstractmethod
    def losses(
        self, settings: Mapping[str, Any], X: Floats, errors: Floats, others: Floats, seen: Floats
    ) -> Floats:
        """Compute the mean loss of other samples after each stage, shape (n_parts, n_stages).

        The loss is the sum over parts, each of which may have its own number of stages.
        """

    @abstractmethod
    def fit(self, X: Floats, errors: Floats) -> Self:
        """Learn with the settings and the stages that were chosen."""

    @abstractmethod
    def predict(self, X: Floats) -> ErrorDistribution:
        """Predict the distributions, whose bins no `fit` changes."""
