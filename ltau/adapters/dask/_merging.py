"""What several shards found, put together: the nearest, of whatever shard."""

from __future__ import annotations

from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from ltau._maths.weights import EQUALLY_NEAR
from ltau.neighbors import Vectors

__all__ = ["NOBODY", "Nearest", "nearest", "places_of"]

Floats = NDArray[np.float64]

NOBODY = np.iinfo(np.intp).max  # where there are fewer neighbours than asked for

_CHUNK_ROWS = 1 << 14
_FLOORS = 16  # in the width of a cell: what lies in one place is seldom cut by its edge


class Nearest(NamedTuple):
    """The nearest training samples of some queries, those equally near as the last included."""

    distances: Floats  # (n, m), ascending; infinite where there are fewer
    rows: NDArray[np.intp]  # (n, m), of the training set; NOBODY where there are fewer
    places: NDArray[np.uint64]  # (n, m), the same for samples of one place, or near it
    floors: Floats  # (n,), distance below which samples of the query's stratum coincide

    @classmethod
    def of(
        cls,
        n: int,
        found: list[tuple[NDArray[np.intp], Floats, NDArray[np.intp], NDArray[np.uint64], float]],
    ) -> Self:
        """Put what was found for some of `n` queries at a time in their order."""
        width = max((distances.shape[1] for _, distances, *_ in found), default=0)
        distances = np.full((n, width), np.inf)
        rows, places = np.full((n, width), NOBODY, np.intp), np.zeros((n, width), np.uint64)
        floors = np.zeros(n)
        for queries, near, which, where, floor in found:
            there = np.isfinite(near)
            part = slice(near.shape[1])
            distances[queries, part] = near
            rows[queries, part] = np.where(there, which, NOBODY)
            places[queries, part] = where
            floors[queries] = floor
        return cls(distances, rows, places, floors)

    def repeats(self) -> NDArray[np.bool_]:
        """Tell where a place was found before, by another shard: at the same distance."""
        order = np.lexsort((self.distances, self.places), axis=1)
        places = np.take_along_axis(self.places, order, axis=1)
        distances = np.take_along_axis(self.distances, order, axis=1)
        again = np.zeros(places.shape, bool)
        with np.errstate(invalid="ignore"):  # where there are fewer, infinity less infinity
            together = np.diff(distances, axis=1) <= self.floors[:, None]
        again[:, 1:] = together & (places[:, 1:] == places[:, :-1])
        repeats = np.empty_like(again)
        np.put_along_axis(repeats, order, again, axis=1)
        return repeats & (self.rows != NOBODY)


def nearest(found: list[Nearest], k: int) -> Nearest:
    """Merge what several shards found: the `k` nearest places, and those equally near.

    Parameters
    ----------
    found : list of Nearest
        Of each shard.
    k : int
        Number of places.

    Returns
    -------
    Nearest
        The nearest, of equals those of lower rows first.
    """
    *arrays, floors = zip(*found, strict=True)
    distances, rows, places = (np.concatenate(parts, axis=1) for parts in arrays)
    order = np.lexsort((rows, distances), axis=1)
    merged = Nearest(
        np.take_along_axis(distances, order, axis=1),
        np.take_along_axis(rows, order, axis=1),
        np.take_along_axis(places, order, axis=1),
        np.max(floors, axis=0),
    )
    there = merged.rows != NOBODY
    n_places = np.cumsum(there & ~merged.repeats(), axis=1)
    limits = np.where(n_places >= k, merged.distances, np.inf).min(axis=1, initial=np.inf)
    kept = there & (merged.distances <= limits[:, None] * (1 + EQUALLY_NEAR))
    width = int(kept.sum(axis=1).max(initial=0))
    return Nearest(
        np.where(kept, merged.distances, np.inf)[:, :width],
        np.where(kept, merged.rows, NOBODY)[:, :width],
        merged.places[:, :width],
        merged.floors,
    )


def places_of(vectors: Vectors, floor: float) -> NDArray[np.uint64]:
    """Give each vector a number that is the same for all of its place, in whatever shard.

    Parameters
    ----------
    vectors : ndarray of shape (n, n_features), float32
        Scaled latents.
    floor : float
        Distance below which they coincide.

    Returns
    -------
    ndarray of shape (n,), uint64
        A hash of the cell, on a grid somewhat wider than the floor.
    """
    rng = np.random.default_rng(0)
    odd = rng.integers(1 << 63, size=vectors.shape[1], dtype=np.uint64) | np.uint64(1)
    step = np.float32(_FLOORS * floor) or np.float32(1)
    places = np.empty(len(vectors), np.uint64)
    for start in range(0, len(vectors), _CHUNK_ROWS):
        part = slice(start, start + _CHUNK_ROWS)
        cells = np.rint(vectors[part] / step) + np.float32(0)  # no negative zeros
        places[part] = (cells.view(np.uint32) * odd).sum(axis=1, dtype=np.uint64)
    return places
