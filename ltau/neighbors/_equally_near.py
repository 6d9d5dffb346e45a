"""The nearest vectors and all that are as near as the last of them: no order decides."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ltau._maths.weights import EQUALLY_NEAR
from ltau.neighbors._base import NeighborIndex, Neighbors, Vectors

__all__ = ["TooManyEquallyNear", "search_equally_near"]

_WIDE = 64  # neighbours: an approximate index that is asked for more finds more of the nearest


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
    tied = distances[:, k] <= distances[:, k - 1] * (1 + EQUALLY_NEAR)
    if not tied.any():
        return distances[:, :k], indices[:, :k]
    return _widened(index, queries, k, (distances, indices), np.flatnonzero(tied), most)


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
    width = k + 1
    while len(tied) and width < len(index):
        width = min(max(2 * width, _WIDE), len(index))
        if most is not None and len(queries) > 1 and len(queries) * width > most:
            raise TooManyEquallyNear
        wider = np.full((len(queries), width), np.inf), np.zeros((len(queries), width), np.intp)
        wider[0][:, : distances.shape[1]], wider[1][:, : indices.shape[1]] = distances, indices
        distances, indices = wider
        distances[tied], indices[tied] = index.search(queries[tied], width)
        tied = tied[distances[tied, -1] <= distances[tied, k - 1] * (1 + EQUALLY_NEAR)]
    distances[distances > distances[:, k - 1 : k] * (1 + EQUALLY_NEAR)] = np.inf
    used = int(np.isfinite(distances).sum(axis=1).max())
    return distances[:, :used], indices[:, :used]
