"""The one way in: an index of the kind asked for, tuned to a recall."""

from __future__ import annotations

from ltau.neighbors.base import NeighborIndex, Vectors
from ltau.neighbors.flat import FlatIndex
from ltau.neighbors.hnsw import HNSWIndex
from ltau.neighbors.ivf import IVFIndex

__all__ = ["INDEX_CLASSES", "make_index"]

INDEX_CLASSES: dict[str, type[NeighborIndex]] = {
    cls.kind: cls for cls in (FlatIndex, IVFIndex, HNSWIndex)
}

_SMALL = 20_000  # vectors: below, an exact search of them takes about as long as a cheap one

# An exact search runs as matrix products, about four times as fast a vector as the
# scan of a cell: a partition that must search more of itself than this has not paid.
_WORTHWHILE_SHARE = 0.25


def make_index(
    kind: str,
    vectors: Vectors,
    *,
    n_neighbors: int = 10,
    recall: float = 0.99,
    random_state: int | None = None,
) -> NeighborIndex:
    """Make an index over `vectors`.

    Parameters
    ----------
    kind : {"auto", "flat", "ivf", "hnsw"}
        ``"flat"`` is exact; ``"ivf"`` and ``"hnsw"`` are approximate and tuned to
        `recall`, where there is more than one vector; ``"auto"`` is flat up to 20,000
        vectors and above that IVF, unless IVF would have to search so much of the set
        that flat is faster.
    vectors : ndarray of shape (n, n_features), float32, C-contiguous
        The vectors to search.
    n_neighbors : int, default=10
        Number of neighbours whose recall is tuned.
    recall : float, default=0.99
        Share of the true neighbours to find, measured on held-out vectors.
    random_state : int or None, default=None
        Seed of the partition and of the held-out sample.

    Returns
    -------
    NeighborIndex
        Its `recall` says what was reached.

    Raises
    ------
    ValueError
        If `kind` is unknown, or the recall cannot be reached.

    Examples
    --------
    >>> import numpy as np
    >>> from ltau.neighbors import make_index
    >>> vectors = np.eye(3, dtype=np.float32)
    >>> distances, rows = make_index("flat", vectors).search(vectors[:1], k=2)
    >>> rows
    array([[0, 1]])
    >>> distances.round(3)
    array([[0.   , 1.414]])
    """
    if kind not in ("auto", *INDEX_CLASSES):
        raise ValueError(f"Expected index 'auto', 'flat', 'ivf' or 'hnsw', got {kind!r}.")
    if kind == "flat" or len(vectors) == 1 or (kind == "auto" and len(vectors) <= _SMALL):
        return FlatIndex(vectors)
    if kind in ("auto", "ivf"):
        ivf = IVFIndex.build(vectors, random_state)
        ivf.tune(n_neighbors, recall, random_state)
        if kind == "auto" and ivf.effort > _WORTHWHILE_SHARE * ivf.max_effort:
            return FlatIndex(vectors)
        return ivf
    hnsw = HNSWIndex.build(vectors)
    hnsw.tune(n_neighbors, recall, random_state)
    return hnsw
