"""Exact search, or search by cells: whichever takes less time, as far as counts tell."""

from __future__ import annotations

from time import perf_counter
from typing import Any

from ltau.neighbors._base import NeighborIndex, Vectors
from ltau.neighbors._flat import FlatIndex
from ltau.neighbors._held_out import HeldOut
from ltau.neighbors._ivf import IVFIndex

__all__ = ["fastest_index"]

# A vector in a cell takes so many times as long as one in a matrix product of all: measured
# with 16 to 64 features, between 4 for few queries and 7 for many.
_DEARER = 5


def fastest_index(
    vectors: Vectors, k: int, recall: float, random_state: int | None
) -> NeighborIndex:
    """Partition the vectors, and count how many of them a search by cells compares.

    The counts decide, and no clock: the same vectors have the same index every time.

    Parameters
    ----------
    vectors : ndarray of shape (n, n_features), float32, C-contiguous
        The vectors to search, which the index takes over and puts into another order.
    k : int
        Number of neighbours.
    recall : float
        Share of the true neighbours to find.
    random_state : int or None
        Seed of the partition, and of the sample on which the recall is measured.

    Returns
    -------
    NeighborIndex
        IVF, or flat, which is exact, and which has the partition too, for searches that need
        not be. Its `report` says how they compare.
    """
    held_out = HeldOut.draw(vectors, k, random_state)
    start = perf_counter()
    by_cells = IVFIndex.build(vectors, random_state)
    by_cells.tune(held_out, recall)
    seconds = perf_counter() - start
    exact = FlatIndex(vectors, by_cells.partition)
    n_compared = by_cells.n_compared(held_out.queries)
    share = _DEARER * n_compared / len(vectors)
    chosen: NeighborIndex = by_cells if share < 1 else exact
    chosen.report = [
        _record(exact, len(vectors), 1.0, 0.0) | {"chosen": chosen is exact},
        _record(by_cells, n_compared, share, seconds) | {"chosen": chosen is by_cells},
    ]
    return chosen


def _record(
    index: NeighborIndex, n_compared: float, relative_time: float, build_seconds: float
) -> dict[str, Any]:
    return {
        "kind": index.kind,
        "parameters": index.parameters,
        "recall": index.recall,
        "n_compared": n_compared,
        "relative_time": relative_time,
        "build_seconds": build_seconds,
        "nbytes": index.nbytes,
    }
