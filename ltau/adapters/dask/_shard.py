"""What a worker holds of a training set that is spread over many."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, NamedTuple, Self

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
    common_groups,
    make_index,
    merge_coincident,
    nearest_of_other_groups,
    others_of_other_groups,
    search_equally_near,
)

__all__ = [
    "Geometry",
    "Holdings",
    "Labels",
    "OwnMeans",
    "Queries",
    "Shard",
    "StratumScale",
    "rows_by_stratum",
]

Floats = NDArray[np.float64]
Labels = NDArray[np.generic]

_BATCH_VALUES = 1 << 22  # in the largest temporary of a search
_SIDES: tuple[Literal["left"], Literal["right"]] = ("left", "right")


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
    targets: Floats | None  # the mean targets of their places, where known
    disagreements: Floats | None  # of these with those of their own neighbours


class OwnMeans(NamedTuple):
    """What is known of the places of a shard beside their errors."""

    distances: Floats  # mean ones to their own neighbours
    targets: Floats | None = None  # (n, n_outputs), where known
    disagreements: Floats | None = None  # of these with the mean of the neighbours' own


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
        The mean targets of its samples in each place, where known.
    groups : ndarray of shape (n_places,), intp, or None
        The group of its samples in each place, where own neighbours are to be of other ones.
    """

    first: int
    merged: Merged
    densities: TrainingDensities
    strata: dict[Any, _Part]
    targets: Floats | None = None
    groups: NDArray[np.intp] | None = None

    @classmethod
    def build(
        cls,
        first: int,
        densities: TrainingDensities,
        queries: Queries,
        scales: Mapping[Any, StratumScale],
        targets: Floats | None = None,
        groups: NDArray[np.intp] | None = None,
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
        alike = None if groups is None else common_groups(groups, owners)
        return cls(first, merged, together, parts, means, alike)

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
        given = sum(each.nbytes for each in (self.targets, self.groups) if each is not None)
        return int(counts + indices + self.merged.owners.nbytes + given)

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

    def search_other_groups(
        self,
        queries: Queries,
        k: int,
        asked: NDArray[np.intp],
        groups: NDArray[np.intp],
        *,
        own: bool,
    ) -> Nearest:
        """Find the `k` nearest of its places that are of another group than queries are.

        Parameters
        ----------
        queries : Queries
            The samples.
        k : int
            Number of neighbours.
        asked : ndarray of shape (n_queries,), intp
            Their groups.
        groups : ndarray of shape (n_places,), intp
            Those of its places.
        own : bool
            Whether the queries are its own places: none is then its own neighbour.

        Returns
        -------
        Nearest
            What was found.
        """
        rows, found = self.rows, []
        for label, (who, vectors) in queries.parts.items():
            if label not in self.strata:
                continue
            stratum = self.strata[label]
            numbers, index = stratum.numbers, stratum.index
            theirs = groups[numbers]
            nearest = (
                others_of_other_groups(index, np.arange(len(numbers)), k, theirs)
                if own
                else nearest_of_other_groups(index, vectors, k, asked[who], theirs)
            )
            for part, (near, which) in nearest:
                where = stratum.places[which]
                found.append((who[part], near, rows[numbers[which]], where, stratum.floor))
        return Nearest.of(queries.n_samples, found)

    def coinciding(
        self, queries: Queries, places: NDArray[np.uint64]
    ) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
        """Find its places where queries lie too.

        Parameters
        ----------
        queries : Queries
            The samples, places of another shard.
        places : ndarray of shape (n_queries,), uint64
            The number of each, as `places_of` gives it.

        Yields
        ------
        asked, numbers : ndarray of shape (n_pairs,), intp
            Queries, each at most once, and the places in the shard.
        """
        for label, (asked, vectors) in queries.parts.items():
            if label not in self.strata:
                continue
            stratum = self.strata[label]
            order = np.argsort(stratum.places, kind="stable")
            cells = stratum.places[order]
            first, end = (np.searchsorted(cells, places[asked], side) for side in _SIDES)
            for step in range(int((end - first).max(initial=0))):
                rows = np.flatnonzero(first + step < end)
                which = order[first[rows] + step]
                apart = vectors[rows] - stratum.index.vectors_of(which)
                same = np.linalg.norm(apart, axis=1) <= stratum.floor
                yield asked[rows[same]], stratum.numbers[which[same]]

    def look_up(self, rows: NDArray[np.intp], own: OwnMeans | None) -> Holdings:
        """Tell what is held of those of some training samples that are its own."""
        here, numbers = self.find(rows)
        sizes = self.merged.sizes[numbers]
        twins = [self.first + rows for rows in self.merged.samples_of(numbers)]
        known = (None, None, None) if own is None else own
        usual = (None if values is None else values[numbers] for values in known)
        return Holdings(here, self.densities.cumulative[numbers], sizes, twins, *usual)

    def find(self, rows: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Give those of some rows that stand for its places, ascending, and their numbers."""
        here = np.intersect1d(rows, self.rows)
        return here, np.searchsorted(self.rows, here)


def rows_by_stratum(
    classes: Labels | None, n_samples: int, known: Iterable[Any]
) -> dict[Any, NDArray[np.intp]]:
    """Rows of the samples of each stratum that has any, of those known."""
    if classes is None:
        return {None: np.arange(n_samples)} if n_samples else {}
    rows = {label: np.flatnonzero(classes == label) for label in known}
    return {label: of_label for label, of_label in rows.items() if len(of_label)}
