"""What every search backend offers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from operator import index
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from ltau._files.arrays import Arrays

__all__ = ["Latents", "NeighborIndex", "Neighbors", "Vectors", "without_own"]

Latents = NDArray[np.float32] | NDArray[np.float64]
"""Latents as they come; scaled they are `Vectors`."""
Vectors = NDArray[np.float32]
Neighbors = tuple[NDArray[np.float64], NDArray[np.intp]]
"""Distances (not squared) and row numbers, each (n_queries, k), nearest first."""


class NeighborIndex(ABC):
    """Finds the nearest of a fixed set of vectors by Euclidean distance.

    Parameters
    ----------
    vectors : ndarray of shape (n, n_features), float32, C-contiguous
        The vectors to search, finite.

    Attributes
    ----------
    vectors : ndarray of shape (n, n_features), float32
        The vectors, in the order that suits the index.
    recall : float
        Share of the true neighbours that a search finds; 1 if it is exact.
    report : list of dict
        What this index was chosen from, and why; empty if it was not.
    """

    kind: ClassVar[str]

    def __init__(self, vectors: Vectors) -> None:
        self.vectors = vectors
        self.recall = 1.0
        self.report: list[dict[str, Any]] = []

    def search(self, queries: Vectors, k: int) -> Neighbors:
        """Find the `k` nearest vectors of each query.

        Parameters
        ----------
        queries : ndarray of shape (n_queries, n_features), float32, C-contiguous
            Finite; NaN is refused where data enters the library.
        k : int
            At most the number of vectors.

        Returns
        -------
        distances : ndarray of shape (n_queries, k), float64
            Distances, ascending.
        indices : ndarray of shape (n_queries, k), intp
            Rows of the vectors as they were given, never -1.

        Raises
        ------
        ValueError
            If the queries are not such, or `k` is not from 1 to the number of vectors.
        """
        k = index(k)  # faiss takes no other integers
        n, width = self.vectors.shape
        if not 1 <= k <= n:
            raise ValueError(f"Expected from 1 to {n} neighbours, as many as vectors, got {k}.")
        if queries.ndim != 2 or queries.shape[1] != width or queries.dtype != np.float32:
            raise ValueError(
                f"Expected queries of shape (n_queries, {width}) in float32, got shape "
                f"{queries.shape} in {queries.dtype}."
            )
        return self._search(queries, k)

    @abstractmethod
    def _search(self, queries: Vectors, k: int) -> Neighbors:
        """Find what `search` gives, once it is known that it can be."""

    @property
    @abstractmethod
    def parameters(self) -> dict[str, int]:
        """What makes this index differ from others of its kind."""

    @property
    @abstractmethod
    def nbytes(self) -> int:
        """Memory of the index, in bytes, with the vectors if it needs them there."""

    @abstractmethod
    def to_arrays(self) -> Arrays:
        """Give the arrays from which `from_arrays` makes this index again, bit for bit."""

    @classmethod
    @abstractmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """Make the index again; raises ValueError where the arrays do not fit each other."""

    def __len__(self) -> int:
        return len(self.vectors)

    def __repr__(self) -> str:
        n, n_features = self.vectors.shape
        return f"{type(self).__name__}({n} x {n_features}, recall={self.recall:.3f})"

    def __reduce__(self) -> tuple[Callable[[Arrays], Self], tuple[Arrays]]:
        return self.from_arrays, (self.to_arrays(),)

    def vectors_of(self, rows: NDArray[np.intp]) -> Vectors:
        """Give the vectors of some rows."""
        return self.vectors[rows]

    def search_others(self, rows: NDArray[np.intp], k: int) -> Neighbors:
        """Find the `k` nearest other vectors of some of the vectors themselves.

        Parameters
        ----------
        rows : ndarray of shape (n_rows,), intp
            Rows of the vectors as they were given.
        k : int
            Less than the number of vectors.

        Returns
        -------
        distances, indices : ndarray of shape (n_rows, k)
            As `search` gives them; no row is its own neighbour.
        """
        k = index(k)
        return without_own(self.search(self.vectors_of(rows), k + 1), rows)


def without_own(found: Neighbors, own: NDArray[np.intp]) -> Neighbors:
    """Leave each query out of its own neighbours.

    Parameters
    ----------
    found : tuple of ndarray of shape (n, k + 1)
        Distances, ascending, and numbers.
    own : ndarray of shape (n,), intp
        Number of each query.

    Returns
    -------
    distances, indices : ndarray of shape (n, k)
        The others.
    """
    distances, indices = found
    itself = indices == own[:, None]
    itself[~itself.any(axis=1), -1] = True  # among duplicates it may not be found: drop the last
    others = len(own), distances.shape[1] - 1
    return distances[~itself].reshape(others), indices[~itself].reshape(others)
