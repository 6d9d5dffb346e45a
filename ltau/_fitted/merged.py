"""Training samples that coincide, and are counted together."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray

from ltau._files.arrays import Arrays
from ltau._fitted.densities import TrainingDensities

__all__ = ["Merged"]


@dataclass(frozen=True)
class Merged:
    """The training samples that those in an index stand for.

    Parameters
    ----------
    owners : ndarray of shape (n_samples,), intp
        The number, in the index, of the one that each training sample is counted with.
    densities : TrainingDensities
        The training samples' own densities: they tell samples apart that coincide.
    """

    owners: NDArray[np.intp]
    densities: TrainingDensities

    @cached_property
    def sizes(self) -> NDArray[np.float64]:
        """How many training samples each one in the index stands for."""
        return np.bincount(self.owners).astype(np.float64)

    @cached_property
    def _in_order(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """The training samples, place by place, and where each place begins, or the last ends."""
        bounds = np.append(0, np.cumsum(self.sizes)).astype(np.intp)
        return np.argsort(self.owners, kind="stable"), bounds

    def samples_of(self, numbers: NDArray[np.intp]) -> list[NDArray[np.intp]]:
        """Give the training samples that some in the index stand for.

        Parameters
        ----------
        numbers : ndarray of shape (n,), intp
            Numbers in the index.

        Returns
        -------
        list of ndarray, intp
            The rows of each, ascending.
        """
        order, bounds = self._in_order
        ends = zip(bounds[numbers], bounds[numbers + 1], strict=True)
        return [order[start:end] for start, end in ends]

    def together(self) -> TrainingDensities:
        """Count the errors of those that coincide together.

        Returns
        -------
        TrainingDensities
            The densities of those in the index.
        """
        order, bounds = self._in_order
        counts = self.densities.cumulative
        largest = np.bincount(self.owners, counts[:, -1]).max()
        kind = np.min_scalar_type(int(largest))
        cumulative = counts[order[bounds[:-1]]].astype(kind, copy=False)
        several = np.flatnonzero(self.sizes > 1)  # most samples are alone in their place
        members = order[self.sizes[self.owners[order]] > 1]
        starts = np.append(0, np.cumsum(self.sizes[several]))[:-1].astype(np.intp)
        for column in range(counts.shape[1] if len(several) else 0):  # never a wide copy
            sums = np.add.reduceat(counts[members, column], starts, dtype=kind)
            cumulative[several, column] = sums
        return TrainingDensities(self.densities.edges, cumulative)

    def rows_of(
        self, distances: NDArray[np.float64], numbers: NDArray[np.intp], k: int
    ) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
        """Give the `k` nearest training samples, of those in the index.

        Parameters
        ----------
        distances : ndarray of shape (n, m), float64
            Distances to those found, ascending.
        numbers : ndarray of shape (n, m), intp
            Their numbers.
        k : int
            How many samples, no more than those found stand for.

        Returns
        -------
        distances, rows : ndarray of shape (n, k)
            Of those that coincide the first ones, in the order of the training set.
        """
        near, rows = np.empty((len(numbers), k)), np.empty((len(numbers), k), np.intp)
        for query, (far, which) in enumerate(zip(distances, numbers, strict=True)):
            which = which[np.isfinite(far)]
            several = self.samples_of(which)
            rows[query] = np.concatenate(several)[:k]
            near[query] = np.repeat(far[: len(which)], [len(s) for s in several])[:k]
        return near, rows

    def to_arrays(self) -> Arrays:
        """Give the arrays from which `from_arrays` makes this again."""
        return {"owners": self.owners, "cumulative": self.densities.cumulative}

    @classmethod
    def from_arrays(cls, arrays: Arrays, densities: TrainingDensities) -> Self:
        """Make it again; raises ValueError where the arrays do not fit the densities."""
        owners = arrays["owners"]
        if owners.dtype != np.intp or owners.ndim != 1 or not len(owners) or owners.min() < 0:
            raise ValueError("Expected the number of each training sample in the index.")
        if (
            owners.max() >= len(densities)
            or not np.bincount(owners, minlength=len(densities)).all()
        ):
            raise ValueError("The training samples are not those of the index.")
        own = TrainingDensities.from_arrays(
            {"edges": densities.edges, "cumulative": arrays["cumulative"]}
        )
        if len(own) != len(owners):
            raise ValueError("There are not as many samples as densities.")
        together = np.bincount(owners, own.cumulative[:, -1])
        if not np.array_equal(together, densities.cumulative[:, -1]):
            raise ValueError("The training samples do not have the errors of the index.")
        return cls(owners, own)
