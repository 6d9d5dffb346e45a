"""What a worker holds of a training set that is spread over many."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from ltau._batches import batches
from ltau._fitted.densities import TrainingDensities
from ltau._fitted.merged import Merged
from ltau._fitted.targets import mean_targets
from ltau.adapters.dask._merging import Nearest, places_of
from ltau.neighbors import (
    Latents,
    LatentScaler,
    NeighborIndex,
    ScaledStratum,
    Vectors,
    make_index,
    merge_coincident,
    search_equally_near,
)

__all__ = [
    "Geometry",
    "Holdings",
    "Labels",
    "OwnMeans",
    "PlaceTargets",
    "Queries",
    "Shard",
    "StratumScale",
    "rows_by_stratum",
]

Floats = NDArray[np.float64]
Labels = NDArray[np.generic]

_BATCH_VALUES = 1 << 22  # in the largest temporary of a search


class Geometry(NamedTuple):
    """What is known of distances in each stratum, each of shape (n_strata,)."""

    floors: Floats  # below which samples coincide by rounding
    own_floors: Floats  # the least own distance that counts
    units: Floats  # of the distances, in that of the latents


class StratumScale(NamedTuple):
    """How the latents of one stratum are scaled, in all shards."""

    scaler: LatentScaler
    floor: float  # distance below which samples coincide, by rounding
    n_samples: int  # of the whole training set


class Queries(NamedTuple):
    """Samples whose neighbours are searched: scaled once, for all shards."""

    n_samples: int
    parts: dict[Any, tuple[NDArray[np.intp], Vectors]]  # of each stratum: places, scaled latents

    @classmethod
    def of(
        cls, latents: Latents, classes: Labels | None, scales: Mapping[Any, StratumScale]
    ) -> Self:
        """Scale latents as their strata are scaled."""
        parts = {
            label: (rows, scales[label].scaler.transform(latents[rows]))
            for label, rows in rows_by_stratum(classes, len(latents), scales).items()
        }
        return cls(len(latents), parts)


class Holdings(NamedTuple):
    """What a shard holds of the training samples asked for that are its own."""

    rows: NDArray[np.intp]  # of those that stand for others of their place, ascending
    cumulative: NDArray[np.unsignedinteger]  # counts, as `TrainingDensities` has them
    sizes: Floats  # training samples of the shard that each stands for
    twins: list[NDArray[np.intp]]  # the rows of these
    own_distances: Floats | None  # mean distances to their own neighbours, where needed
    targets: Floats | None  # their mean targets, where known
    disagreements: Floats | None  # of these with those of their own neighbours


class OwnMeans(NamedTuple):
    """What is usual among the places of a shard: means over their own neighbours."""

    distances: Floats  # to these
    disagreements: Floats | None  # of their targets with the mean of theirs, where known


class PlaceTargets(NamedTuple):
    """Targets of some places of a shard."""

    rows: NDArray[np.intp]  # of the samples that stand for them, ascending
    sizes: Floats  # training samples of the shard that each stands for
    targets: Floats  # (n, n_outputs), their means


@dataclass(frozen=True)
class _Part:
    """The samples of one stratum, those of one place as one."""

    numbers: NDArray[np.intp]  # in the shard
    index: NeighborIndex
    places: NDArray[np.uint64]  # a number that is the same for samples of one place, or near it
    floor: float  # distance below which samples coincide, by rounding


@dataclass(frozen=True)
class Shard:
    """Consecutive training samples: an index of each stratum, and error counts.

    Parameters
    ----------
    first : int
        Row of its first sample in the training set.
    merged : Merged
        Which of its samples lie in one place, and the counts of each.
    densities : TrainingDensities
        The densities of the places.
    strata : dict of label to (numbers, index, places)
        The places of each stratum.
    targets : ndarray of shape (n_places, n_outputs), float64, or None
        The mean targets of the places, where known.
    """

    first: int
    merged: Merged
    densities: TrainingDensities
    strata: dict[Any, _Part]
    targets: Floats | None = None

    @classmethod
    def build(
        cls,
        first: int,
        densities: TrainingDensities,
        queries: Queries,
        scales: Mapping[Any, StratumScale],
        targets: Floats | None = None,
        **index: Any,
    ) -> Self:
        """Index samples that were scaled; `index` are the options of `make_index`."""
        strata = [
            ScaledStratum(
                label, rows, scales[label].scaler, vectors, scales[label].floor, len(rows)
            )
            for label, (rows, vectors) in queries.parts.items()
        ]
        kept, owners = merge_coincident(strata)
        merged = Merged(np.arange(len(densities)) if owners is None else owners, densities)
        parts = {
            stratum.label: _Part(
                stratum.rows,
                make_index(vectors=stratum.vectors, **index),
                places_of(stratum.vectors, stratum.floor),
                stratum.floor,
            )
            for stratum in kept
        }
        together = densities if owners is None else merged.together()
        means = None if targets is None else mean_targets(targets, owners)
        return cls(first, merged, together, parts, means)

    @cached_property
    def rows(self) -> NDArray[np.intp]:
        """Row, in the training set, of the first sample of each place."""
        return self.first + np.unique(self.merged.owners, return_index=True)[1]

    def __len__(self) -> int:
        return len(self.densities)

    def __sizeof__(self) -> int:
        """Bytes it holds: by this Dask weighs whether to move it."""
        indices = sum(part.index.nbytes + part.places.nbytes for part in self.strata.values())
        counts = self.densities.cumulative.nbytes
        if len(self.merged.owners) > len(self):
            counts += self.merged.densities.cumulative.nbytes
        targets = 0 if self.targets is None else self.targets.nbytes
        return int(counts + indices + self.merged.owners.nbytes + targets)

    def queries(self) -> Queries:
        """Give its own places, to search their neighbours."""
        parts = {
            label: (part.numbers, part.index.vectors_of(np.arange(len(part.index))))
            for label, part in self.strata.items()
        }
        return Queries(len(self), parts)

    def places(self) -> NDArray[np.uint64]:
        """Give the number of each of its places."""
        places = np.empty(len(self), np.uint64)
        for part in self.strata.values():
            places[part.numbers] = part.places
        return places

    def search(self, queries: Queries, k: int, *, own: bool = False) -> Nearest:
        """Find the `k` nearest of its places, and those equally near.

        Parameters
        ----------
        queries : Queries
            The samples.
        k : int
            Number of neighbours.
        own : bool, default=False
            Whether the queries are its own places: none is then its own neighbour.

        Returns
        -------
        Nearest
            What was found.
        """
        rows, found = self.rows, []
        for label, (asked, vectors) in queries.parts.items():
            if label not in self.strata:
                continue
            stratum = self.strata[label]
            numbers, index, places = stratum.numbers, stratum.index, stratum.places
            n = min(k, len(numbers) - own)
            size = _BATCH_VALUES // ((n + 1) * vectors.shape[1])
            for part in batches(len(asked) if n else 0, size):
                near, which = (
                    index.search_others(np.arange(len(numbers))[part], n)
                    if own
                    else search_equally_near(index, vectors[part], n)
                )
                where = places[which]
                found.append((asked[part], near, rows[numbers[which]], where, stratum.floor))
        return Nearest.of(queries.n_samples, found)

    def look_up(self, rows: NDArray[np.intp], own: OwnMeans | None) -> Holdings:
        """Tell what is held of those of some training samples that are its own."""
        here, numbers = self._here(rows)
        sizes = self.merged.sizes[numbers]
        twins = [self.first + rows for rows in self.merged.samples_of(numbers)]
        counts = self.densities.cumulative[numbers]
        distances = disagreements = targets = None
        if own is not None:
            distances = own.distances[numbers]
            disagreements = _some(own.disagreements, numbers)
            targets = _some(self.targets, numbers)
        return Holdings(here, counts, sizes, twins, distances, targets, disagreements)

    def targets_of(self, rows: NDArray[np.intp]) -> PlaceTargets | None:
        """Tell the targets of those of some training samples that are its own, if known."""
        if self.targets is None:
            return None
        here, numbers = self._here(rows)
        return PlaceTargets(here, self.merged.sizes[numbers], self.targets[numbers])

    def _here(self, rows: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Find those of some rows that stand for its places, ascending, and their numbers."""
        here = np.intersect1d(rows, self.rows)
        return here, np.searchsorted(self.rows, here)


def _some(values: Floats | None, numbers: NDArray[np.intp]) -> Floats | None:
    return None if values is None else values[numbers]


def rows_by_stratum(
    classes: Labels | None, n_samples: int, known: Iterable[Any]
) -> dict[Any, NDArray[np.intp]]:
    """Rows of the samples of each stratum that has any, of those known."""
    if classes is None:
        return {None: np.arange(n_samples)} if n_samples else {}
    rows = {label: np.flatnonzero(classes == label) for label in known}
    return {label: of_label for label, of_label in rows.items() if len(of_label)}
