"""What a fit leaves: a value that can be saved, and given to other backends."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from ltau._files.arrays import Arrays, prefixed, section
from ltau._fitted.densities import TrainingDensities
from ltau._fitted.members import Members
from ltau._fitted.merged import Merged
from ltau._fitted.own_distances import OwnDistances
from ltau.neighbors import MIXED, LatentIndex, LatentScaler, Vectors

__all__ = ["Fitted", "Table"]

Floats = NDArray[np.float64]


class Table(NamedTuple):
    """What a backend needs to search one stratum: plain arrays.

    Parameters
    ----------
    label : object
        The class; None where there are no classes.
    numbers : ndarray of shape (n,), intp
        Numbers of the samples, by which densities and own distances are found.
    scaler : LatentScaler
        The scaling of latents.
    vectors : ndarray of shape (n, n_features), float32, C-contiguous
        The scaled latents of the samples.
    """

    label: object
    numbers: NDArray[np.intp]
    scaler: LatentScaler
    vectors: Vectors


@dataclass
class Fitted:
    """What a fit leaves: all that predictions are made of.

    Parameters
    ----------
    index : LatentIndex
        The scaled latents of the training samples, those that coincide as one, or of
        prototypes.
    densities : TrainingDensities
        The error densities of these.
    merged : Merged or None
        The training samples that those in the index stand for; None where each stands for
        itself.
    members : Members or None
        What is kept of the training samples, where there are prototypes.
    own : OwnDistances or None
        The distances to the samples' own neighbours, once they were needed.
    targets : ndarray of shape (n, n_outputs), float64, or None
        The targets of those in the index, means where they stand for several samples.
    groups : ndarray of shape (n,), intp, or None
        The groups of those in the index, where own neighbours are to be of other ones. Not kept
        with prototypes, whose members are measured.

    Notes
    -----
    Nothing of it changes, but that own distances are searched when they are first needed.
    """

    index: LatentIndex
    densities: TrainingDensities
    merged: Merged | None = field(default=None, repr=False)
    members: Members | None = field(default=None, repr=False)
    own: OwnDistances | None = field(default=None, repr=False)
    targets: Floats | None = field(default=None, repr=False)
    groups: NDArray[np.intp] | None = field(default=None, repr=False)

    @property
    def n_samples(self) -> int:
        """Number of training samples."""
        if self.members is not None:
            return self.members.n_samples
        return len(self.densities) if self.merged is None else len(self.merged.owners)

    @property
    def sizes(self) -> Floats | None:
        """How many training samples each in the index stands for; None if each for itself."""
        return None if self.merged is None else self.merged.sizes

    @property
    def sample_densities(self) -> TrainingDensities:
        """The densities of all training samples, each its own."""
        return self.densities if self.merged is None else self.merged.densities

    @cached_property
    def floors(self) -> Floats:
        """Distance below which samples of each stratum coincide, by rounding."""
        return np.array([stratum.floor for stratum in self.index.strata])

    def own_distances(self, n_neighbors: int) -> OwnDistances:
        """Give the samples' mean distances to their own neighbours, searched once.

        Parameters
        ----------
        n_neighbors : int
            Number of neighbours.

        Returns
        -------
        OwnDistances
            The distances.

        Raises
        ------
        ValueError
            If a stratum has a single sample; or there are prototypes, whose members were
            measured with another number of neighbours.
        """
        if self.own is None or self.own.n_neighbors != n_neighbors:
            if self.members is not None and self.own is not None:
                raise ValueError(
                    f"Expected n_neighbors = {self.own.n_neighbors} as at fit, got "
                    f"{n_neighbors}: the samples behind the prototypes were measured with it. "
                    "Fit again."
                )
            self.own = OwnDistances.search(
                self.index, n_neighbors, self.sizes, self.groups, self.targets
            )
        return self.own

    def rows_of(
        self, distances: Floats, numbers: NDArray[np.intp], k: int
    ) -> tuple[Floats, NDArray[np.intp]]:
        """Give the `k` nearest training samples or prototypes, of those found in the index.

        Parameters
        ----------
        distances : ndarray of shape (n, m), float64
            Distances, ascending.
        numbers : ndarray of shape (n, m), intp
            Numbers in the index.
        k : int
            How many; no more than those found stand for.

        Returns
        -------
        distances, rows : ndarray of shape (n, k)
            Distances, in the unit of the latents if these are not scaled, and rows of the
            training set.
        """
        distances = self.index.lengths(distances, numbers)
        if self.merged is None:
            return distances[:, :k], numbers[:, :k]
        return self.merged.rows_of(distances, numbers, k)

    def tables(self) -> Iterator[Table]:
        """Give what is searched, stratum by stratum.

        Yields
        ------
        Table
            Of each stratum, in the order of its label.
        """
        for stratum in self.index.strata:
            vectors = stratum.index.vectors_of(np.arange(len(stratum.rows)))
            yield Table(stratum.label, stratum.rows, stratum.scaler, np.ascontiguousarray(vectors))

    def to_arrays(self) -> Arrays:
        """Give the arrays from which `from_arrays` makes this again, bit for bit."""
        arrays = prefixed("densities.", self.densities.to_arrays())
        arrays |= prefixed("latents.", self.index.to_arrays())
        for name in ("merged", "members", "own"):
            part = getattr(self, name)
            if part is not None:
                arrays |= prefixed(f"{name}.", part.to_arrays())
        given = {"targets": self.targets, "groups": self.groups}
        return arrays | {name: array for name, array in given.items() if array is not None}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """Make it again; raises ValueError where the arrays do not fit each other."""
        densities = TrainingDensities.from_arrays(section(arrays, "densities."))
        index = LatentIndex.from_arrays(section(arrays, "latents."))
        if len(index) != len(densities):
            raise ValueError("There are not as many latents as densities.")
        merged, members, own = (section(arrays, f"{n}.") for n in ("merged", "members", "own"))
        fitted = cls(
            index,
            densities,
            Merged.from_arrays(merged, densities) if merged else None,
            Members.from_arrays(members) if members else None,
            OwnDistances.from_arrays(own, index) if own else None,
            arrays.get("targets"),
            arrays.get("groups"),
        )
        _check_given(fitted.targets, fitted.groups, fitted.sizes, index)
        if fitted.own and (fitted.own.disagreements is None) != (fitted.targets is None):
            raise ValueError("Expected targets, and how they disagree, or neither.")
        if members and (merged or not own or len(index) > fitted.n_samples):
            raise ValueError("The prototypes do not fit their members.")
        sizes = np.ones(len(densities)) if fitted.sizes is None else fitted.sizes
        if any(sizes[stratum.rows].sum() != stratum.n_samples for stratum in index.strata):
            raise ValueError("The strata do not have as many samples as there are.")
        return fitted


def _check_given(
    targets: Floats | None,
    groups: NDArray[np.intp] | None,
    sizes: Floats | None,
    index: LatentIndex,
) -> None:
    """Refuse targets and groups of a file that do not fit the index."""
    if targets is not None and not (
        targets.dtype == np.float64
        and targets.ndim == 2
        and len(targets) == len(index)
        and targets.shape[1]
        and np.isfinite(targets).all()
    ):
        raise ValueError("Expected finite targets of each sample.")
    if groups is None:
        return
    if groups.dtype != np.intp or groups.shape != (len(index),) or groups.min() < MIXED:
        raise ValueError("Expected a group of each sample.")
    if (groups == MIXED).any() and (sizes is None or (sizes[groups == MIXED] < 2).any()):
        raise ValueError("Expected the group of one sample to be one.")
    parts = (groups[stratum.rows] for stratum in index.strata)
    if any(len(part) > 1 and len(np.unique(part)) == 1 and part[0] != MIXED for part in parts):
        raise ValueError("Expected groups that are not a whole stratum.")
