"""The nearest vectors and all that are as near as the last of them: no order decides."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ltau._batches import batches
from ltau._maths.weights import EQUALLY_NEAR
from ltau.neighbors._base import NeighborIndex, Neighbors, Vectors

__all__ = ["TooManyEquallyNear", "as_near_as_the_last", "search_equally_near"]

_WIDE = 64  # neighbours: an approximate index that is asked for more finds more of the nearest
_WIDEST = 1024  # beyond, one pass over all vectors takes less time
_BLOCK_VALUES = 1 << 20  # of vectors that are measured at once


class TooManyEquallyNear(Exception):
    """So many vectors are equally near that what is found should be asked for in parts."""


def search_equally_near(
    index: NeighborIndex, queries: Vectors, k: int, most: int | None = None
) -> Neighbors:
    """Find the `k` nearest vectors of each query, and those as near as the last.

    One more than asked for is searched. Where it is no farther than the last, more are
    searched, until one is farther.

    Parameters
    ----------
    index : NeighborIndex
        The vectors.
    queries : ndarray of shape (n_queries, n_features), float32, C-contiguous
        The queries.
    k : int
        Number of neighbours, at most that of the vectors.
    most : int, optional
        Number of distances that may be found; more are for a single query alone.

    Returns
    -------
    distances : ndarray of shape (n_queries, m), float64
        Distances, ascending; ``m >= k``, and where a query has fewer neighbours the last
        are infinite.
    indices : ndarray of shape (n_queries, m), intp
        Rows of the vectors; any where the distance is infinite.

    Raises
    ------
    TooManyEquallyNear
        If there are several queries, and more to be found.
    """
    if k >= len(index):
        return index.search(queries, len(index))
    distances, indices = index.search(queries, k + 1)
    tied = as_near_as_the_last(distances, k)
    if not tied.any():
        return distances[:, :k], indices[:, :k]
    return _widened(index, queries, k, (distances, indices), np.flatnonzero(tied), most)


def as_near_as_the_last(distances: NDArray[np.float64], k: int) -> NDArray[np.bool_]:
    """Tell for which queries one more than the `k` nearest is no farther than the last."""
    tied: NDArray[np.bool_] = distances[:, k] <= distances[:, k - 1] * (1 + EQUALLY_NEAR)
    return tied


def _widened(
    index: NeighborIndex,
    queries: Vectors,
    k: int,
    found: Neighbors,
    tied: NDArray[np.intp],
    most: int | None,
) -> Neighbors:
    """Search again those queries whose neighbours may go on."""
    distances, indices = found
    limits = distances[:, k - 1] * (1 + EQUALLY_NEAR)
    width, widest = k + 1, min(len(index), _WIDEST)
    while len(tied) and width < widest:
        width = min(max(2 * width, _WIDE), widest)
        _refuse_more(len(queries), width, most)
        distances, indices = _padded(distances, width, np.inf), _padded(indices, width, 0)
        distances[tied], indices[tied] = index.search(queries[tied], width)
        tied = tied[distances[tied, -1] <= limits[tied]]
    if len(tied) and width < len(index):
        _refuse_more(len(queries), len(index), most)
        every = [_all_within(index, queries[row], limits[row]) for row in tied]
        width = max(width, *(len(near) for near, _ in every))
        distances, indices = _padded(distances, width, np.inf), _padded(indices, width, 0)
        for row, (near, which) in zip(tied, every, strict=True):
            distances[row, : len(near)], indices[row, : len(near)] = near, which
    distances[distances > limits[:, None]] = np.inf
    used = int(np.isfinite(distances).sum(axis=1).max())
    return distances[:, :used], indices[:, :used]


def _refuse_more(n_queries: int, width: int, most: int | None) -> None:
    if most is not None and n_queries > 1 and n_queries * width > most:
        raise TooManyEquallyNear


def _padded(array: NDArray[Any], width: int, value: float) -> NDArray[Any]:
    """Widen an array to the right."""
    wider = np.full((len(array), width), value, array.dtype)
    wider[:, : array.shape[1]] = array
    return wider


def _all_within(index: NeighborIndex, query: Vectors, limit: float) -> Neighbors:
    """Measure the distances of one query to all vectors, and keep those within a limit."""
    distances = np.empty(len(index))
    for part in batches(len(index), _BLOCK_VALUES // len(query)):
        difference = index.vectors_of(np.arange(part.start, part.stop)) - query
        distances[part] = np.sqrt(np.einsum("nf,nf->n", difference, difference), dtype=np.float64)
    near = np.flatnonzero(distances <= limit)
    order = np.argsort(distances[near], kind="stable")
    return distances[near[order]], near[order]
