"""The one way in: an index of the kind asked for, tuned to a recall."""

from __future__ import annotations

import numpy as np

from ltau._files.arrays import all_finite
from ltau.neighbors._approximate import ApproximateIndex
from ltau.neighbors._base import NeighborIndex, Vectors
from ltau.neighbors._choice import fastest_index
from ltau.neighbors._flat import FlatIndex
from ltau.neighbors._held_out import HeldOut
from ltau.neighbors._hnsw import HNSWIndex
from ltau.neighbors._ivf import IVFIndex
from ltau.neighbors._quantized import PQIndex, SQ8Index

__all__ = ["INDEX_CLASSES", "make_index"]

_APPROXIMATE: dict[str, type[ApproximateIndex]] = {
    cls.kind: cls for cls in (IVFIndex, HNSWIndex, SQ8Index, PQIndex)
}
INDEX_CLASSES: dict[str, type[NeighborIndex]] = {FlatIndex.kind: FlatIndex, **_APPROXIMATE}

# Below, an exact search of a query takes some 10 microseconds, and to measure what is
# faster as long as 10,000 of them.
_SMALL = 2_000  # vectors


def make_index(
    kind: str,
    vectors: Vectors,
    *,
    n_neighbors: int = 10,
    recall: float = 0.99,
    random_state: int | None = 0,
    overwrite: bool = False,
) -> NeighborIndex:
    """Make an index over `vectors`.

    Parameters
    ----------
    kind : {"auto", "flat", "ivf", "hnsw", "ivf_sq8", "ivf_pq"}
        ``"flat"`` is exact; the others are approximate and tuned to `recall`, where there
        is more than one vector. ``"ivf_sq8"`` and ``"ivf_pq"`` search codes of one byte and
        of two bits per feature, and measure the best candidates again by their vectors.
        ``"auto"`` is flat below 2,000 vectors, and above that flat or IVF, whichever takes
        less time by the number of vectors that are compared.
    vectors : ndarray of shape (n, n_features), float32, C-contiguous
        The vectors to search, finite.
    n_neighbors : int, default=10
        Number of neighbours whose recall is tuned.
    recall : float, default=0.99
        Share of the true neighbours to find, measured on held-out vectors.
    random_state : int or None, default=0
        Seed of the partition and of the held-out sample; None draws them differently each
        time. With a seed the index is the same each time.
    overwrite : bool, default=False
        Whether the index may put `vectors` into another order, in place, instead of a
        copy of them.

    Returns
    -------
    NeighborIndex
        Its `recall` says what was reached, its `report` why it was chosen.

    Raises
    ------
    ValueError
        If `kind` is unknown, the vectors or numbers are not as described, or the recall
        cannot be reached.

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
        kinds = ", ".join(map(repr, INDEX_CLASSES))
        raise ValueError(f"Expected index 'auto', {kinds}, got {kind!r}.")
    _check_vectors(vectors)
    n_neighbors = _check_integer("n_neighbors", n_neighbors, 1)
    if random_state is not None:
        random_state = _check_integer("random_state", random_state, 0)
    if not 0 < recall <= 1:
        raise ValueError(f"Expected a recall above 0 and up to 1, got {recall!r}.")
    if kind == "flat" or len(vectors) == 1 or (kind == "auto" and len(vectors) < _SMALL):
        return FlatIndex(vectors)
    if kind in ("auto", "ivf") and not overwrite:
        vectors = vectors.copy()  # those that sort them
    if kind == "auto":
        return fastest_index(vectors, n_neighbors, recall, random_state)
    held_out = HeldOut.draw(vectors, n_neighbors, random_state)
    index = _APPROXIMATE[kind].build(vectors, random_state)
    if not index.tune(held_out, recall):
        raise ValueError(
            f"The {kind!r} index reaches a recall of {index.recall:.4f} at the most, "
            f"below recall={recall}; use index='flat', or ask for less."
        )
    return index


def _check_vectors(vectors: object) -> None:
    if not isinstance(vectors, np.ndarray):
        raise ValueError(f"Expected an array of vectors, got {type(vectors).__name__}.")
    if (
        vectors.dtype != np.float32
        or vectors.ndim != 2
        or not vectors.size
        or not vectors.flags.c_contiguous
    ):
        raise ValueError(
            "Expected vectors of shape (n, n_features), not empty, in C-contiguous float32, "
            f"got shape {vectors.shape} with strides {vectors.strides} in {vectors.dtype}."
        )
    if not all_finite(vectors):
        raise ValueError("Expected finite vectors, got NaN or infinity.")


def _check_integer(name: str, value: object, least: int) -> int:
    """Make an integer of any kind Python's own, the only one that faiss takes."""
    if not isinstance(value, int | np.integer) or value < least:
        raise ValueError(f"Expected {name} to be an integer from {least}, got {value!r}.")
    return int(value)
