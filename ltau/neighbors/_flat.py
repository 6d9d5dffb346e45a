"""Exact search: every query against every vector."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import RLock
from typing import Self

import faiss
import numpy as np
from numpy.typing import NDArray

from ltau._files.arrays import Arrays
from ltau.neighbors._base import NeighborIndex, Neighbors, Vectors

__all__ = ["FlatIndex", "exact_search", "found_or_searched", "measure"]

_SPARE_CANDIDATES = 8
_faiss_settings = RLock()  # they belong to the process
_FEW_QUERIES = 16  # below, matrix products have nothing to gain

if sys.platform != "win32":  # a fork waits for a search, and has its settings as they were
    os.register_at_fork(
        before=_faiss_settings.acquire,
        after_in_parent=_faiss_settings.release,
        after_in_child=_faiss_settings.release,
    )


class FlatIndex(NeighborIndex):
    """Exact search, without a copy of the vectors."""

    kind = "flat"

    def _search(self, queries: Vectors, k: int) -> Neighbors:
        return exact_search(self.vectors, queries, k)

    @property
    def parameters(self) -> dict[str, int]:
        return {}

    @property
    def nbytes(self) -> int:
        return self.vectors.nbytes

    def to_arrays(self) -> Arrays:
        return {"vectors": self.vectors}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        return cls(arrays["vectors"])


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
    with _matrix_products(True):
        approximate, candidates = faiss.knn(queries, vectors, k + _SPARE_CANDIDATES)
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
    with _matrix_products(False):
        _, candidates = faiss.knn(queries, vectors, k)
    return measure(vectors, queries, candidates, k)


def measure(vectors: Vectors, queries: Vectors, candidates: NDArray[np.int64], k: int) -> Neighbors:
    """Measure the distances of the candidates by differences, and keep the `k` nearest.

    A candidate of -1 is none, and farther than all others.
    """
    difference = vectors[candidates]
    difference -= queries[:, None, :]
    squared = np.einsum("qcf,qcf->qc", difference, difference)
    squared[candidates < 0] = np.inf
    nearest = np.lexsort((candidates, squared), axis=-1)[:, :k]
    distances = np.sqrt(np.take_along_axis(squared, nearest, axis=1), dtype=np.float64)
    return distances, np.take_along_axis(candidates, nearest, axis=1).astype(np.intp, copy=False)


def _product_rounding(queries: Vectors, distance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Bound the rounding of ``|q|² - 2 q·x + |x|²`` for any x within `distance` of q.

    Such an x is no longer than ``|q| + distance``; rounding errors of the sums over
    features add up as their square root, with a safety factor.
    """
    length = 2 * np.linalg.norm(queries, axis=1) + distance
    return 4 * queries.shape[1] ** 0.5 * np.finfo(np.float32).eps * length**2


@contextmanager
def _matrix_products(wanted: bool) -> Iterator[None]:
    """Tell faiss whether to measure distances by matrix products, and in which blocks.

    By itself it takes products only for thousands of queries, for the sake of their rounding.
    """
    settings = {
        "distance_compute_blas_threshold": 1 if wanted else int(np.iinfo(np.int32).max),
        "distance_compute_blas_query_bs": 256,
        "distance_compute_blas_database_bs": 4096,
    }
    with _faiss_settings:
        before = {name: getattr(faiss.cvar, name) for name in settings}
        try:
            for name, value in settings.items():
                setattr(faiss.cvar, name, value)
            yield
        finally:
            for name, value in before.items():
                setattr(faiss.cvar, name, value)
