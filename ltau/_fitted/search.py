"""The search of some latents, in batches of bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ltau.neighbors import Found, LatentIndex, TooManyEquallyNear, n_threads

__all__ = ["LatentSearch"]

_BATCH_VALUES = 1 << 23  # in the largest temporary of a prediction, whatever the number of rows
_MOST_FOUND = 1 << 21  # distances in a batch, where many are equally near


@dataclass(slots=True)
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
        width, k = self.latents.shape[1], self.n_neighbors
        size = max(1, _BATCH_VALUES // (k * (width + 8) + self.n_bins))
        for start in range(0, len(self.latents), size):
            yield from self._found(start, min(start + size, len(self.latents)))

    def _found(self, start: int, end: int) -> Iterator[Found]:
        """Search some rows, in halves where so much is equally near that it takes much memory."""
        part = slice(start, end)
        strata = None if self.strata is None else self.strata[part]
        try:
            with n_threads(self.n_jobs):
                found = self.index.search(
                    self.latents[part], self.n_neighbors, strata, most=_MOST_FOUND
                )
        except TooManyEquallyNear:
            middle = (start + end) // 2
            yield from self._found(start, middle)
            yield from self._found(middle, end)
        else:
            yield found
