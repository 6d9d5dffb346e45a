"""Weights of the neighbours: equal, or by distance, whatever the order of equally near ones."""

from __future__ import annotations

from typing import Any

__all__ = ["EQUALLY_NEAR", "inverse_distance_weights", "neighbor_places"]

EQUALLY_NEAR = 1e-6  # relative: distances that differ by less, in float32, are the same


def neighbor_places(xp: Any, distances: Any, sizes: Any, k: Any) -> Any:
    """Share `k` places out among what was found; those as near as the last share what is left.

    Parameters
    ----------
    xp : module
        numpy or torch.
    distances : array of shape (n, m), float64
        Distances to what was found, ascending; infinite where there is nothing.
    sizes : array of shape (n, m), float64
        Number of places that each can take: the equal samples that it stands for.
    k : int or array of shape (n, 1)
        Number of places, no more than can be taken.

    Returns
    -------
    array of shape (n, m), float64
        How many places each has, `k` in every row. The order of equally near ones makes no
        difference.
    """
    there = distances < xp.inf
    taken_before = xp.cumsum(sizes, 1) - sizes
    last = xp.amax(xp.where(there & (taken_before < k), distances, 0.0), 1)[:, None]
    near = distances < last * (1 - EQUALLY_NEAR)
    tied = there & ~near & (distances <= last * (1 + EQUALLY_NEAR))
    n_near = xp.where(near, sizes, 0.0)
    n_tied = xp.where(tied, sizes, 0.0)
    left = k - xp.sum(n_near, 1)[:, None]
    return n_near + n_tied * (left / xp.sum(n_tied, 1)[:, None])


def inverse_distance_weights(xp: Any, distances: Any, places: Any, floor: Any) -> Any:
    """Weigh places by the inverse distance; where some coincide, those have all the weight.

    Parameters
    ----------
    xp : module
        numpy or torch.
    distances, places : array of shape (n, m), float64
        Of the neighbours; no place where there is none.
    floor : array of shape (n, 1) or float
        Distance up to which a neighbour coincides with the sample.

    Returns
    -------
    array of shape (n, m), float64
        Weights, which sum to 1 in every row.
    """
    here = (distances <= floor) & (places > 0)
    weights = xp.where(here.any(1)[:, None], here * places, places / distances)
    return weights / xp.sum(weights, 1)[:, None]
