"""The search of some latents, in batches of bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ltau.neighbors import Found, LatentIndex, n_threads

__all__ = ["LatentSearch"]

_BATCH_VALUES = 1 << 23  # in the largest temporary of a prediction, whatever the number of rows


@dataclass(frozen=True)
class LatentSearch:
    """Searches an index for some latents, whenever it is called.

    Parameters
    ----------
    index : LatentIndex
        The training samples.
    latents : ndarray of shape (n_samples, n_features)
        The latents, checked.
    strata : ndarray of shape (n_samples,) or None
        Class of each sample.
    n_neighbors : int
        Number of neighbours.
    n_bins : int
        Number of bins of what is averaged over them.
    n_jobs : int or None
        Threads of the search.
    """

    index: LatentIndex
    latents: NDArray[np.floating]
    strata: NDArray[np.generic] | None
    n_neighbors: int
    n_bins: int
    n_jobs: int | None

    def __call__(self) -> Iterator[Found]:
        """Search batch by batch."""
        latents, strata, k = self.latents, self.strata, self.n_neighbors
        size = max(1, _BATCH_VALUES // (k * (latents.shape[1] + 8) + self.n_bins))
        for start in range(0, len(latents), size):
            part = slice(start, start + size)
            with n_threads(self.n_jobs):
                found = self.index.search(
                    latents[part], k, None if strata is None else strata[part]
                )
            yield found
