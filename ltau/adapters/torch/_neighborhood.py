"""The neighbours of some samples as tensors: their weights, and how errors are stretched."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch

from ltau._fitted.settings import Settings
from ltau._fitted.state import Fitted
from ltau._maths.domain import error_factor, excess, local_ratio
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
    errors: torch.Tensor  # (n,), float64: their mean errors
    # Where targets are known:
    targets: torch.Tensor | None  # (n, n_outputs), float64
    disagreements: torch.Tensor  # (n,), float64: of these with those of their own neighbours

    def __init__(self, fitted: Fitted, n_neighbors: int) -> None:
        super().__init__()
        own = fitted.own_distances(n_neighbors)
        arrays = {
            "own_distances": own.values,
            "own_floors": own.floors,
            "floors": fitted.floors,
            "errors": fitted.densities.means,
            "sizes": np.ones(len(own.values)) if fitted.sizes is None else fitted.sizes,
        }
        for name, array in arrays.items():
            self.register_buffer(name, torch.tensor(array), persistent=False)
        for name, known in {"targets": fitted.targets, "disagreements": own.disagreements}.items():
            tensor = None if known is None else torch.tensor(known)
            self.register_buffer(name, tensor, persistent=False)

    def forward(
        self, found: TorchFound, settings: Settings, y_pred: torch.Tensor | None = None
    ) -> Neighborhood:
        """Weigh what was found, and find how far it lies."""
        k = settings.n_neighbors
        distances, numbers, stratum = found
        there = distances < torch.inf
        n = there.sum(dim=1, keepdim=True).clamp(max=k)
        shares = neighbor_places(torch, distances, there.double(), n) / n
        distance = (shares * torch.where(there, distances, 0.0)).sum(dim=1)
        reference = (shares * self.own_distances[numbers]).sum(dim=1)
        score = local_ratio(torch, distance.maximum(self.own_floors[stratum]), reference)
        places = neighbor_places(torch, distances, there * self.sizes[numbers], k)
        weights = places / k
        if settings.weights == "distance":
            floors = self.floors[stratum][:, None]
            weights = inverse_distance_weights(torch, distances, places, floors)
        surplus = None
        if self.targets is not None and y_pred is not None:
            error = (weights * self.errors[numbers]).sum(dim=1)
            targets, usual = self.targets[numbers], self.disagreements[numbers]
            surplus = excess(torch, y_pred, targets, usual, weights, error, score)
        factor = error_factor(settings, score, surplus)
        return Neighborhood(numbers, weights, factor, score)
