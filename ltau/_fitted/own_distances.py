"""How far training samples, and their targets, lie from each other: what is usual."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray

from ltau._files.arrays import Arrays
from ltau.neighbors import MIXED, LatentIndex

__all__ = ["OwnDistances"]

Floats = NDArray[np.float64]

# Of what is usual in a stratum: nearer neighbours are one sample seen twice, and say nothing
# about how dense the samples lie.
_LEAST_SHARE = 0.01


@dataclass(frozen=True)
class OwnDistances:
    """Mean distance of each sample to its own nearest, with a floor.

    Parameters
    ----------
    n_neighbors : int
        Number of neighbours of which it is the mean.
    values : ndarray of shape (n,), float64
        The distances, none below its floor.
    floors : ndarray of shape (n_strata,), float64
        The least distance that counts in each stratum. Below, samples coincide: by the
        rounding of their latents, or beside what is usual among the samples.
    disagreements : ndarray of shape (n,), float64, or None
        The distance of each sample's target from the mean target of those neighbours, where
        targets are known.
    """

    n_neighbors: int
    values: Floats
    floors: Floats
    disagreements: Floats | None = None

    @cached_property
    def are_positive(self) -> bool:
        """Whether none is 0: ratios to them have no exceptions then."""
        return bool(self.values.min(initial=1.0) > 0)

    @classmethod
    def search(
        cls,
        index: LatentIndex,
        n_neighbors: int,
        sizes: Floats | None,
        groups: NDArray[np.intp] | None = None,
        targets: Floats | None = None,
    ) -> Self:
        """Search the samples' own neighbours.

        Parameters
        ----------
        index : LatentIndex
            The samples.
        n_neighbors : int
            Number of neighbours.
        sizes : ndarray of shape (n,) or None
            How many training samples each stands for; None if each for itself.
        groups : ndarray of shape (n,), intp, optional
            Group of each, where others are to be samples of other groups.
        targets : ndarray of shape (n, n_outputs), float64, optional
            Target of each.

        Returns
        -------
        OwnDistances
            The distances.

        Raises
        ------
        ValueError
            If a stratum has a single sample.
        """
        values = np.empty(len(index))
        disagreements = None if targets is None else np.empty(len(index))
        twins = find_twins(sizes, groups)
        for rows, distances, others in index.own_neighbors(n_neighbors, groups=groups):
            here = None if twins is None else twins[rows]
            values[rows] = mean_of_others(distances, n_neighbors, here)
            if targets is not None and disagreements is not None:
                own = targets[rows]
                means = [
                    mean_of_others(output[others], n_neighbors, here, output[rows])
                    for output in targets.T
                ]
                disagreements[rows] = np.linalg.norm(own - np.stack(means, axis=1), axis=1)
        return cls.with_floors(index, n_neighbors, values, disagreements)

    @classmethod
    def with_floors(
        cls,
        index: LatentIndex,
        n_neighbors: int,
        values: Floats,
        disagreements: Floats | None = None,
    ) -> Self:
        """Give distances that were found a floor; they are changed in place."""
        floors = np.empty(len(index.strata))
        for number, stratum in enumerate(index.strata):
            own = values[stratum.rows]
            floors[number] = floor_of(stratum.floor, *log_sum(own, stratum.floor))
            values[stratum.rows] = np.maximum(own, floors[number])
        return cls(n_neighbors, values, floors, disagreements)

    def to_arrays(self) -> Arrays:
        """Give the arrays from which `from_arrays` makes this again."""
        arrays = {
            "n_neighbors": np.array(self.n_neighbors),
            "values": self.values,
            "floors": self.floors,
        }
        if self.disagreements is not None:
            arrays["disagreements"] = self.disagreements
        return arrays

    @classmethod
    def from_arrays(cls, arrays: Arrays, index: LatentIndex) -> Self:
        """Make it again; raises ValueError where the arrays do not fit the index."""
        n_neighbors, values, floors = (arrays[n] for n in ("n_neighbors", "values", "floors"))
        disagreements = arrays.get("disagreements")
        sized = [(values, len(index)), (floors, len(index.strata))]
        if disagreements is not None:
            sized.append((disagreements, len(index)))
        for array, n in sized:
            fits = array.dtype == np.float64 and array.shape == (n,)
            if not (fits and np.isfinite(array).all() and (array >= 0).all()):
                raise ValueError("Expected a distance of each sample, and a floor of each stratum.")
        if n_neighbors.dtype.kind not in "iu" or n_neighbors.shape or n_neighbors < 1:
            raise ValueError("Expected distances to at least one neighbour.")
        for stratum, floor in zip(index.strata, floors, strict=True):
            if not stratum.floor <= floor <= values[stratum.rows].min():
                raise ValueError("Expected distances above their floors, and these above rounding.")
        return cls(int(n_neighbors), values, floors, disagreements)


def find_twins(sizes: Floats | None, groups: NDArray[np.intp] | None) -> NDArray[np.bool_] | None:
    """Tell where another training sample coincides, of another group where there are groups.

    Parameters
    ----------
    sizes : ndarray of shape (n,) or None
        How many training samples each stands for; None if each for itself.
    groups : ndarray of shape (n,), intp, or None
        Group of each, as `common_groups` gives them.

    Returns
    -------
    ndarray of shape (n,), bool, or None
        Where; None if nowhere.
    """
    if sizes is None:
        return None
    return sizes > 1 if groups is None else groups == MIXED


def mean_of_others(
    values: Floats, n_neighbors: int, twins: NDArray[np.bool_] | None, own: Floats | float = 0.0
) -> Floats:
    """Average over a sample's nearest others; where it has a twin, that is the nearest of them.

    Parameters
    ----------
    values : ndarray of shape (n, m), float64
        Of the nearest that lie elsewhere, nearest first.
    n_neighbors : int
        Number of neighbours; ``m`` is it, or all there are.
    twins : ndarray of shape (n,), bool, or None
        Whether another training sample coincides with each.
    own : ndarray of shape (n,) or float, default=0.0
        The value of such a twin: its distance is 0.

    Returns
    -------
    ndarray of shape (n,), float64
        The means.
    """
    means: Floats = values.mean(axis=1)
    if twins is None or not twins.any():
        return means
    n = min(n_neighbors, values.shape[1] + 1)
    return np.where(twins, (own + values[:, : n - 1].sum(axis=1)) / n, means)


def log_sum(own: Floats, rounding: float) -> tuple[float, int]:
    """Sum the logarithms of the distances that are more than rounding, and count these."""
    logs = np.log(own[own > rounding])
    return float(logs.sum()), len(logs)


def floor_of(rounding: float, log_total: float, n: int) -> float:
    """Give the least distance that counts: a share of the geometric mean, or rounding."""
    return max(rounding, _LEAST_SHARE * float(np.exp(log_total / n))) if n else rounding
