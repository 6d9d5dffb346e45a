"""Training samples that coincide, to rounding, become one that counts for all of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from ltau.neighbors._base import Vectors
from ltau.neighbors._strata import ScaledStratum

__all__ = ["merge_coincident"]

_N_LINES = 2
_LONGEST = 2  # floors from the first sample of a place to any other
_CHUNK_ROWS = 1 << 14


def merge_coincident(
    strata: list[ScaledStratum],
) -> tuple[list[ScaledStratum], NDArray[np.intp] | None]:
    """Keep one of the samples that lie in one place, as far as rounding tells.

    Samples of one place have nearly the same projection on any line: along a line, drawn at
    random, each is compared with the next, and where some coincide along another one too. Of
    a million samples and more a few pairs may not be found, because others lie between them.

    Parameters
    ----------
    strata : list of ScaledStratum
        The training samples. Their vectors are used up: those kept are moved to the front.

    Returns
    -------
    strata : list of ScaledStratum
        The samples kept, numbered throughout in the order of the training set.
    owners : ndarray of shape (n_samples,), intp, or None
        The number of the one that each training sample is counted with; None where no two
        coincide, and every sample is kept.
    """
    n_samples = sum(len(stratum.rows) for stratum in strata)
    keepers = np.arange(n_samples)  # of each training sample, the row of the one that is kept
    for stratum in strata:
        pairs = _coincident_pairs(stratum.vectors, stratum.floor)
        if len(pairs):
            first = _first_of_each(pairs, stratum.vectors, stratum.floor)
            keepers[stratum.rows] = stratum.rows[first]
    kept = keepers == np.arange(n_samples)
    if kept.all():
        return strata, None
    numbers = np.cumsum(kept) - 1
    return [_keep(stratum, kept, numbers) for stratum in strata], numbers[keepers]


def _coincident_pairs(vectors: Vectors, floor: float) -> NDArray[np.intp]:
    """Find pairs of vectors no farther apart than the floor, shape (n_pairs, 2)."""
    lines = np.random.default_rng(0).normal(size=(_N_LINES, vectors.shape[1]))
    lines /= np.linalg.norm(lines, axis=1, keepdims=True)
    pairs = []
    for line in lines.astype(np.float32):
        projection = vectors @ line
        order = np.argsort(projection)
        rounding = 4 * np.finfo(np.float32).eps * np.abs(projection[order[1:]])
        near = np.flatnonzero(np.diff(projection[order]) <= floor + rounding)
        for start in range(0, len(near), _CHUNK_ROWS):
            part = near[start : start + _CHUNK_ROWS]
            one, other = order[part], order[part + 1]
            difference = vectors[one] - vectors[other]
            coincide = np.einsum("nf,nf->n", difference, difference) <= floor**2
            pairs.append(np.stack([one[coincide], other[coincide]], axis=1))
        if not sum(map(len, pairs)):  # nor would another line show any
            break
    return np.concatenate(pairs) if pairs else np.empty((0, 2), np.intp)


def _first_of_each(pairs: NDArray[np.intp], vectors: Vectors, floor: float) -> NDArray[np.intp]:
    """Find the first vector of all that each is paired with, directly or through others.

    Where samples are so dense that pairs make long chains, these are cut into cells.
    """
    n = len(vectors)
    graph = coo_array((np.ones(len(pairs), bool), (pairs[:, 0], pairs[:, 1])), shape=(n, n))
    n_chains, labels = connected_components(graph, directed=False)
    _, first = np.unique(labels, return_index=True)
    others = np.flatnonzero(first[labels] != np.arange(n))
    apart = np.linalg.norm(vectors[others] - vectors[first[labels[others]]], axis=1)
    is_long = np.zeros(n_chains, bool)
    is_long[labels[others[apart > _LONGEST * floor]]] = True
    if not is_long.any():
        return first[labels]
    rows = np.flatnonzero(is_long[labels])
    cells = np.column_stack([labels[rows], np.rint(vectors[rows] / floor)])
    _, first_of_cell, cell = np.unique(cells, axis=0, return_index=True, return_inverse=True)
    kept = first[labels]
    kept[rows] = rows[first_of_cell[cell.ravel()]]
    return kept


def _keep(
    stratum: ScaledStratum, kept: NDArray[np.bool_], numbers: NDArray[np.intp]
) -> ScaledStratum:
    """Leave out of a stratum the samples that are not kept, without a copy of its vectors."""
    places = np.flatnonzero(kept[stratum.rows])
    for start in range(0, len(places), _CHUNK_ROWS):
        part = places[start : start + _CHUNK_ROWS]  # never before where they go
        stratum.vectors[start : start + len(part)] = stratum.vectors[part]
    return replace(
        stratum, rows=numbers[stratum.rows[places]], vectors=stratum.vectors[: len(places)]
    )
