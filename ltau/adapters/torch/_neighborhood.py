"""The neighbours of some samples as tensors: their weights, and how errors are stretched."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch

from ltau._fitted.settings import Settings
from ltau._fitted.state import Fitted
from ltau._maths.domain import local_ratio, stretch_factor
from ltau._maths.weights import inverse_distance_weights, neighbor_places
from ltau.adapters.torch._index import TorchFound

__all__ = ["Neighborhood", "TorchKnown"]


class Neighborhood(NamedTuple):
    """As `ltau._fitted.neighborhood.Neighborhood`, of tensors."""

    rows: torch.Tensor  # (n, m), of the densities
    weights: torch.Tensor  # (n, m), which sum to 1 in every row
    factor: torch.Tensor  # (n,), by which errors are stretched
    ood_score: torch.Tensor  # (n,)


class TorchKnown(torch.nn.Module):
    """What is known of the training samples that a search finds.

    Parameters
    ----------
    fitted : Fitted
        What a fit has left.
    n_neighbors : int
        Number of neighbours.
    """

    own_distances: torch.Tensor  # (n,), float64
    own_floors: torch.Tensor  # (n_strata,), float64: the least that counts
    floors: torch.Tensor  # (n_strata,), float64: below, samples coincide
    sizes: torch.Tensor  # (n,), float64: training samples that each stands for

    def __init__(self, fitted: Fitted, n_neighbors: int) -> None:
        super().__init__()
        own = fitted.own_distances(n_neighbors)
        arrays = {
            "own_distances": own.values,
            "own_floors": own.floors,
            "floors": fitted.floors,
            "sizes": np.ones(len(own.values)) if fitted.sizes is None else fitted.sizes,
        }
        for name, array in arrays.items():
            self.register_buffer(name, torch.tensor(array), persistent=False)

    def forward(self, found: TorchFound, settings: Settings) -> Neighborhood:
        """Weigh what was found, and find how far it lies."""
        k, calibration = settings.n_neighbors, settings.calibration
        distances, numbers, stratum = found
        there = distances < torch.inf
        n = there.sum(dim=1, keepdim=True).clamp(max=k)
        shares = neighbor_places(torch, distances, there.double(), n) / n
        distance = (shares * torch.where(there, distances, 0.0)).sum(dim=1)
        reference = (shares * self.own_distances[numbers]).sum(dim=1)
        score = local_ratio(torch, distance.maximum(self.own_floors[stratum]), reference)
        factor = stretch_factor(calibration.scale, calibration.exponent, score)
        places = neighbor_places(torch, distances, there * self.sizes[numbers], k)
        weights = places / k
        if settings.weights == "distance":
            floors = self.floors[stratum][:, None]
            weights = inverse_distance_weights(torch, distances, places, floors)
        return Neighborhood(numbers, weights, factor, score)
