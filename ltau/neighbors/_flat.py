"""Exact search: every query against every vector."""

from __future__ import annotations

from typing import Self

import faiss
import numpy as np
from numpy.typing import NDArray

from ltau._files.arrays import Arrays
from ltau.neighbors._base import NeighborIndex, Neighbors, Vectors
from ltau.neighbors._partition import Partition
from ltau.neighbors._products import nearest_by_products

__all__ = ["FlatIndex", "exact_search", "found_or_searched", "measure"]

_SPARE_CANDIDATES = 8
_FEW_QUERIES = 16  # below, matrix products have nothing to gain
_EVERY_VECTOR = faiss.IDSelectorAll()


class FlatIndex(NeighborIndex):
    """Exact search, without a copy of the vectors.

    Parameters
    ----------
    vectors : ndarray of shape (n, n_features), float32, C-contiguous
        The vectors to search.
    partition : Partition, optional
        Cells, where the vectors are sorted by them. A search does not need them; one that may
        be inexact, and takes less time, does.
    """

    kind = "flat"

    def __init__(self, vectors: Vectors, partition: Partition | None = None) -> None:
        super().__init__(vectors)
        self.partition = partition

    def _search(self, queries: Vectors, k: int) -> Neighbors:
        distances, places = exact_search(self.vectors, queries, k)
        return distances, places if self.partition is None else self.partition.rows[places]

    def vectors_of(self, rows: NDArray[np.intp]) -> Vectors:
        return self.vectors[rows if self.partition is None else self.partition.places[rows]]

    @property
    def parameters(self) -> dict[str, int]:
        return {}

    @property
    def nbytes(self) -> int:
        if self.partition is None:
            return self.vectors.nbytes
        n_places = 2 * len(self)  # the place and the cell of each
        return self.vectors.nbytes + self.partition.nbytes + 8 * n_places

    def to_arrays(self) -> Arrays:
        cells = {} if self.partition is None else self.partition.to_arrays()
        return {"vectors": self.vectors, **cells}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        vectors = arrays["vectors"]
        has_cells = "centroids" in arrays
        return cls(vectors, Partition.from_arrays(arrays, vectors.shape) if has_cells else None)


def exact_search(vectors: Vectors, queries: Vectors, k: int) -> Neighbors:
    """Find the `k` nearest vectors of each query exactly.

    Candidates come from matrix products, ``|q|² - 2 q·x + |x|²``: several times as fast
    as differences, but cancellation can swap neighbours that are almost equally far.
    So there are some candidates to spare, and all are measured again by differences.
    Where a vector that is no candidate could still be nearer than the k-th neighbour,
    the query is searched again by differences alone.
    """
    if len(queries) < _FEW_QUERIES or k + _SPARE_CANDIDATES >= len(vectors):
        return _search_by_differences(vectors, queries, k)
    approximate, candidates = nearest_by_products(vectors, queries, k + _SPARE_CANDIDATES)
    distances, indices = measure(vectors, queries, candidates, k)
    nearest_other = approximate[:, -1] - _product_rounding(queries, distances[:, -1])
    unsure = nearest_other <= distances[:, -1] ** 2
    if unsure.any():
        again = _search_by_differences(vectors, queries[unsure], k)
        distances[unsure], indices[unsure] = again
    return distances, indices


def found_or_searched(
    vectors: Vectors, queries: Vectors, squared: NDArray[np.float32], indices: NDArray[np.int64]
) -> Neighbors:
    """Take what faiss found, and search exactly where it found fewer than was asked.

    There it leaves -1, which would index the last row.
    """
    distances = np.sqrt(squared, dtype=np.float64)
    indices = indices.astype(np.intp, copy=False)
    if indices.size and indices.min() < 0:
        short = (indices < 0).any(axis=1)
        distances[short], indices[short] = exact_search(vectors, queries[short], squared.shape[1])
    return distances, indices


def _search_by_differences(vectors: Vectors, queries: Vectors, k: int) -> Neighbors:
    candidates = _nearest_by_differences(vectors, queries, k)
    return _in_order(candidates, _squared_distances(vectors, queries, candidates), k)


def _nearest_by_differences(vectors: Vectors, queries: Vectors, k: int) -> NDArray[np.int64]:
    """Let faiss search without matrix products, whatever the process's settings of it are.

    Users can set from how many queries on it takes products; versions count the queries or
    their features, which are no fewer, so below the setting in features none does. It takes
    none for some of the vectors, and all of them are some; to ask of each costs a tenth of the
    time.
    """
    vectors, queries = np.ascontiguousarray(vectors), np.ascontiguousarray(queries)
    squared = np.empty((len(queries), k), np.float32)
    candidates = np.empty((len(queries), k), np.int64)
    by_itself = queries.size < faiss.cvar.distance_compute_blas_threshold
    faiss.knn_L2sqr(
        faiss.swig_ptr(queries),
        faiss.swig_ptr(vectors),
        vectors.shape[1],
        len(queries),
        len(vectors),
        k,
        faiss.swig_ptr(squared),
        faiss.swig_ptr(candidates),
        None,
        None if by_itself else _EVERY_VECTOR,
    )
    return candidates


def measure(vectors: Vectors, queries: Vectors, candidates: NDArray[np.int64], k: int) -> Neighbors:
    """Measure the distances of the candidates by differences, and keep the `k` nearest.

    A candidate of -1 is none, and farther than all others.
    """
    squared = _squared_distances(vectors, queries, candidates)
    if candidates.min(initial=0) < 0:
        squared[candidates < 0] = np.inf
    return _in_order(candidates, squared, k)


def _squared_distances(vectors: Vectors, queries: Vectors, rows: NDArray[np.int64]) -> Vectors:
    difference = vectors.take(rows, axis=0)
    difference -= queries[:, None, :]
    squared: Vectors = np.einsum("qcf,qcf->qc", difference, difference)
    return squared


def _in_order(candidates: NDArray[np.int64], squared: Vectors, k: int) -> Neighbors:
    """Give the `k` nearest candidates by their squared distances, ascending."""
    candidates = candidates.astype(np.intp, copy=False)
    if not (squared[:, 1:] > squared[:, :-1]).all():  # they come sorted, but for rounding
        order = np.lexsort((candidates, squared), axis=-1)
        squared = np.take_along_axis(squared, order, axis=1)
        candidates = np.take_along_axis(candidates, order, axis=1)
    return np.sqrt(squared[:, :k], dtype=np.float64), candidates[:, :k]


def _product_rounding(queries: Vectors, distance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Bound the rounding of ``|q|² - 2 q·x + |x|²`` for any x within `distance` of q.

    Such an x is no longer than ``|q| + distance``; rounding errors of the sums over
    features add up as their square root, with a safety factor.
    """
    length = 2 * np.linalg.norm(queries, axis=1) + distance
    return 4 * queries.shape[1] ** 0.5 * np.finfo(np.float32).eps * length**2
