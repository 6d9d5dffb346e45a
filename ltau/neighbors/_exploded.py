"""Rows so far from all others that these would become one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ltau.neighbors._base import Latents
from ltau.neighbors._scaling import extremes

__all__ = ["refuse_exploded"]

Floats = NDArray[np.float64]

_SAMPLE_ROWS = 128  # enough for the order of magnitude of a spread
_MOST_SPREADS = 1e6  # in a standard deviation; of more, float32 does not see a single one
_LARGEST = 1e140  # of which float64 holds the sum of squares
_MOST_NAMED = 5  # rows


def refuse_exploded(latents: Latents, rows: NDArray[np.intp], scaling: str) -> None:
    """Refuse latents of which a few rows hide how the others differ.

    A scaling brings the standard deviation to 1, and centring the mean to 0. Where a few
    rows are so far away that the standard deviation is a million typical spreads, the others
    coincide by rounding and would be predicted alike. An outlier that does no such harm stays.

    Parameters
    ----------
    latents : ndarray of shape (n, n_features), float32 or float64
        The training latents.
    rows : ndarray of shape (n,), intp
        Their numbers, for the message.
    scaling : {"none", "standardize", "whiten"}
        As in `LatentScaler.fit`. Without one, a feature counts by its size among all.

    Raises
    ------
    ValueError
        If so, or if the square of a latent overflows float64; the message names the rows.
    """
    low, high = extremes(latents)
    if not max(high.max(), -low.min()) < _LARGEST:
        worst = np.abs(latents).max(axis=1).argmax()
        size = np.abs(latents[worst]).max()
        raise ValueError(
            f"Expected latents below {_LARGEST:g}, got {size:.3g} in row {rows[worst]}."
        )
    centre, spreads = _typical(latents)
    if scaling == "none":
        spreads[:] = np.linalg.norm(spreads)
    limits = np.where(spreads > 0, spreads, np.inf) * _MOST_SPREADS
    reach = np.maximum(high - centre, centre - low)
    for feature in np.flatnonzero(reach > limits):
        distances = np.abs(latents[:, feature].astype(np.float64) - centre[feature])
        if np.sqrt(np.mean((distances / limits[feature]) ** 2)) > 1:
            farthest = np.argsort(-distances, kind="stable")[:_MOST_NAMED]
            named = farthest[distances[farthest] > limits[feature]]
            raise ValueError(
                f"Expected latents that differ in float32, got {_listed(rows[named])}, whose "
                f"{latents[named[0], feature]:.3g} in feature {feature} hides how the others "
                f"differ, by {spreads[feature]:.3g}: leave out what is broken, or scale before."
            )


def _typical(latents: Latents) -> tuple[Floats, Floats]:
    """Find the median of each feature in a sample, and that of the differences from it.

    Differences by rounding alone do not count among these; where there are no others it is 0.
    """
    n = len(latents)
    taken = np.random.default_rng(0).choice(n, min(n, _SAMPLE_ROWS), replace=False)
    sample = latents[taken].astype(np.float64)
    centre = np.median(sample, axis=0)
    differences = np.abs(sample - centre)
    rounding = len(centre) * np.finfo(latents.dtype).eps * np.abs(centre)
    differences[differences <= rounding] = np.inf
    differences.sort(axis=0)
    middle = np.maximum(np.isfinite(differences).sum(axis=0) - 1, 0) // 2
    spreads = differences[middle, np.arange(len(centre))]
    return centre, np.where(np.isfinite(spreads), spreads, 0.0)


def _listed(rows: NDArray[np.intp]) -> str:
    return ("row " if len(rows) == 1 else "rows ") + ", ".join(map(str, rows.tolist()))
