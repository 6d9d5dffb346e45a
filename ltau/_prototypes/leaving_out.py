"""Prototypes without some of their members: how far they lie from these then."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from ltau.neighbors import Neighbors, Stratum, Vectors

__all__ = ["Families", "nearest_without_itself", "targets_without_itself"]

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

_CHUNK_ROWS = 1 << 14


def nearest_without_itself(
    distances: Floats, prototypes: Ints, owners: Ints, sizes: Ints, k: int
) -> Neighbors:
    """Leave each sample out of its own prototype, and take the `k` that are nearest then.

    Without a member at distance d the mean of the other m - 1 lies m / (m - 1) as far from
    it. The prototype of a sample alone is gone.

    Parameters
    ----------
    distances, prototypes : ndarray of shape (n, m)
        The nearest prototypes, at least one more than wanted if there are so many.
    owners : ndarray of shape (n,), intp
        The prototype of each sample.
    sizes : ndarray of shape (n_prototypes,), intp
        Number of members.
    k : int
        How many are wanted.

    Returns
    -------
    distances, prototypes : ndarray of shape (n, k), or (n, m) if that is less
        The nearest; at infinite distance those that are gone.
    """
    others = (sizes[owners] - 1)[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        without = np.where(others > 0, distances * (others + 1) / others, np.inf)
    return _nearest(np.where(prototypes == owners[:, None], without, distances), prototypes, k)


@dataclass(frozen=True)
class Families:
    """The members that each group has in each prototype of a stratum.

    Parameters
    ----------
    keys : ndarray of shape (n_families,), intp
        Prototype times `n_groups`, plus group; ascending.
    sizes : ndarray of shape (n_families,), intp
        Number of members.
    sums : ndarray of shape (n_families, n_features), float32
        Sum of their scaled latents.
    n_groups : int
        Number of groups.
    targets : ndarray of shape (n_families, n_outputs), float64, or None
        Sum of their targets, where these are known.
    """

    keys: Ints
    sizes: Ints
    sums: Vectors
    n_groups: int
    targets: Floats | None = None

    @classmethod
    def of(
        cls,
        stratum: Stratum,
        members: NDArray[np.floating],
        owners: Ints,
        groups: Ints,
        targets: Floats | None = None,
    ) -> Self:
        """Gather the families of a stratum.

        Parameters
        ----------
        stratum : Stratum
            The prototypes.
        members : ndarray of shape (n_members, n_features)
            The latents of all members.
        owners, groups : ndarray of shape (n_members,), intp
            Their prototypes and groups.
        targets : ndarray of shape (n_members, n_outputs), float64, optional
            Their targets.

        Returns
        -------
        Families
            The families.
        """
        n_groups = int(groups.max()) + 1
        keys, family = np.unique(owners * n_groups + groups, return_inverse=True)
        sums = np.zeros((len(keys), members.shape[1]), np.float32)
        for start in range(0, len(members), _CHUNK_ROWS):
            part = slice(start, start + _CHUNK_ROWS)
            np.add.at(sums, family[part], stratum.scaler.transform(members[part]))
        total: Floats | None = None
        if targets is not None:
            outputs = [np.bincount(family, output) for output in targets.T]
            total = np.stack(outputs, axis=1).astype(np.float64)
        return cls(keys, np.bincount(family), sums, n_groups, total)

    @property
    def most(self) -> int:
        """Number of prototypes in which one group has members, at most."""
        return int(np.bincount(self.keys % self.n_groups).max())

    def nearest_without(
        self, scaled: Vectors, groups: Ints, found: Neighbors, stratum: Stratum, sizes: Ints, k: int
    ) -> Neighbors:
        """Leave the group of each sample out of all prototypes, and take the `k` nearest then.

        Parameters
        ----------
        scaled : ndarray of shape (n, n_features), float32
            The samples.
        groups : ndarray of shape (n,), intp
            Their groups.
        found : (distances, prototypes), each of shape (n, m)
            The nearest prototypes: `most` more than wanted if there are so many.
        stratum : Stratum
            The prototypes.
        sizes : ndarray of shape (n_prototypes,), intp
            Number of members of each of all prototypes.
        k : int
            How many are wanted.

        Returns
        -------
        distances, prototypes : ndarray of shape (n, k), or (n, m) if that is less
            The nearest; at infinite distance those whose members are all of the group.
        """
        distances, prototypes = found
        row, column, family = self._matches(groups, prototypes)
        shared = prototypes[row, column]
        left = (sizes[shared] - self.sizes[family])[:, None]
        places = np.searchsorted(stratum.rows, shared)
        total = sizes[shared][:, None] * stratum.index.vectors_of(places).astype(np.float64)
        centres = (total - self.sums[family]) / np.maximum(left, 1)
        apart = np.linalg.norm(scaled[row] - centres, axis=1)
        distances = distances.copy()
        distances[row, column] = np.where(left[:, 0] > 0, apart, np.inf)
        return _nearest(distances, prototypes, k)

    def targets_without(self, groups: Ints, nearest: Ints, targets: Floats, sizes: Ints) -> Floats:
        """Give the mean targets of prototypes, each without the group it is compared with.

        Parameters
        ----------
        groups : ndarray of shape (n,), intp
            Groups of samples.
        nearest : ndarray of shape (n, k), intp
            The prototypes that they are compared with.
        targets : ndarray of shape (n_prototypes, n_outputs), float64
            Mean targets of all members.
        sizes : ndarray of shape (n_prototypes,), intp
            Number of members.

        Returns
        -------
        ndarray of shape (n, k, n_outputs), float64
            The means; any of a prototype whose members are all of the group.
        """
        if self.targets is None:
            raise ValueError("Expected families with targets, got some without.")
        known = targets[nearest]
        row, column, family = self._matches(groups, nearest)
        n = sizes[nearest[row, column]][:, None]
        left = np.maximum(n - self.sizes[family][:, None], 1)
        known[row, column] = (n * known[row, column] - self.targets[family]) / left
        return known

    def _matches(self, groups: Ints, prototypes: Ints) -> tuple[Ints, Ints, Ints]:
        """Find where a prototype has members of a sample's group, and which family these are."""
        keys = prototypes * self.n_groups + groups[:, None]
        family = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        row, column = np.nonzero(self.keys[family] == keys)
        return row, column, family[row, column]


def targets_without_itself(
    own: Floats, owners: Ints, nearest: Ints, targets: Floats, sizes: Ints
) -> Floats:
    """Give the mean targets of prototypes, each without the sample that it is compared with.

    Parameters
    ----------
    own : ndarray of shape (n, n_outputs), float64
        Targets of the samples.
    owners : ndarray of shape (n,), intp
        Their prototypes.
    nearest : ndarray of shape (n, k), intp
        The prototypes that they are compared with.
    targets : ndarray of shape (n_prototypes, n_outputs), float64
        Mean targets of all members.
    sizes : ndarray of shape (n_prototypes,), intp
        Number of members.

    Returns
    -------
    ndarray of shape (n, k, n_outputs), float64
        The means; any of a prototype of the sample alone.
    """
    known = targets[nearest]
    row, column = np.nonzero(nearest == owners[:, None])
    n = sizes[owners[row]][:, None]
    known[row, column] = (n * known[row, column] - own[row]) / np.maximum(n - 1, 1)
    return known


def _nearest(distances: Floats, prototypes: Ints, k: int) -> Neighbors:
    nearest = np.argsort(distances, axis=1, kind="stable")[:, :k]
    return (
        np.take_along_axis(distances, nearest, axis=1),
        np.take_along_axis(prototypes, nearest, axis=1),
    )
