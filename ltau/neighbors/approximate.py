"""What the approximate indices share: an effort, and its tuning to a recall."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np

from ltau.neighbors.base import NeighborIndex, Neighbors, Vectors
from ltau.neighbors.flat import FlatIndex, exact_search

__all__ = ["ApproximateIndex"]

_N_TUNING_QUERIES = 1000
_FINENESS = 8  # how near, relatively, the effort comes to the least one
_DISTANCE_ROUNDING = 1e-5  # relative, in float32


class ApproximateIndex(NeighborIndex):
    """A faiss index that finds more of the true neighbours the more effort it makes."""

    _faiss: Any  # the faiss index over `vectors`

    @property
    @abstractmethod
    def effort(self) -> int:
        """How much of the index a search visits."""

    @effort.setter
    @abstractmethod
    def effort(self, value: int) -> None: ...

    @property
    @abstractmethod
    def max_effort(self) -> int:
        """The effort beyond which nothing is left to visit."""

    def search(self, queries: Vectors, k: int) -> Neighbors:  # noqa: D102
        squared, indices = self._faiss.search(queries, k)
        distances = np.sqrt(squared, dtype=np.float64)
        indices = indices.astype(np.intp, copy=False)
        # Where fewer than k vectors were visited faiss leaves -1, which would index the last row.
        short = (indices < 0).any(axis=1)
        if short.any():
            distances[short], indices[short] = exact_search(self.vectors, queries[short], k)
        return distances, indices

    def tune(self, k: int, recall: float, random_state: int | None) -> None:
        """Find the least effort that reaches the recall of the `k` neighbours.

        The effort is doubled until it does, and then halved in on from below.

        Measured on a random sample of the vectors, each held out of its own search.

        Parameters
        ----------
        k : int
            Number of neighbours.
        recall : float
            Share of the true neighbours to find.
        random_state : int or None
            Seed of the sample.

        Raises
        ------
        ValueError
            If the greatest effort does not reach it.
        """
        rng = np.random.default_rng(random_state)
        sample = rng.choice(len(self), size=min(len(self), _N_TUNING_QUERIES), replace=False)
        k = min(k, len(self) - 1)
        exact, _ = FlatIndex(self.vectors).search_others(sample, k)
        # Measured by distance, so that among equally near vectors any will do.
        near_enough = exact[:, -1:] * (1 + _DISTANCE_ROUNDING)

        def measure(effort: int) -> float:
            self.effort = effort
            found, _ = self.search_others(sample, k)
            return float((found <= near_enough).mean())

        too_low, effort = 0, 1
        while (reached := measure(effort)) < recall:
            if effort >= self.max_effort:
                raise ValueError(
                    f"The {self.kind!r} index reaches a recall of {reached:.4f} at the most, "
                    f"below recall={recall}; use index='flat', or ask for less."
                )
            too_low, effort = effort, min(2 * effort, self.max_effort)
        while effort - too_low > max(1, effort // _FINENESS):
            middle = (too_low + effort) // 2
            if measure(middle) < recall:
                too_low = middle
            else:
                effort = middle
        self.recall = measure(effort)
