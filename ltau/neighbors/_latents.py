"""Neighbours among the training latents: scaled, and within each stratum."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ltau._files.arrays import Arrays, all_finite, prefixed, section
from ltau.neighbors._base import NeighborIndex, Neighbors, Vectors
from ltau.neighbors._factory import INDEX_CLASSES, make_index
from ltau.neighbors._scaling import LatentScaler
from ltau.neighbors._strata import ScaledStratum, check_size, scale_strata, storage_of

__all__ = ["LatentIndex"]

_BATCH_VALUES = 1 << 22  # in the largest temporary of a self-search


@dataclass(frozen=True)
class Stratum:
    """One class of samples, with a scaling and an index of its own."""

    label: object  # None where there are no classes
    rows: NDArray[np.intp]  # of the training set
    scaler: LatentScaler
    index: NeighborIndex

    def search(self, latents: Vectors, k: int) -> Neighbors:
        if len(self.rows) < k:
            where = "" if self.label is None else f" in stratum {self.label}"
            raise ValueError(
                f"Expected at least n_neighbors = {k} training samples{where}, or prototypes, "
                f"got {len(self.rows)}."
            )
        distances, found = self.index.search(self.scaler.transform(latents), k)
        return distances, found if self.label is None else self.rows[found]

    def to_arrays(self) -> Arrays:
        arrays = {"rows": self.rows, "kind": np.array(self.index.kind)}
        arrays |= prefixed("scaler.", self.scaler.to_arrays())
        arrays |= prefixed("index.", self.index.to_arrays())
        return arrays

    @classmethod
    def from_arrays(cls, arrays: Arrays, label: object) -> Self:
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
        index = INDEX_CLASSES[kind].from_arrays(section(arrays, "index."))
        return cls(label, rows, scaler, index)


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
    def fit(
        cls,
        latents: Vectors,
        strata: NDArray[np.generic] | None,
        *,
        kind: str,
        scaling: str,
        n_neighbors: int,
        recall: float,
        memory_limit: int | None = None,
        random_state: int | None,
    ) -> Self:
        """Make a scaling and an index for each stratum.

        Parameters
        ----------
        latents : ndarray of shape (n_samples, n_features), float32, C-contiguous
            The training latents.
        strata : ndarray of shape (n_samples,) or None
            Class of each sample.
        kind, n_neighbors, recall, random_state
            As in `make_index`.
        memory_limit : int, optional
            Bytes that all indices may take in memory, shared out by their samples. Where
            the vectors do not fit they are kept in a temporary file, as `storage` says.
        scaling : {"none", "standardize", "whiten"}
            As in `LatentScaler.fit`.

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
        return cls.build(
            scale_strata(latents, strata, scaling, kind=kind, memory_limit=memory_limit),
            kind=kind,
            n_neighbors=n_neighbors,
            recall=recall,
            memory_limit=memory_limit,
            random_state=random_state,
        )

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
            As in `fit`.

        Returns
        -------
        LatentIndex
            The index.

        Raises
        ------
        ValueError
            As `fit`.
        """
        parts = []
        n_samples = sum(len(stratum.rows) for stratum in strata)
        for stratum in strata:
            check_size(len(stratum.rows), n_neighbors, stratum.label)
            storage = storage_of(kind, stratum.vectors.shape, n_samples, memory_limit)
            index = make_index(
                storage.kind,
                stratum.vectors,
                n_neighbors=n_neighbors,
                recall=recall,
                random_state=random_state,
                overwrite=True,
            )
            parts.append(Stratum(stratum.label, stratum.rows, stratum.scaler, index))
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
        self, latents: Vectors, k: int, strata: NDArray[np.generic] | None = None
    ) -> Neighbors:
        """Find the `k` nearest training samples of each row, within its stratum.

        Parameters
        ----------
        latents : ndarray of shape (n, n_features), float32, finite
            The queries.
        k : int
            Number of neighbours, at most the samples of the smallest stratum asked.
        strata : ndarray of shape (n,) or None
            Class of each query.

        Returns
        -------
        distances : ndarray of shape (n, k), float64
            Distances in the scaled latent space, ascending.
        indices : ndarray of shape (n, k), intp
            Rows of the training set.

        Raises
        ------
        ValueError
            If a stratum is unknown, or has fewer than `k` samples.
        """
        if (self.classes is None) != (strata is None):
            how = "without" if self.classes is None else "with"
            raise ValueError(f"The estimator was fitted {how} strata: predict likewise.")
        if strata is None:
            return self.strata[0].search(latents, k)
        if strata.shape != (len(latents),):
            raise ValueError(f"Expected strata of shape ({len(latents)},), got {strata.shape}.")
        distances = np.empty((len(latents), k))
        indices = np.empty((len(latents), k), np.intp)
        n_found = 0
        for stratum in self.strata:
            queries = np.flatnonzero(strata == stratum.label)
            if queries.size:
                found = stratum.search(latents[queries], k)
                distances[queries], indices[queries] = found
                n_found += queries.size
        if n_found < len(strata):
            self._refuse_unknown(strata)
        return distances, indices

    def own_neighbors(
        self, k: int, rows: NDArray[np.intp] | None = None
    ) -> Iterator[tuple[NDArray[np.intp], NDArray[np.float64], NDArray[np.intp]]]:
        """Find the `k` nearest others of training samples, in batches.

        Parameters
        ----------
        k : int
            Number of neighbours; in a stratum without so many others, all of them.
        rows : ndarray of shape (n,), intp, optional
            The training samples; by default all.

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
        asked = np.ones(len(self), bool)
        if rows is not None:
            asked[:] = False
            asked[rows] = True
        for stratum in self.strata:
            check_size(len(stratum.rows) - 1, 1, stratum.label, " besides the sample itself")
        for stratum in self.strata:
            members = np.flatnonzero(asked[stratum.rows])
            batch = max(1, _BATCH_VALUES // (stratum.index.vectors.shape[1] * (k + 1)))
            for start in range(0, len(members), batch):
                part = members[start : start + batch]
                distances, found = stratum.index.search_others(part, min(k, len(stratum.rows) - 1))
                yield stratum.rows[part], distances, stratum.rows[found]

    def _refuse_unknown(self, strata: NDArray[np.generic]) -> None:
        labels = list(_labels(self.classes))
        unknown = next(label for label in np.unique(strata) if label not in labels)
        seen = ", ".join(map(str, labels))
        raise ValueError(f"Stratum {unknown} was not seen at fit, which saw {seen}.")

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
        strata = [
            Stratum.from_arrays(section(arrays, f"{number}."), label)
            for number, label in enumerate(_labels(classes))
        ]
        if len({len(stratum.scaler.mean) for stratum in strata}) != 1:
            raise ValueError("The strata differ in their width.")
        rows = np.sort(np.concatenate([stratum.rows for stratum in strata]))
        if not np.array_equal(rows, np.arange(len(rows))):
            raise ValueError("The strata do not share out the rows of the training set.")
        return cls(classes, strata)


def _labels(classes: NDArray[np.generic] | None) -> Iterable[object]:
    return [None] if classes is None else classes
