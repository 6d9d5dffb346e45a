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
    groups : ndarray of shape (n_samples,), intp, or None
        Number of the group of each, from 0.
    targets : ndarray of shape (n_samples, n_outputs), float64, or None
        What the model should have predicted for them.
    """

    latents: Vectors
    trajectories: ErrorSource
    strata: NDArray[np.generic] | None
    bins: ErrorBins
    groups: NDArray[np.intp] | None = None
    targets: NDArray[np.float64] | None = None

    def take(self, rows: NDArray[np.intp]) -> TrainingSamples:
        """Leave all but some samples out."""
        strata = None if self.strata is None else self.strata[rows]
        groups = None if self.groups is None else self.groups[rows]
        targets = None if self.targets is None else self.targets[rows]
        trajectories = self.trajectories.take(rows)
        return TrainingSamples(self.latents[rows], trajectories, strata, self.bins, groups, targets)

    def without_targets(self) -> TrainingSamples:
        """Leave the targets out."""
        return self._replace(targets=None)
