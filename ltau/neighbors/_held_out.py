"""The sample on which the recall and the speed of an index are measured."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from time import perf_counter
from typing import Self

import numpy as np
from numpy.typing import NDArray

from ltau.neighbors._base import NeighborIndex, Vectors
from ltau.neighbors._flat import FlatIndex

__all__ = ["FEW_QUERIES", "HeldOut", "QueryTimes"]

FEW_QUERIES = 16  # about the atoms of a small molecule: a step of its dynamics
_N_QUERIES = 1000
_N_FEW = 4  # batches of few queries
_N_PASSES = 5
_LONG_ENOUGH = 0.05  # seconds of timing after which the passes are not repeated
_DISTANCE_ROUNDING = 1e-5  # relative, in float32


@dataclass(frozen=True)
class QueryTimes:
    """Seconds a query takes, in batches of few and of many."""

    few: float
    many: float

    @property
    def cost(self) -> float:
        """The geometric mean of both, so that neither counts more for being slower."""
        return float(np.sqrt(self.few * self.many))


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
    near_enough : ndarray of shape (n_queries, 1), float64
        Distance of the k-th true neighbour, and a little for rounding. Recall is
        measured by distance, so that among equally near vectors any will do.
    """

    queries: Vectors
    rows: NDArray[np.intp] | None
    k: int
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
        exact, _ = FlatIndex(vectors).search_others(rows, k)
        return cls(vectors[rows], rows, k, exact[:, -1:] * (1 + _DISTANCE_ROUNDING))

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
        exact, _ = FlatIndex(vectors).search(queries, k)
        return cls(queries, None, k, exact[:, -1:] * (1 + _DISTANCE_ROUNDING))

    def recall(self, index: NeighborIndex) -> float:
        """Measure the share of the true neighbours that an index finds."""
        if self.rows is None:
            found, _ = index.search(self.queries, self.k)
        else:
            found, _ = index.search_others(self.rows, self.k)
        return float((found <= self.near_enough).mean())

    def times(self, index: NeighborIndex) -> QueryTimes:
        """Time an index: the fastest of a few passes, for a machine may be disturbed."""
        n_few = min(_N_FEW * FEW_QUERIES, len(self.queries))
        few = [self.queries[i : i + FEW_QUERIES] for i in range(0, n_few, FEW_QUERIES)]
        return QueryTimes(
            self._fastest(index, few) / n_few,
            self._fastest(index, [self.queries]) / len(self.queries),
        )

    def takes_longer(self, index: NeighborIndex, seconds: float) -> bool:
        """Tell whether a query, of many at once, takes longer each time that it is tried."""
        if seconds == inf:
            return False
        per_query = (self._pass(index, [self.queries]) / len(self.queries) for _ in range(3))
        return all(taken > seconds for taken in per_query)

    def _fastest(self, index: NeighborIndex, batches: list[Vectors]) -> float:
        passes: list[float] = []
        while len(passes) < _N_PASSES and sum(passes) < _LONG_ENOUGH:
            passes.append(self._pass(index, batches))
        return min(passes)

    def _pass(self, index: NeighborIndex, batches: list[Vectors]) -> float:
        start = perf_counter()
        for batch in batches:
            index.search(batch, self.k)
        return perf_counter() - start
