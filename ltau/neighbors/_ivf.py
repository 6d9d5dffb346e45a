"""Approximate search in the nearest cells of a k-means partition (inverted file)."""

from __future__ import annotations

from functools import cached_property
from typing import Any, Self

import faiss
import numpy as np
from numpy.typing import NDArray

from ltau._files.arrays import Arrays
from ltau.neighbors._approximate import CellIndex
from ltau.neighbors._base import Neighbors, Vectors
from ltau.neighbors._flat import found_or_searched
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

    def _search(self, queries: Vectors, k: int) -> Neighbors:
        squared, places = search_in_threads(self.searcher, queries, k)
        distances, places = found_or_searched(self.vectors, queries, squared, places)
        return distances, self.partition.rows[places]

    def vectors_of(self, rows: NDArray[np.intp]) -> Vectors:
        return self.vectors[self._places[rows]]

    @cached_property
    def _places(self) -> NDArray[np.int64]:
        return self.partition.places()

    @property
    def parameters(self) -> dict[str, int]:
        return {"n_cells": self.max_effort, "effort": self.effort}

    @property
    def nbytes(self) -> int:
        n_places = 2 * len(self)  # in faiss, and those of each row
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
