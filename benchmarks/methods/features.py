"""What a model of the errors is given of a sample."""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA

from benchmarks.methods.domains import Samples
from ltau.structures import environment_latents

__all__ = ["Features"]

Floats = NDArray[np.float64]

_LEAST_SHARE = 1e-7  # of the variance: directions below are rounding


class Features:
    """Whitened latents, and the class as one column for each class.

    Parameters
    ----------
    cutoff : float or None
        Cutoff in Å within which latents of an atom's neighbours stand beside its own, as in
        `environment_latents`; None for its own alone.
    """

    def __init__(self, cutoff: float | None) -> None:
        self.cutoff = cutoff

    def fit(self, samples: Samples) -> Self:
        """Learn the whitening, and what classes there are."""
        self._pca = PCA(whiten=True).fit(self._latents(samples))
        self._kept = self._pca.explained_variance_ratio_ > _LEAST_SHARE
        self._classes = np.unique([] if samples.classes is None else samples.classes)
        return self

    def __call__(self, samples: Samples) -> Floats:
        """Compute the features, shape (n, n_features)."""
        whitened = self._pca.transform(self._latents(samples))[:, self._kept]
        if samples.classes is None:
            return whitened
        return np.column_stack([whitened, samples.classes[:, None] == self._classes])

    def _latents(self, samples: Samples) -> Floats:
        latents = samples.latents
        if self.cutoff is not None and samples.frames is not None:
            latents = environment_latents(latents, samples.frames, self.cutoff)
        return latents.astype(np.float64)
