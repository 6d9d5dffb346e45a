"""The nearest others of every vector, as exactly as their mean distance needs them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import faiss
import numpy as np
from numpy.typing import NDArray

from ltau._batches import batches
from ltau.neighbors._base import NeighborIndex, Neighbors, Vectors, without_own
from ltau.neighbors._flat import FlatIndex, exact_search
from ltau.neighbors._ivf import IVFIndex
from ltau.neighbors._other_groups import common_factor, others_of_other_groups
from ltau.neighbors._products import squared_by_products
from ltau.neighbors._threads import in_threads, n_threads

__all__ = ["own_neighbors"]

Ints = NDArray[np.intp]

_N_TRIED = 300  # vectors on which it is measured
_SMALL = 2_000  # vectors, which are all searched in a few hundredths of a second
_EFFORTS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)  # cells
_NEAR_CELLS = 64  # for each that is searched: among them those nearest to a vector are sought
_BATCH_VALUES = 1 << 24  # that are measured from each other, about


def own_neighbors(
    index: NeighborIndex, k: int, rows: Ints | None = None, groups: Ints | None = None
) -> Iterator[tuple[Ints, Neighbors]]:
    """Find the `k` nearest others of vectors, in batches.

    All of them are asked for their mean distances. Where they are many and lie sorted by
    cells, no more of these are searched than it takes to know the means to 2.5 % (root mean
    square over a sample of the vectors). Neighbours that are missed make them too large, most
    of them by about the same factor, by which all are divided.

    Parameters
    ----------
    index : NeighborIndex
        At least two vectors.
    k : int
        Number of neighbours.
    rows : ndarray of shape (n,), intp, optional
        Those to search for, as `search_others` does. By default all.
    groups : ndarray of shape (n_vectors,), intp, optional
        The group of each, where others are to be of another one.

    Yields
    ------
    rows : ndarray of shape (n_batch,), intp
        Vectors, in any order.
    distances, indices : ndarray of shape (n_batch, k), or as many as there are
        Their neighbours.
    """
    if groups is not None:
        by_cells = _by_cells(index) if rows is None else None
        if by_cells is not None:
            every = by_cells.partition.rows
            yield from others_of_other_groups(by_cells, every, k, groups, nearly=True)
        else:
            every = np.arange(len(index)) if rows is None else rows
            yield from others_of_other_groups(index, every, k, groups)
        return
    k = min(k, len(index) - 1)
    search = _enough_cells(index, k) if rows is None else None
    asked = np.arange(len(index)) if rows is None else rows
    for part in batches(len(asked), _BATCH_VALUES // (index.vectors.shape[1] * (k + 1))):
        if search is None:
            yield asked[part], index.search_others(asked[part], k)
        else:
            distances, others = search.others(asked[part], k)
            yield search.rows[asked[part]], (distances, search.rows[others])


def _by_cells(index: NeighborIndex) -> IVFIndex | None:
    """Make a search by cells, of one to begin with, where the vectors lie sorted by them."""
    if (
        not isinstance(index, FlatIndex | IVFIndex)
        or index.partition is None
        or len(index) < _SMALL
    ):
        return None
    return IVFIndex(index.vectors, index.partition)


def _enough_cells(index: NeighborIndex, k: int) -> _CellSearch | None:
    """Make the search of the fewest cells that is exact enough, if there is one."""
    by_cells = _by_cells(index)
    if by_cells is None:
        return None
    search = _CellSearch(by_cells)
    n = len(index)
    tried = np.sort(np.random.default_rng(0).choice(n, min(n, _N_TRIED), replace=False))
    exact, _ = without_own(exact_search(index.vectors, index.vectors[tried], k + 1), tried)
    true = exact.mean(axis=1)
    for effort in _EFFORTS:
        if effort > len(search.centroids):
            break
        by_cells.effort = effort
        factor = common_factor(search.others(tried, k)[0].mean(axis=1), true)
        if factor is not None:
            search.factor = factor
            return search
    return None


class _CellSearch:
    """A search of a few cells for the nearest others of the vectors in one of them.

    The cells nearest to a vector are sought among those nearest to its own, which takes a
    part of the time of a search among all.
    """

    def __init__(self, index: IVFIndex) -> None:
        self._index = index
        self.rows = index.partition.rows
        self.centroids = index.partition.centroids
        self.factor = 1.0  # by which distances are too large

    def others(self, places: Ints, k: int) -> Neighbors:
        """Find those of the vectors at some places, ascending, and divide their distances."""
        queries = self._index.vectors[places]
        cells = self._index.partition.cells[places]
        squared = np.empty((len(places), k + 1), np.float32)
        found = np.empty((len(places), k + 1), np.int64)
        ends = [0, *(np.flatnonzero(np.diff(cells)) + 1).tolist(), len(places)]
        parts = iter([slice(*both) for both in pairwise(ends)])

        def search() -> None:
            with n_threads(1):
                for part in parts:
                    visited = self._visited(queries[part], cells[part.start])
                    unused = np.zeros(visited.shape, np.float32)  # distances to the centres
                    self._index.searcher.search_preassigned(
                        queries[part], k + 1, visited, unused, D=squared[part], I=found[part]
                    )

        in_threads(search, min(faiss.omp_get_max_threads(), len(ends) - 1))
        distances = np.sqrt(squared, dtype=np.float64) / self.factor
        short = found[:, -1] < 0
        if short.any():
            distances[short], found[short] = exact_search(
                self._index.vectors, queries[short], k + 1
            )
        return without_own((distances, found.astype(np.intp, copy=False)), places)

    def _visited(self, queries: Vectors, cell: int) -> NDArray[np.int64]:
        """Give the cells nearest to each of some vectors of a cell."""
        effort = self._index.effort
        if effort == 1:
            return np.full((len(queries), 1), cell)
        near = np.arange(len(self.centroids))
        if effort * _NEAR_CELLS < len(near):
            near = _nearest(self.centroids, self.centroids[[cell]], effort * _NEAR_CELLS)[0]
        return near[_nearest(self.centroids[near], queries, effort)]


def _nearest(centroids: Vectors, queries: Vectors, n: int) -> NDArray[np.intp]:
    """Find the `n` nearest of each query, in any order."""
    squared = np.empty((len(queries), len(centroids)), np.float32)
    squared_by_products(centroids, queries, squared)
    return np.argpartition(squared, n - 1, axis=1)[:, :n]
