"""Distances by matrix products, block by block, and the least of them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from ltau._batches import batches
from ltau.neighbors._base import Vectors
from ltau.neighbors._threads import in_threads, n_threads

__all__ = ["nearest_by_products", "squared_by_products"]

_QUERIES, _VECTORS = 256, 4096  # of a block: its distances stay in the cache of a core
_BLOCK_DISTANCES = 1 << 18  # at least: for each block the interpreter must be had again
_FEW_QUERIES = 8  # that a thread is not asked for
_FEW_DISTANCES = 1 << 17  # nor for these, which take a core a fraction of a millisecond

Approximate = tuple[NDArray[np.float32], NDArray[np.int64]]


def nearest_by_products(vectors: Vectors, queries: Vectors, k: int) -> Approximate:
    """Find about the `k` nearest vectors of each query, by ``|q|² - 2 q·x + |x|²``.

    Faiss does the same, but by settings of the whole process. And its BLAS has one number of
    threads for the whole process: two searches that want different ones can have its memory
    taken away while they compute. So a block is one thread's, which asks for no others, and
    the threads are ours.

    Parameters
    ----------
    vectors : ndarray of shape (n, n_features), float32
        The vectors.
    queries : ndarray of shape (n_queries, n_features), float32
        The queries, at least one.
    k : int
        At most the number of vectors.

    Returns
    -------
    squared : ndarray of shape (n_queries, k), float32
        Squared distances, ascending, as rounded as such products are: even below 0.
    indices : ndarray of shape (n_queries, k), int64
        Rows of the vectors.
    """
    vectors, queries = np.ascontiguousarray(vectors), np.ascontiguousarray(queries)
    squared = np.empty((len(queries), k), np.float32)
    indices = np.empty((len(queries), k), np.int64)
    n_workers = 1
    if len(queries) * len(vectors) > _FEW_DISTANCES:
        n_workers = min(faiss.omp_get_max_threads(), max(1, len(queries) // _FEW_QUERIES))
    n_parts = n_workers * -(-len(queries) // (n_workers * _QUERIES))  # as many for each
    rows = -(-len(queries) // n_parts)
    parts = iter([(queries[p], squared[p], indices[p]) for p in batches(len(queries), rows)])
    in_threads(partial(_search_parts, vectors, rows, parts), n_workers)
    return squared, indices


def _search_parts(
    vectors: Vectors,
    most_rows: int,
    parts: Iterator[tuple[Vectors, NDArray[np.float32], NDArray[np.int64]]],
) -> None:
    """Fill in the nearest of the queries of each part that is left."""
    n_vectors = min(len(vectors), max(_VECTORS, _BLOCK_DISTANCES // most_rows))
    block = np.empty(most_rows * n_vectors, np.float32)
    with n_threads(1):
        for queries, squared, indices in parts:
            nearest: Any = faiss.float_maxheap_array_t()
            nearest.nh, nearest.k = squared.shape
            nearest.val, nearest.ids = faiss.swig_ptr(squared), faiss.swig_ptr(indices)
            nearest.heapify()
            for some in batches(len(vectors), n_vectors):
                squared_by_products(vectors[some], queries, block)
                nearest.addn(some.stop - some.start, faiss.swig_ptr(block), some.start)
            nearest.reorder()


def squared_by_products(vectors: Vectors, queries: Vectors, squared: NDArray[np.float32]) -> None:
    """Fill in the squared distance of every query from every vector, one query after the other.

    Parameters
    ----------
    vectors : ndarray of shape (n, n_features), float32, C-contiguous
        The vectors.
    queries : ndarray of shape (n_queries, n_features), float32, C-contiguous
        The queries.
    squared : ndarray, float32, C-contiguous
        Room for ``n_queries * n`` numbers, or for more.
    """
    faiss.pairwise_L2sqr(
        vectors.shape[1],
        len(queries),
        faiss.swig_ptr(queries),
        len(vectors),
        faiss.swig_ptr(vectors),
        faiss.swig_ptr(squared),
    )
