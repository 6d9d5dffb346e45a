"""Samples to be fitted: latents in clusters, as those of a trained model are, and errors."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["N_EPOCHS", "Samples", "draw"]

N_EPOCHS = 20
N_CLUSTERS = 100
N_DIMENSIONS = 8  # along which a cluster extends
NOISE = 0.01  # in all other directions
_CHUNK_ROWS = 1 << 14

Floats = NDArray[np.float32]


class Samples(NamedTuple):
    """Latents of shape (n, width), and errors of shape (n, n_epochs)."""

    latents: Floats
    errors: Floats


def draw(n: int, width: int, n_epochs: int, seed: int) -> Samples:
    """Draw samples of 100 clusters, each along 8 directions of its own.

    Networks map inputs of few degrees of freedom to wide latents; a little noise fills the
    other directions. A sample's errors are half-normal. Their scale differs from cluster to
    cluster and rises along the first direction of each, so that near samples have much the
    same errors.

    Parameters
    ----------
    n, width, n_epochs : int
        Numbers of samples, of features and of errors of each.
    seed : int
        Of the samples; the clusters are always the same.

    Returns
    -------
    Samples
        Both arrays in float32. Drawn in chunks, so that little more than these is in memory.
    """
    clusters = np.random.default_rng(0)
    levels = 0.5 * clusters.standard_normal(N_CLUSTERS, np.float32)
    centers = clusters.standard_normal((N_CLUSTERS, width), np.float32)
    axes = clusters.standard_normal((N_CLUSTERS, N_DIMENSIONS, width), np.float32)
    axes /= N_DIMENSIONS**0.5
    rng = np.random.default_rng([seed, n])
    samples = Samples(np.empty((n, width), np.float32), np.empty((n, n_epochs), np.float32))
    for start in range(0, n, _CHUNK_ROWS):
        latents, errors = (array[start : start + _CHUNK_ROWS] for array in samples)
        labels = np.sort(rng.integers(N_CLUSTERS, size=len(latents)))
        inside = rng.standard_normal((len(latents), N_DIMENSIONS), np.float32)
        rng.standard_normal(latents.shape, np.float32, latents)
        rng.standard_normal(errors.shape, np.float32, errors)
        latents *= NOISE
        latents += centers[labels]
        ends = np.searchsorted(labels, np.arange(N_CLUSTERS + 1))
        for label, part in enumerate(map(slice, ends[:-1], ends[1:])):
            latents[part] += inside[part] @ axes[label]
        np.abs(errors, out=errors)
        errors *= np.exp(levels[labels] + 0.5 * inside[:, 0])[:, None]
        order = rng.permutation(len(latents))
        latents[:], errors[:] = latents[order], errors[order]
    return samples
