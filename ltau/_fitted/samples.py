"""What an estimator learns from."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ltau._errors.bins import ErrorBins
from ltau._errors.sources import ErrorSource
from ltau.neighbors import Vectors

__all__ = ["TrainingSamples"]


class TrainingSamples(NamedTuple):
    """Checked training samples.

    Parameters
    ----------
    latents : ndarray of shape (n_samples, n_features), float32, C-contiguous
        Their latents.
    trajectories : ErrorSource
        Their errors.
    strata : ndarray of shape (n_samples,) or None
        Class of each.
    bins : ErrorBins
        The bins of their errors.
    """

    latents: Vectors
    trajectories: ErrorSource
    strata: NDArray[np.generic] | None
    bins: ErrorBins

    def take(self, rows: NDArray[np.intp]) -> TrainingSamples:
        """Leave all but some samples out."""
        strata = None if self.strata is None else self.strata[rows]
        return TrainingSamples(self.latents[rows], self.trajectories.take(rows), strata, self.bins)
