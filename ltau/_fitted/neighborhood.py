"""The neighbours of some samples: their weights, and how errors are stretched."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ltau._fitted.densities import TrainingDensities
from ltau._fitted.own_distances import OwnDistances
from ltau._fitted.settings import Settings
from ltau._maths.domain import error_factor, excess, local_ratio
from ltau._maths.weights import inverse_distance_weights, neighbor_places
from ltau.neighbors import Found

__all__ = ["Known", "Neighborhood", "neighborhood"]

Floats = NDArray[np.float64]


class Known(Protocol):
    """What is known of the training samples that a search finds."""

    @property
    def densities(self) -> TrainingDensities:
        """Their error densities."""

    @property
    def sizes(self) -> Floats | None:
        """How many training samples each stands for, shape (n,); None if each for itself."""

    @property
    def targets(self) -> Floats | None:
        """Their targets, shape (n, n_outputs), if these are known."""

    @property
    def floors(self) -> Floats:
        """Distance below which they coincide by rounding, shape (n_strata,)."""

    def own_distances(self, n_neighbors: int) -> OwnDistances:
        """Give their distances to their own neighbours."""

    def rows_of(
        self, distances: Floats, numbers: NDArray[np.intp], k: int
    ) -> tuple[Floats, NDArray[np.intp]]:
        """Give the `k` nearest training samples, of those that were found."""


class Neighborhood(NamedTuple):
    """The neighbours of some samples, and what is made of them."""

    rows: NDArray[np.intp]  # (n, m), of the densities
    weights: Floats  # (n, m), which sum to 1 in every row
    factor: Floats | None  # (n,), by which errors are stretched, if they are
    ood_score: Floats | None  # (n,), if it was needed
    excess: Floats | None  # (n,), disagreement beyond the domain, if it was needed


def neighborhood(
    found: Found,
    known: Known,
    settings: Settings,
    y_pred: Floats | None = None,
    *,
    ood_score: bool = False,
) -> Neighborhood:
    """Weigh what was found, and find how far it lies.

    Parameters
    ----------
    found : Found
        The nearest of what is known, for each sample.
    known : Known
        What is known.
    settings : Settings
        How it is weighed and stretched.
    y_pred : ndarray of shape (n, n_outputs), float64, optional
        The model's predictions, where they are to be compared with known targets.
    ood_score : bool, default=False
        Whether the score is wanted, even if nothing is stretched by it.

    Returns
    -------
    Neighborhood
        The neighbours.
    """
    weights = _weights(found, known, settings)
    scale, exponent = settings.calibration.scale, settings.calibration.exponent
    score = factor = surplus = None
    if exponent or ood_score or y_pred is not None:
        score = _score(found, known, settings.n_neighbors)
    if y_pred is not None and score is not None:
        surplus = _excess(found.numbers, known, y_pred, weights, score, settings.n_neighbors)
    if exponent or surplus is not None:
        factor = error_factor(settings, score, surplus)
    elif scale != 1:
        factor = np.full(len(found.distances), scale)
    return Neighborhood(found.numbers, weights, factor, score, surplus)


def _weights(found: Found, known: Known, settings: Settings) -> Floats:
    """Weigh the neighbours of each sample."""
    distances, k = found.distances, settings.n_neighbors
    plain, uniform = _plain(found, known, k), settings.weights == "uniform"
    if plain and uniform:
        return np.full_like(distances, 1 / k)
    if plain:
        places = np.ones_like(distances)
    else:
        places = neighbor_places(np, distances, _sizes(found, known), k)
    if uniform:
        return places / k
    floors = np.reshape(known.floors[found.strata], (-1, 1))
    with np.errstate(divide="ignore", invalid="ignore"):
        weights: Floats = inverse_distance_weights(np, distances, places, floors)
    return weights


def _plain(found: Found, known: Known, k: int) -> bool:
    """Tell whether just `k` samples were found for each, none of which stands for others."""
    return known.sizes is None and found.distances.shape[1] == k and found.repeats is None


def _excess(
    numbers: NDArray[np.intp], known: Known, y_pred: Floats, weights: Floats, score: Floats, k: int
) -> Floats | None:
    """Compare predictions with the targets of the nearest, if these are known."""
    usual = known.own_distances(k).disagreements
    if known.targets is None or usual is None:
        return None
    error = (weights * known.densities.means[numbers]).sum(axis=1)
    targets = known.targets[numbers]
    found: Floats = excess(np, y_pred, targets, usual[numbers], weights, error, score)
    return found


def _sizes(found: Found, known: Known) -> Floats:
    there = np.isfinite(found.distances)
    return there * (1.0 if known.sizes is None else known.sizes[found.numbers])


def _score(found: Found, known: Known, k: int) -> Floats:
    """Compare the distance to the nearest samples with their own; equal samples count once."""
    own = known.own_distances(k)
    distances, theirs = found.distances, own.values[found.numbers]
    floor = own.floors[found.strata]
    if _plain(found, known, k):
        distance, reference, floor = distances.sum(axis=1), theirs.sum(axis=1), k * floor
    else:
        there = np.isfinite(distances)
        places = there if found.repeats is None else there & ~found.repeats
        n = np.minimum(k, places.sum(axis=1, keepdims=True))
        shares = neighbor_places(np, distances, places * 1.0, n) / n
        distance = (shares * np.where(there, distances, 0.0)).sum(axis=1)
        reference = (shares * theirs).sum(axis=1)
    distance = np.maximum(distance, floor)
    if own.are_positive:
        return local_ratio(np, distance, reference)
    with np.errstate(divide="ignore", invalid="ignore"):
        return local_ratio(np, distance, reference)
