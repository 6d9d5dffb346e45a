"""How far a sample lies from the training domain, and how that stretches its errors."""

from __future__ import annotations

from typing import Any

__all__ = ["FARTHEST", "local_ratio", "stretch_factor"]

FARTHEST = 1000.0  # ratio of distances, either way, beyond which nothing is told apart


def local_ratio(xp: Any, distance: Any, reference: Any) -> Any:
    """Divide the distance to the neighbours by the neighbours' own: the `ood_score`.

    Parameters
    ----------
    xp : module
        numpy or torch.
    distance, reference : array of shape (n,), float64
        Distances to the neighbours, and of the neighbours to theirs: both sums or means.

    Returns
    -------
    array of shape (n,), float64
        The ratio; nothing over nothing is 1.
    """
    return xp.where(distance == reference, 1.0, distance / reference)


def stretch_factor(scale: float, exponent: float, ood_score: Any) -> Any:
    """Give the factor of each sample's errors, ``scale * ood_score**exponent``.

    The score is taken to be at most 1,000, and at least the inverse: it may be infinite or
    0 where training samples coincide.
    """
    return scale * ood_score.clip(1 / FARTHEST, FARTHEST) ** exponent
