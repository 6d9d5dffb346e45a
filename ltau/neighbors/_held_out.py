"""The sample on which the recall of an index is measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from ltau.neighbors._base import NeighborIndex, Vectors
from ltau.neighbors._flat import FlatIndex

__all__ = ["HeldOut"]

_N_QUERIES = 1000
_DISTANCE_ROUNDING = 1e-5  # relative, in float32


@dataclass(frozen=True)
class HeldOut:
    """Some of the vectors as queries, each held out of its own search, or new ones.

    Parameters
    ----------
    queries : ndarray of shape (n_queries, n_features), float32
        The vectors asked for.
    rows : ndarray of shape (n_queries,), intp, or None
        Their numbers; None if they are not among the vectors searched.
    k : int
        Number of neighbours.
    neighbors : ndarray of shape (n_queries, k), intp
        Numbers of the true neighbours.
    near_enough : ndarray of shape (n_queries, 1), float64
        Distance of the k-th true neighbour, and a little for rounding. Recall is
        measured by distance, so that among equally near vectors any will do.
    """

    queries: Vectors
    rows: NDArray[np.intp] | None
    k: int
    neighbors: NDArray[np.intp]
    near_enough: NDArray[np.float64]

    @classmethod
    def draw(cls, vectors: Vectors, k: int, random_state: int | None) -> Self:
        """Draw up to 1,000 of the vectors, and search their true neighbours.

        Parameters
        ----------
        vectors : ndarray of shape (n, n_features), float32, C-contiguous
            At least two vectors.
        k : int
            Number of neighbours; all others where there are fewer.
        random_state : int or None
            Seed of the sample.

        Returns
        -------
        HeldOut
            The sample.
        """
        rng = np.random.default_rng(random_state)
        rows = rng.choice(len(vectors), size=min(len(vectors), _N_QUERIES), replace=False)
        k = min(k, len(vectors) - 1)
        exact, neighbors = FlatIndex(vectors).search_others(rows, k)
        return cls(vectors[rows], rows, k, neighbors, exact[:, -1:] * (1 + _DISTANCE_ROUNDING))

    @classmethod
    def new(cls, queries: Vectors, vectors: Vectors, k: int) -> Self:
        """Search the true neighbours of queries that are not among the vectors.

        Parameters
        ----------
        queries : ndarray of shape (n_queries, n_features), float32, C-contiguous
            The queries.
        vectors : ndarray of shape (n, n_features), float32, C-contiguous
            The vectors.
        k : int
            Number of neighbours; all where there are fewer vectors.

        Returns
        -------
        HeldOut
            The sample.
        """
        k = min(k, len(vectors))
        exact, neighbors = FlatIndex(vectors).search(queries, k)
        return cls(queries, None, k, neighbors, exact[:, -1:] * (1 + _DISTANCE_ROUNDING))

    def recall(self, index: NeighborIndex) -> float:
        """Measure the share of the true neighbours that an index finds."""
        if self.rows is None:
            found, _ = index.search(self.queries, self.k)
        else:
            found, _ = index.search_others(self.rows, self.k)
        return float((found <= self.near_enough).mean())
