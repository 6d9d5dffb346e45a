"""Training samples that coincide, to rounding, become one that counts for all of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ltau.neighbors._base import Vectors
from ltau.neighbors._strata import ScaledStratum

__all__ = ["merge_coincident"]

_CHUNK_ROWS = 1 << 14


def merge_coincident(
    strata: list[ScaledStratum],
) -> tuple[list[ScaledStratum], NDArray[np.intp] | None]:
    """Keep one of the samples that lie in one cell of a grid as fine as the rounding.

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
        first = _first_alike(stratum.vectors, stratum.resolution)
        if first is not None:
            keepers[stratum.rows] = stratum.rows[first]
    kept = keepers == np.arange(n_samples)
    if kept.all():
        return strata, None
    numbers = np.cumsum(kept) - 1
    return [_keep(stratum, kept, numbers) for stratum in strata], numbers[keepers]


def _first_alike(vectors: Vectors, resolution: float) -> NDArray[np.intp] | None:
    """Find the first vector in the cell of each; None if every cell has a single one."""
    keys = _keys(vectors, resolution)
    order = np.argsort(keys, kind="stable")
    starts = np.append(True, keys[order][1:] != keys[order][:-1])
    if starts.all():
        return None
    first = np.empty(len(keys), np.intp)
    first[order] = order[starts][np.cumsum(starts) - 1]
    alike = np.flatnonzero(first != np.arange(len(first)))
    for start in range(0, len(alike), _CHUNK_ROWS):  # keys of unlike cells may be the same
        rows = alike[start : start + _CHUNK_ROWS]
        unlike = _cells(vectors[rows], resolution) != _cells(vectors[first[rows]], resolution)
        first[rows[unlike.any(axis=1)]] = rows[unlike.any(axis=1)]
    return first


def _keys(vectors: Vectors, resolution: float) -> NDArray[np.uint64]:
    """Give each vector a number that is the same for all in its cell."""
    rng = np.random.default_rng(0)
    odd = rng.integers(1 << 63, size=vectors.shape[1], dtype=np.uint64) | np.uint64(1)
    keys = np.empty(len(vectors), np.uint64)
    for start in range(0, len(vectors), _CHUNK_ROWS):
        bits = _cells(vectors[start : start + _CHUNK_ROWS], resolution).view(np.uint32)
        keys[start : start + _CHUNK_ROWS] = (bits * odd).sum(axis=1, dtype=np.uint64)
    return keys


def _cells(vectors: Vectors, resolution: float) -> Vectors:
    """Give the cell of each vector, in whole steps of the resolution."""
    return np.rint(vectors / np.float32(resolution)) + np.float32(0)  # no negative zeros


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
