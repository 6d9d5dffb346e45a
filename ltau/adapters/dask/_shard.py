"""What a worker holds of a training set that is spread over many."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from ltau._batches import batches
from ltau.neighbors import LatentScaler, NeighborIndex, Neighbors, Vectors, make_index

__all__ = ["NOBODY", "Holdings", "Labels", "Queries", "Shard", "nearest", "rows_by_stratum"]

Floats = NDArray[np.float64]
Labels = NDArray[np.generic]

NOBODY = np.iinfo(np.intp).max  # where there are fewer neighbours than asked for

_BATCH_VALUES = 1 << 22  # in the largest temporary of a search


class Queries(NamedTuple):
    """Samples whose neighbours are searched: scaled once, for all shards."""

    n_samples: int
    parts: dict[Any, tuple[NDArray[np.intp], Vectors]]  # of each stratum: places, scaled latents

    @classmethod
    def of(
        cls, latents: Vectors, classes: Labels | None, scalers: Mapping[Any, LatentScaler]
    ) -> Self:
        """Scale latents as their strata are scaled."""
        parts = {
            label: (rows, scalers[label].transform(latents[rows]))
            for label, rows in rows_by_stratum(classes, len(latents), scalers).items()
        }
        return cls(len(latents), parts)


class Holdings(NamedTuple):
    """What a shard knows of the training samples asked for that are its own."""

    rows: NDArray[np.intp]  # ascending
    cumulative: NDArray[np.unsignedinteger]  # counts, as `TrainingDensities` has them
    own_distances: Floats | None  # mean distances to their own neighbours, where needed


@dataclass(frozen=True)
class Shard:
    """Consecutive training samples: an index of each stratum, and error counts.

    Parameters
    ----------
    first : int
        Row of its first sample in the training set.
    cumulative : ndarray of shape (n, n_bins), unsigned integer
        Cumulative counts of its samples, as `TrainingDensities` has them.
    strata : dict of label to (rows, index)
        Rows in the training set of the samples of each stratum, ascending, and the index of
        their scaled latents.
    """

    first: int
    cumulative: NDArray[np.unsignedinteger]
    strata: dict[Any, tuple[NDArray[np.intp], NeighborIndex]]

    @classmethod
    def build(
        cls, first: int, cumulative: NDArray[np.unsignedinteger], queries: Queries, **index: Any
    ) -> Self:
        """Index samples that were scaled; `index` are the options of `make_index`."""
        strata = {
            label: (first + rows, make_index(vectors=vectors, **index))
            for label, (rows, vectors) in queries.parts.items()
        }
        return cls(first, cumulative, strata)

    def __len__(self) -> int:
        return len(self.cumulative)

    def __sizeof__(self) -> int:
        """Bytes it holds: by this Dask weighs whether to move it."""
        indices = sum(index.nbytes for _, index in self.strata.values())
        return self.cumulative.nbytes + indices

    def queries(self) -> Queries:
        """Give its own samples, to search their neighbours."""
        parts = {
            label: (rows - self.first, index.vectors_of(np.arange(len(index))))
            for label, (rows, index) in self.strata.items()
        }
        return Queries(len(self), parts)

    def search(self, queries: Queries, k: int, *, own: bool = False) -> Neighbors:
        """Find the nearest of its samples.

        Parameters
        ----------
        queries : Queries
            The samples.
        k : int
            Number of neighbours.
        own : bool, default=False
            Whether the queries are its own samples: none is then its own neighbour.

        Returns
        -------
        distances, rows : ndarray of shape (n_samples, k)
            Nearest first. Where a stratum has fewer samples, the last ones are infinitely
            far and `NOBODY`.
        """
        distances = np.full((queries.n_samples, k), np.inf)
        found = np.full((queries.n_samples, k), NOBODY, np.intp)
        for label, (places, vectors) in queries.parts.items():
            if label not in self.strata:
                continue
            rows, index = self.strata[label]
            n = min(k, len(rows) - own)
            size = _BATCH_VALUES // ((n + 1) * vectors.shape[1])
            for part in batches(len(places) if n else 0, size):
                near, which = (
                    index.search_others(np.arange(len(rows))[part], n)
                    if own
                    else index.search(vectors[part], n)
                )
                distances[places[part], :n], found[places[part], :n] = near, rows[which]
        return distances, found

    def look_up(self, rows: NDArray[np.intp], own_distances: Floats | None) -> Holdings:
        """Tell what is known of those of some training samples that are its own."""
        here = np.unique(rows[(rows >= self.first) & (rows < self.first + len(self))])
        places = here - self.first
        own = None if own_distances is None else own_distances[places]
        return Holdings(here, self.cumulative[places], own)


def rows_by_stratum(
    classes: Labels | None, n_samples: int, known: Iterable[Any]
) -> dict[Any, NDArray[np.intp]]:
    """Places of the samples of each stratum that has any, of those known."""
    if classes is None:
        return {None: np.arange(n_samples)} if n_samples else {}
    places = {label: np.flatnonzero(classes == label) for label in known}
    return {label: rows for label, rows in places.items() if len(rows)}


def nearest(found: list[Neighbors], k: int) -> Neighbors:
    """Merge neighbours from several shards: the `k` nearest, of equals those of lower rows."""
    distances = np.concatenate([part[0] for part in found], axis=1)
    rows = np.concatenate([part[1] for part in found], axis=1)
    order = np.lexsort((rows, distances), axis=1)[:, :k]
    return np.take_along_axis(distances, order, axis=1), np.take_along_axis(rows, order, axis=1)
