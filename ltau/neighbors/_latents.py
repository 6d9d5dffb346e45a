"""Neighbours among the training latents: scaled, and within each stratum."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from ltau._files.arrays import Arrays, all_finite, prefixed, section, sections
from ltau._inputs.labels import check_size, check_strata_given, refuse_unseen
from ltau.neighbors._base import Latents, NeighborIndex, Neighbors
from ltau.neighbors._equally_near import as_near_as_the_last, search_equally_near
from ltau.neighbors._factory import INDEX_CLASSES, make_index
from ltau.neighbors._own import own_neighbors
from ltau.neighbors._scaling import LatentScaler
from ltau.neighbors._strata import ScaledStratum, storage_of

__all__ = ["Found", "LatentIndex", "Stratum"]


class Found(NamedTuple):
    """The nearest training samples of some queries, those equally near as the last included.

    Parameters
    ----------
    distances : ndarray of shape (n, m), float64
        Distances in the scaled latent space, ascending; infinite where there are fewer.
    numbers : ndarray of shape (n, m), intp
        Numbers of the samples; any where the distance is infinite.
    strata : ndarray of shape (n,), intp, or int
        Number of the stratum of each query; 0 where there are none.
    repeats : ndarray of shape (n, m), bool, optional
        Where a sample lies in the place of another that comes before it. By default nowhere:
        samples of one place are found as one.
    """

    distances: NDArray[np.float64]
    numbers: NDArray[np.intp]
    strata: NDArray[np.intp] | int
    repeats: NDArray[np.bool_] | None = None


@dataclass(frozen=True)
class Stratum:
    """One class of samples, with a scaling and an index of its own.

    Parameters
    ----------
    label : object
        The class; None where there are no classes.
    rows : ndarray of shape (n,), intp
        Numbers of the samples.
    scaler : LatentScaler
        The scaling.
    index : NeighborIndex
        The index of their scaled latents.
    floor : float
        Distance below which two of them coincide, by rounding.
    n_samples : int
        Number of training samples, or of prototypes, that they stand for.
    """

    label: object
    rows: NDArray[np.intp]
    scaler: LatentScaler
    index: NeighborIndex
    floor: float
    n_samples: int

    def search(self, latents: Latents, k: int, most: int | None = None) -> Neighbors:
        """Find the `k` nearest, or all where there are fewer, and those equally near."""
        check_size(self.n_samples, k, self.label, "training samples or prototypes")
        k = min(k, len(self.rows))
        scaled = self.scaler.transform(latents)
        distances, found = search_equally_near(self.index, scaled, k, most)
        return distances, found if self.label is None else self.rows[found]

    def nearest(self, latents: Latents, k: int) -> Neighbors:
        """Find the `k` nearest, no more and no fewer."""
        distances, found = self.index.search(self.scaler.transform(latents), k)
        return distances, self.rows[found]

    def to_arrays(self) -> Arrays:
        """Give the arrays from which `from_arrays` makes this again, bit for bit."""
        arrays = {
            "rows": self.rows,
            "kind": np.array(self.index.kind),
            "floor": np.array(self.floor),
            "n_samples": np.array(self.n_samples),
        }
        arrays |= prefixed("scaler.", self.scaler.to_arrays())
        arrays |= prefixed("index.", self.index.to_arrays())
        return arrays

    @classmethod
    def from_arrays(cls, arrays: Arrays, label: object) -> Self:
        """Make it again; raises ValueError where the arrays do not fit each other."""
        kind = str(arrays["kind"])
        if kind not in INDEX_CLASSES:
            raise ValueError(f"Unknown kind of index {kind!r}.")
        rows, vectors = arrays["rows"], arrays["index.vectors"]
        if vectors.dtype != np.float32 or vectors.ndim != 2 or not all_finite(vectors):
            raise ValueError("Expected finite float32 vectors.")
        if rows.dtype != np.intp or rows.shape != (len(vectors),) or not len(rows):
            raise ValueError("Expected as many row numbers as vectors.")
        scaler = LatentScaler.from_arrays(section(arrays, "scaler."))
        if len(scaler.mean) != vectors.shape[1]:
            raise ValueError("The scaling does not fit the vectors.")
        floor, n_samples = float(arrays["floor"]), int(arrays["n_samples"])
        if not (0 <= floor < np.inf and n_samples >= len(rows)):
            raise ValueError("The floor or the number of samples of a stratum is none.")
        index = INDEX_CLASSES[kind].from_arrays(section(arrays, "index."))
        return cls(label, rows, scaler, index, floor, n_samples)


class LatentIndex:
    """Nearest training samples, in scaled latent space and within strata.

    Parameters
    ----------
    classes : ndarray of shape (n_strata,) or None
        Sorted labels of the strata; None if there is one stratum without a label.
    strata : list of Stratum
        The strata, in the order of `classes`.
    """

    def __init__(self, classes: NDArray[np.generic] | None, strata: list[Stratum]) -> None:
        self.classes = classes
        self.strata = strata

    @classmethod
    def build(
        cls,
        strata: list[ScaledStratum],
        *,
        kind: str,
        n_neighbors: int,
        recall: float,
        memory_limit: int | None = None,
        random_state: int | None,
    ) -> Self:
        """Make an index for each stratum.

        Parameters
        ----------
        strata : list of ScaledStratum
            The strata, as `scale_strata` gives them; their vectors are used up.
        kind, n_neighbors, recall, random_state
            As in `make_index`.
        memory_limit : int, optional
            Bytes that all indices may take in memory, shared out by their samples.

        Returns
        -------
        LatentIndex
            The index.

        Raises
        ------
        ValueError
            If a stratum has fewer than `n_neighbors` samples, its index does not reach
            the recall, or nothing fits in the memory.
        """
        parts = []
        n_samples = sum(len(stratum.rows) for stratum in strata)
        for stratum in strata:
            check_size(stratum.n_samples, n_neighbors, stratum.label)
            storage = storage_of(kind, stratum.vectors.shape, n_samples, memory_limit)
            index = make_index(
                storage.kind,
                stratum.vectors,
                n_neighbors=n_neighbors,
                recall=recall,
                random_state=random_state,
                overwrite=True,
            )
            kept = stratum.label, stratum.rows, stratum.scaler
            parts.append(Stratum(*kept, index, stratum.floor, stratum.n_samples))
        labels = [stratum.label for stratum in strata]
        return cls(None if labels == [None] else np.array(labels), parts)

    def __len__(self) -> int:
        return sum(len(stratum.rows) for stratum in self.strata)

    @property
    def n_features(self) -> int:
        """Width of the latents."""
        return len(self.strata[0].scaler.mean)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Number of samples of each stratum."""
        return tuple(len(stratum.rows) for stratum in self.strata)

    @property
    def recall(self) -> float:
        """Recall of the stratum where it is lowest."""
        return min(stratum.index.recall for stratum in self.strata)

    @property
    def kinds(self) -> tuple[str, ...]:
        """Kind of index of each stratum."""
        return tuple(stratum.index.kind for stratum in self.strata)

    @property
    def report(self) -> list[dict[str, Any]]:
        """What was measured to choose each index, with the stratum where there are strata."""
        return [
            record
            if self.classes is None
            else {"stratum": np.asarray(stratum.label).item()} | record
            for stratum in self.strata
            for record in stratum.index.report
        ]

    def search(
        self,
        latents: Latents,
        k: int,
        strata: NDArray[np.generic] | None = None,
        *,
        most: int | None = None,
    ) -> Found:
        """Find the `k` nearest samples of each row within its stratum, and those equally near.

        Parameters
        ----------
        latents : ndarray of shape (n, n_features), float32 or float64, finite
            The queries.
        k : int
            Number of neighbours, at most the samples of the smallest stratum asked. Of
            samples that coincide one is found for all: there may be fewer.
        strata : ndarray of shape (n,) or None
            Class of each query.
        most : int, optional
            Number of distances that may be found in a stratum, as in `search_equally_near`.

        Returns
        -------
        Found
            Distances and numbers, of shape (n, m).

        Raises
        ------
        ValueError
            If a stratum is unknown, or has fewer than `k` samples.
        TooManyEquallyNear
            If there is more to be found.
        """
        check_strata_given(strata is not None, self.classes is not None)
        if strata is None:
            return Found(*self.strata[0].search(latents, k, most), 0)
        if strata.shape != (len(latents),):
            raise ValueError(f"Expected strata of shape ({len(latents)},), got {strata.shape}.")
        queries = [np.flatnonzero(strata == stratum.label) for stratum in self.strata]
        asked = [(number, rows) for number, rows in enumerate(queries) if rows.size]
        if sum(map(len, queries)) < len(strata):
            refuse_unseen(np.unique(strata), _labels(self.classes))
        if all(k < len(self.strata[number].rows) for number, _ in asked):
            # One more of each, and one look at all of them: seldom is any as near as the last.
            more = _together(asked, [self.strata[n].nearest(latents[q], k + 1) for n, q in asked])
            if not as_near_as_the_last(more.distances, k).any():
                return Found(more.distances[:, :k], more.numbers[:, :k], more.strata)
        return _together(asked, [self.strata[n].search(latents[q], k, most) for n, q in asked])

    def lengths(
        self, distances: NDArray[np.float64], numbers: NDArray[np.intp]
    ) -> NDArray[np.float64]:
        """Give distances in the unit of the latents, where these are not scaled.

        `search` gives them in another if the latents are too large or too small for
        float32, see `LatentScaler`.

        Parameters
        ----------
        distances, numbers : ndarray of shape (n, m)
            As `search` gives them.

        Returns
        -------
        ndarray of shape (n, m), float64
            The distances.
        """
        if all(stratum.scaler.unit == 1 for stratum in self.strata):
            return distances
        units = np.empty(len(self))
        for stratum in self.strata:
            units[stratum.rows] = stratum.scaler.unit
        return distances * units[numbers]

    def own_neighbors(
        self,
        k: int,
        rows: NDArray[np.intp] | None = None,
        groups: NDArray[np.intp] | None = None,
    ) -> Iterator[tuple[NDArray[np.intp], NDArray[np.float64], NDArray[np.intp]]]:
        """Find the `k` nearest others of training samples, in batches.

        Parameters
        ----------
        k : int
            Number of neighbours; in a stratum without so many others, all of them.
        rows : ndarray of shape (n,), intp, optional
            The training samples, whose neighbours are then searched as those of a query. By
            default all, with no more effort than `own_neighbors` has them take.
        groups : ndarray of shape (n_samples,), intp, optional
            Group of each, as `common_groups` gives them: others are then samples of other
            groups.

        Yields
        ------
        rows : ndarray of shape (n_batch,), intp
            Training samples, in any order.
        distances, indices : ndarray of shape (n_batch, k), or as many as there are
            As `search` gives them.

        Raises
        ------
        ValueError
            If a stratum has a single sample.
        """
        k = operator.index(k)
        is_asked = np.zeros(len(self), bool)
        if rows is not None:
            is_asked[rows] = True
        for stratum in self.strata:
            check_size(stratum.n_samples - 1, 1, stratum.label, "other training samples")
        for stratum in self.strata:
            if len(stratum.rows) == 1:  # all its samples coincide: with themselves, at distance 0
                yield stratum.rows, np.zeros((1, 1)), stratum.rows[None, :]
                continue
            asked = None if rows is None else np.flatnonzero(is_asked[stratum.rows])
            own = None if groups is None else groups[stratum.rows]
            for part, (distances, found) in own_neighbors(stratum.index, k, asked, own):
                yield stratum.rows[part], distances, stratum.rows[found]

    def to_arrays(self) -> Arrays:
        """Give the arrays from which `from_arrays` makes this index again, bit for bit."""
        arrays: Arrays = {} if self.classes is None else {"classes": self.classes}
        for number, stratum in enumerate(self.strata):
            arrays |= prefixed(f"{number}.", stratum.to_arrays())
        return arrays

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """Make the index again; raises ValueError where the arrays do not fit each other."""
        classes = arrays.get("classes")
        if classes is not None and (
            classes.dtype.kind not in "iuUb" or not np.array_equal(classes, np.unique(classes))
        ):
            raise ValueError("The classes are not sorted labels.")
        of_each = sections(arrays)
        strata = [
            Stratum.from_arrays(of_each[str(number)], label)
            for number, label in enumerate(_labels(classes))
        ]
        if len({len(stratum.scaler.mean) for stratum in strata}) != 1:
            raise ValueError("The strata differ in their width.")
        rows = np.sort(np.concatenate([stratum.rows for stratum in strata]))
        if not np.array_equal(rows, np.arange(len(rows))):
            raise ValueError("The strata do not share out the rows of the training set.")
        return cls(classes, strata)


def _together(asked: list[tuple[int, NDArray[np.intp]]], found: list[Neighbors]) -> Found:
    """Put what was found in each stratum in the order of the queries."""
    n = sum(len(queries) for _, queries in asked)
    widths = [distances.shape[1] for distances, _ in found]
    distances, numbers = np.empty((n, max(widths))), np.zeros((n, max(widths)), np.intp)
    strata = np.empty(n, np.intp)
    for (stratum, queries), (near, which), width in zip(asked, found, widths, strict=True):
        strata[queries] = stratum
        if width == max(widths):
            distances[queries], numbers[queries] = near, which
        else:
            distances[queries, :width], numbers[queries, :width] = near, which
            distances[queries, width:] = np.inf
    return Found(distances, numbers, strata)


def _labels(classes: NDArray[np.generic] | None) -> Iterable[object]:
    return [None] if classes is None else classes
