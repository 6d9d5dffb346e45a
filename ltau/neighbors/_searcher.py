"""A search by an index of faiss, in threads of our own."""

from __future__ import annotations

from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from ltau._batches import batches
from ltau.neighbors._base import Vectors
from ltau.neighbors._threads import in_threads, n_threads

__all__ = ["search_in_threads"]

_QUERIES = 32  # of a part: few enough to share them evenly, always so many for the same numbers


def search_in_threads(
    searcher: Any, queries: Vectors, k: int
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Find the `k` nearest of each query, with a part of the queries for each thread.

    The threads of faiss ask the interpreter now and then whether to go on, and for that it
    makes and drops a state of each. A process that is forked meanwhile by Python 3.11 can wait
    for ever for the lock on these states. Threads of our own have theirs all the time.

    Parameters
    ----------
    searcher : faiss.Index
        The index.
    queries : ndarray of shape (n_queries, n_features), float32
        The queries.
    k : int
        Number of neighbours.

    Returns
    -------
    squared : ndarray of shape (n_queries, k), float32
        Squared distances, ascending.
    indices : ndarray of shape (n_queries, k), int64
        Numbers of the neighbours; -1 where faiss found fewer.
    """
    squared = np.empty((len(queries), k), np.float32)
    indices = np.empty((len(queries), k), np.int64)
    if len(queries) <= _QUERIES:  # one part, which nobody can help with
        with n_threads(1):
            searcher.search(queries, k, D=squared, I=indices)
        return squared, indices
    parts = list(batches(len(queries), _QUERIES))
    left = iter(parts)

    def search() -> None:
        with n_threads(1):
            for part in left:
                searcher.search(queries[part], k, D=squared[part], I=indices[part])

    in_threads(search, min(faiss.omp_get_max_threads(), len(parts)))
    return squared, indices
