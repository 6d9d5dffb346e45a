"""Latents to try the speed on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["clustered"]


def clustered(n: int, n_features: int) -> NDArray[np.float32]:
    """Draw latents in 200 clusters, as those of a trained model are; always the same ones."""
    rng = np.random.default_rng(0)
    centers = 3 * rng.normal(size=(200, n_features))
    rows = centers[rng.integers(200, size=n)] + rng.normal(size=(n, n_features))
    return rows.astype(np.float32)
