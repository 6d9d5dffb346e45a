"""Environment latents: what surrounds a sample, beside what it is itself.

An atom's latents tell its energy, and its force is a derivative of its neighbours' energies
too. Neighbours count less the farther they are, and nothing at the cutoff, so that nothing
jumps when one comes or goes; the atom itself counts a little, so that a mean is there without
neighbours as well.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

__all__ = ["edge_weights", "environment"]

_OWN_WEIGHT = 0.01  # of the atom itself in the mean of its neighbours, which have up to 1 each


def edge_weights(xp: Any, distances: Any, cutoff: float) -> Any:
    """Weigh neighbours by a cosine: 1 where they are, 0 from the cutoff on.

    Parameters
    ----------
    xp : module
        numpy or torch.
    distances : array
        Distances of neighbours.
    cutoff : float
        Distance from which on there is no weight, in the same unit.

    Returns
    -------
    array
        The weights, of the shape of the distances.
    """
    within = xp.where(distances < cutoff, distances, cutoff)
    return 0.5 + 0.5 * xp.cos((math.pi / cutoff) * within)


def environment(xp: Any, latents: Any, total: Any, summed: Callable[[Any], Any]) -> Any:
    """Put beside latents the mean of the neighbours', and the mean of those means.

    Parameters
    ----------
    xp : module
        numpy or torch.
    latents : array of shape (n_atoms, n_features)
        Latents.
    total : array of shape (n_atoms, 1)
        Sum of the weights of each atom's neighbours.
    summed : callable
        Sums for each atom the rows of its neighbours, times their weights, both of shape
        (n_atoms, n_features).

    Returns
    -------
    array of shape (n_atoms, 3 * n_features)
        Environment latents.
    """

    def mean(rows: Any) -> Any:
        return (_OWN_WEIGHT * rows + summed(rows)) / (_OWN_WEIGHT + total)

    nearest = mean(latents)
    return xp.concatenate([latents, nearest, mean(nearest)], 1)
