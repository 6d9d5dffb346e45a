"""Approximate search in the nearest cells of a k-means partition (inverted file)."""

from __future__ import annotations

import math
from typing import Any, Self

import faiss
import numpy as np
from numpy.typing import NDArray

from ltau._files.arrays import Arrays
from ltau.neighbors._approximate import CellIndex
from ltau.neighbors._base import Neighbors, Vectors
from ltau.neighbors._flat import found_or_searched
from ltau.neighbors._held_out import HeldOut
from ltau.neighbors._partition import Partition, default_n_cells
from ltau.neighbors._searcher import search_in_threads
from ltau.neighbors._views import inverted_lists

__all__ = ["IVFIndex"]


class IVFIndex(CellIndex):
    """Search in the `effort` cells nearest to the query.

    The vectors are held once, one cell after the other, and searched where they lie: in
    memory or in a mapped file.

    Parameters
    ----------
    vectors : ndarray of shape (n, n_features), float32, C-contiguous
        The vectors by cells, as ``partition.rows`` has them.
    partition : Partition
        The cells.
    """

    kind = "ivf"

    def __init__(self, vectors: Vectors, partition: Partition) -> None:
        super().__init__(vectors)
        self.partition = partition
        self._quantizer = partition.quantizer()
        self._lists = inverted_lists(vectors, partition.sizes)
        self.searcher: Any = faiss.IndexIVFFlat(
            self._quantizer, vectors.shape[1], len(partition.sizes)
        )
        self.searcher.replace_invlists(self._lists, False)
        self.searcher.is_trained = True
        self.searcher.ntotal = len(vectors)

    @classmethod
    def build(
        cls, vectors: Vectors, random_state: int | None = 0, n_cells: int | None = None
    ) -> Self:
        """Partition `vectors`, and sort them.

        Parameters
        ----------
        vectors : ndarray of shape (n, n_features), float32, C-contiguous
            The vectors to search, which the index takes over: they are sorted in place.
        random_state : int or None, default=0
            Seed of the partition.
        n_cells : int, optional
            Number of cells, by default about ``2 * sqrt(n)``.

        Returns
        -------
        IVFIndex
            The index, with an effort of one cell.
        """
        cells = default_n_cells(len(vectors)) if n_cells is None else n_cells
        partition = Partition.build(vectors, cells, random_state)
        partition.sort(vectors)
        return cls(vectors, partition)

    def tune(self, held_out: HeldOut, recall: float) -> bool:
        """Read the least effort off the cells in which the true neighbours lie.

        Parameters
        ----------
        held_out, recall
            As for any approximate index.

        Returns
        -------
        bool
            True: enough cells always reach it.
        """
        order = self._cells_by_distance(held_out.queries)
        ranks = np.empty_like(order)
        np.put_along_axis(ranks, order, np.arange(order.shape[1])[None], axis=1)
        cells = self.partition.cells[self.partition.places[held_out.neighbors]]
        needed = np.sort(np.take_along_axis(ranks, cells, axis=1), axis=None) + 1
        self.effort = int(needed[math.ceil(recall * needed.size) - 1])
        self.recall = float((needed <= self.effort).mean())
        return True

    def n_compared(self, queries: Vectors) -> float:
        """Count the centres and vectors that are compared with a query, on average."""
        visited = self._cells_by_distance(queries)[:, : self.effort]
        return float(self.max_effort + self.partition.sizes[visited].sum(axis=1).mean())

    def _cells_by_distance(self, queries: Vectors) -> NDArray[np.int64]:
        return search_in_threads(self._quantizer, queries, self.max_effort)[1]

    def _search(self, queries: Vectors, k: int) -> Neighbors:
        squared, places = search_in_threads(self.searcher, queries, k)
        distances, places = found_or_searched(self.vectors, queries, squared, places)
        return distances, self.partition.rows[places]

    def vectors_of(self, rows: NDArray[np.intp]) -> Vectors:
        return self.vectors[self.partition.places[rows]]

    @property
    def parameters(self) -> dict[str, int]:
        return {"n_cells": self.max_effort, "effort": self.effort}

    @property
    def nbytes(self) -> int:
        n_places = 3 * len(self)  # in faiss, and the place and the cell of each
        return self.vectors.nbytes + self.partition.nbytes + 8 * n_places

    def to_arrays(self) -> Arrays:
        return {
            "vectors": self.vectors,
            **self.partition.to_arrays(),
            "effort": np.array(self.effort),
            "recall": np.array(self.recall),
        }

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        vectors = arrays["vectors"]
        partition = Partition.from_arrays(arrays, vectors.shape)
        if not 1 <= arrays["effort"] <= len(partition.sizes):
            raise ValueError("The effort of an IVF index does not fit its cells.")
        index = cls(vectors, partition)
        index.effort = int(arrays["effort"])
        index.recall = float(arrays["recall"])
        return index
