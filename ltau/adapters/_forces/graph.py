"""The uncertainty of forces as one graph of tensors: to be compiled with a model, or traced."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from ltau._fitted.conformal import quantile_levels
from ltau._fitted.own_distances import OwnDistances
from ltau._fitted.state import Fitted, Table
from ltau._maths.domain import error_factor, local_ratio
from ltau._maths.ties import level_to_reach, quantile_in_bin
from ltau._maths.weights import inverse_distance_weights, neighbor_places
from ltau.estimator import LTAUEstimator

__all__ = ["Arrays", "SummaryGraph"]

Arrays = dict[str, NDArray[Any]]


class SummaryGraph(torch.nn.Module, ABC):
    """What `LTAUEstimator.predict_summary` gives, from tensors that are part of the module.

    A class that derives from it keeps the scaled samples as suits it, and finds those nearest
    to each atom. Training samples that coincide count together, as in the estimator; of others
    that are exactly as near as the last neighbour, the first count.

    Parameters
    ----------
    estimator : LTAUEstimator
        Fitted on latents and errors of forces, without targets.
    level : float
        Probability that an error stays within its error bar.
    most : int
        The largest number of samples or prototypes.

    Raises
    ------
    NotFittedError
        If the estimator is not fitted.
    ValueError
        If the estimator has too many samples, was fitted with targets, or was calibrated with
        groups.
    """

    edges: torch.Tensor  # (n_bins + 1,)
    own_floors: torch.Tensor  # (n_strata,), the least own distance that counts
    floors: torch.Tensor  # (n_strata,), below which samples coincide
    # Of the samples, in the order of their places:
    own_distances: torch.Tensor  # (n_places,)
    sizes: torch.Tensor  # (n_places,), training samples that each stands for
    expected: torch.Tensor  # (n_places,), expected errors
    counts: torch.Tensor  # (n_places, n_bins + 1), how many errors are below each edge

    def __init__(self, estimator: LTAUEstimator, level: float, most: int) -> None:
        super().__init__()
        check_is_fitted(estimator)
        settings, fitted = estimator.settings(), estimator.fitted_
        n_samples = len(fitted.densities)
        if n_samples > most:
            raise ValueError(
                f"Expected an estimator of at most {most} samples to compile, got {n_samples}: "
                "fit one with n_prototypes."
            )
        if fitted.targets is not None:
            raise ValueError("Expected an estimator fitted without targets, got one with targets.")
        self.n_neighbors = settings.n_neighbors
        self._settings = settings
        self._level = float(quantile_levels(settings.calibration, level, 1, None)[0, 0])
        self.merged = fitted.sizes is not None
        tables = list(fitted.tables())
        own = fitted.own_distances(settings.n_neighbors)
        rows = self.keep_vectors(tables, estimator.recall)
        arrays = _samples(fitted, own, rows)
        self.keep(arrays | {"own_floors": own.floors, "floors": fitted.floors})
        self._n_bins = len(arrays["edges"]) - 1

    def keep(self, arrays: Arrays) -> None:
        """Make arrays a part of the module."""
        for name, array in arrays.items():
            self.register_buffer(name, torch.tensor(np.ascontiguousarray(array)))

    @abstractmethod
    def keep_vectors(self, tables: Sequence[Table], recall: float) -> NDArray[np.intp]:
        """Keep what is searched.

        Parameters
        ----------
        tables : sequence of Table
            The scaled samples, stratum by stratum.
        recall : float
            Share of the true neighbours to find.

        Returns
        -------
        ndarray of shape (n_places,), intp
            The number of the sample at each place.
        """

    @abstractmethod
    def nearest(
        self, latents: torch.Tensor, strata: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Scale latents, and find the nearest samples of each atom's stratum.

        Parameters
        ----------
        latents : Tensor of shape (n_atoms, n_features)
            Latents of the atoms.
        strata : Tensor of shape (n_atoms,), int64
            Numbers of the strata.

        Returns
        -------
        distances : Tensor of shape (n_atoms, k), float64
            Ascending; infinite where a stratum has no more samples.
        places : Tensor of shape (n_atoms, k), int64
            Places of the samples.
        """

    def forward(self, latents: torch.Tensor, strata: torch.Tensor) -> torch.Tensor:
        """Predict the errors of atoms.

        Parameters
        ----------
        latents : Tensor of shape (n_atoms, n_features)
            What the estimator knows of them.
        strata : Tensor of shape (n_atoms,), int64
            Numbers of their strata, 0 where there are none.

        Returns
        -------
        Tensor of shape (3, n_atoms), float64
            Expected error, error bar and `ood_score`, in the unit of the errors.
        """
        distances, rows = self.nearest(latents, strata)
        ood_score = self._score(distances, rows, strata)
        factor = error_factor(self._settings, ood_score)
        weights = self._weights(distances, rows, strata)
        expected = factor * (weights * self.expected[rows]).sum(dim=1)
        bar = factor * self._quantile(rows, weights) * max(self._level, 1.0)
        return torch.stack([expected, bar, ood_score])

    def _score(
        self, distances: torch.Tensor, rows: torch.Tensor, strata: torch.Tensor
    ) -> torch.Tensor:
        """Compare the distance to the nearest samples with their own."""
        theirs, floor = self.own_distances[rows], self.own_floors[strata]
        if not self.merged:
            floor = self.n_neighbors * floor
            return local_ratio(torch, distances.sum(dim=1).maximum(floor), theirs.sum(dim=1))
        there = distances < torch.inf
        n = there.sum(dim=1, keepdim=True)
        shares = neighbor_places(torch, distances, there.double(), n) / n
        distance = (shares * torch.where(there, distances, 0.0)).sum(dim=1)
        return local_ratio(torch, distance.maximum(floor), (shares * theirs).sum(dim=1))

    def _weights(
        self, distances: torch.Tensor, rows: torch.Tensor, strata: torch.Tensor
    ) -> torch.Tensor:
        """Weigh the neighbours of each atom."""
        k = self.n_neighbors
        places = torch.ones_like(distances)
        if self.merged:
            sizes = (distances < torch.inf) * self.sizes[rows]
            places = neighbor_places(torch, distances, sizes, k)
        if self._settings.weights == "uniform":
            return places / k
        floors = self.floors[strata][:, None]
        return inverse_distance_weights(torch, distances, places, floors)

    def _quantile(self, rows: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        """Find the error at which the averaged distribution reaches the level, by the tie rule."""
        shares = weights / self.counts[rows, -1]
        level = min(self._level, 1.0)
        to_reach = float(level_to_reach(np.float64(level)))

        def cdf(edge: torch.Tensor) -> torch.Tensor:
            return (shares * self.counts[rows, edge[:, None]]).sum(dim=1)

        left = torch.zeros_like(rows[:, 0])  # the last edge below which too few errors are
        for bit in reversed(range(self._n_bins.bit_length())):
            edge = (left + (1 << bit)).clamp(max=self._n_bins)
            left = torch.where(cdf(edge) < to_reach, edge, left)
        left = left.clamp(max=self._n_bins - 1)
        right = left + 1
        ends = cdf(left), cdf(right), self.edges[left], self.edges[right]
        return quantile_in_bin(level, *ends)


def _samples(fitted: Fitted, own: OwnDistances, rows: NDArray[np.intp]) -> Arrays:
    """Put what is known of the samples in the order of their places."""
    densities = fitted.densities
    counts = densities.cumulative[rows]
    of_torch = {1: np.uint8, 2: np.int32}.get(counts.itemsize, np.int64)  # it lacks the others
    return {
        "own_distances": own.values[rows],
        "sizes": np.ones(len(rows)) if fitted.sizes is None else fitted.sizes[rows],
        "expected": densities.means[rows],
        "counts": np.pad(counts.astype(of_torch), ((0, 0), (1, 0))),
        "edges": densities.edges,
    }
